"""A real browser: headless Chromium, driven through chromedriver's plain HTTP (the W3C's WebDriver)."""

import base64
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
_PATIENCE = 60.0
"""Seconds that one command to the browser may take: its start is slow on a loaded machine."""


def missing() -> str:
    """Return why there is no browser here; empty where there is."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(lacking)}; in Debian: chromium, chromium-driver" if lacking else ""


class Browser:
    """One window."""

    def __init__(self, address: str, session: str) -> None:
        self._base = f"{address}/session/{session}"

    def open(self, url: str) -> None:
        """Go to an address."""
        _call("POST", f"{self._base}/url", {"url": url})

    def run(self, script: str) -> Any:
        """Return what a script returns that runs in the page."""
        return _call("POST", f"{self._base}/execute/sync", {"script": script, "args": []})

    def devtools(self, command: str, **parameters: object) -> Any:
        """Give a command of Chromium's own."""
        return _call("POST", f"{self._base}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def scripts(self, *, run: bool) -> None:
        """Let the page's own scripts run, or not."""
        self.devtools("Emulation.setScriptExecutionDisabled", value=not run)

    def resize(self, width: int, height: int) -> None:
        """Show the page in this size, as a phone would where it is narrow."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def scheme(self, name: str) -> None:
        """Prefer ``light`` or ``dark``."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        data = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def console(self) -> list[str]:
        """Return what the browser complained of since this was last asked."""
        return [entry["message"] for entry in _call("POST", f"{self._base}/se/log", {"type": "browser"})]


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Browser]:
    """Start a browser with a profile of its own."""
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert driver.stdout is not None
        port = next(line.split("port ")[1].rstrip(".\n") for line in driver.stdout if "started successfully" in line)
        address = f"http://127.0.0.1:{port}"
        options = {"args": [*FLAGS, *flags, f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = _call("POST", f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        try:
            yield Browser(address, session)
        finally:
            _call("DELETE", f"{address}/session/{session}")
    finally:
        driver.terminate()
        driver.communicate()


def _call(method: str, url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - chromedriver's, on this machine
        return json.load(answer)["value"]
