"""A reader of our pages, who types what they say and compares what comes out.

A page marks its blocks with a comment: ``file: NAME`` (write it), ``append: NAME`` (add to the class in it), ``run``
(type it into a shell that stays the same), ``terminal`` (type it into a terminal of its own, where it goes on),
``shows: N`` (look at the Nth of these).
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pytest

from tests.host.running import PATIENCE

BLOCK = re.compile(r"<!-- (\w+)(?:: (\S+))? -->\n```\w+\n(.*?)```", re.DOTALL)
ASKS = re.compile(r"\bdevbay simulate (?:node|restart|pod [a-z]+)\b")
_SCREEN = {
    "COLUMNS": "200",
    "DEVBAY_LOG__FORMAT": "console",
    "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:asyncio --assert=plain",
}
"""What makes a pipe look like a terminal, and keeps a test run inside this one small."""
LOOKS = re.compile(r"devbay simulate (node|pod list|pod describe)\b")


class Block(NamedTuple):
    """A marked block of the page: what is done with it, to which file, and its text."""

    what: str
    file: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the page's marked blocks, in order."""
    return [Block(*found) for found in BLOCK.findall(page)]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, continued lines and all, and what it prints according to the page."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        length = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\\n"))
        yield "".join(lines[:length]).rstrip("\n"), "".join(lines[length:])


def matches(printed: str, output: str) -> bool:
    """Return whether each line of the page is printed, in order; ``…`` stands for anything, spaces do not count."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    text, place = " ".join(printed.split()), 0
    for piece in (piece for line in lines for piece in line.split("…")):
        found = text.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return True


class Terminal:
    """A terminal in which one command goes on until Ctrl-C."""

    def __init__(self, script: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.printed = ""
        self._script = script
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def shows(self, output: str) -> None:
        """Wait until it shows what the page says."""
        end = time.monotonic() + PATIENCE
        while not matches(self.printed, output):
            assert time.monotonic() < end, f"$ {self._script}\nthe page says:\n{output}\nit prints:\n{self.printed}"
            time.sleep(0.02)

    def end(self) -> int:
        """Press Ctrl-C; return the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        try:
            return self._process.wait(PATIENCE)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self.printed += line


class Reader:
    """Someone who does what a page says, in `folder`, with `environment` and with devbay on the path.

    `directory` is where the page's simulator runs: there may be others on the machine, which are not the page's.
    `elsewhere` names places of the page and what stands for them here.
    """

    def __init__(
        self, folder: Path, directory: Path, environment: Mapping[str, str], elsewhere: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self._directory = directory
        self._elsewhere = dict(elsewhere or {})
        self._exports = ""
        self._terminals: list[Terminal] = []
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEVBAY_")}
        path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
        self._environment = {**inherited, "PATH": path, **_SCREEN, **environment}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        codes = [terminal.end() for terminal in reversed(self._terminals)]
        assert kind is not None or codes == [0] * len(codes)

    def follow(self, block: Block) -> None:
        """Do what a block of the page says."""
        text = self._here(block.text)
        match block.what:
            case "file":
                (self.folder / block.file).write_text(text, encoding="utf-8")
            case "append":
                with (self.folder / block.file).open("a", encoding="utf-8") as file:
                    file.write(text.partition("    ...\n")[2])  # what is shown in its class goes to its end
            case "run":
                for command, output in commands(text):
                    self.type(command, output)
            case "terminal":
                for command, output in commands(text):
                    script = f"{self._exports}exec env {command}"  # the shell would not pass its exit code on
                    self._terminals.append(Terminal(script, self.folder, self._environment))
                    self._terminals[-1].shows(output)
            case "shows":
                self._terminals[int(block.file) - 1].shows(text)
            case _:
                pytest.fail(f"the page has a block marked {block.what!r}")

    def type(self, command: str, output: str) -> None:
        """Type a command into the shell, and compare what it prints; a look is repeated until it shows that."""
        if command.startswith("export "):
            self._exports += f"{command}\n"
        asked = ASKS.sub(rf"\g<0> --directory {self._directory}", command)
        end = time.monotonic() + PATIENCE
        while not matches(printed := self._run(asked), output):
            late = not LOOKS.match(command) or time.monotonic() > end
            assert not late, f"$ {command}\nthe page says:\n{output}\nit prints:\n{printed}"

    def _run(self, command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", f"{self._exports}{command}"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def _here(self, text: str) -> str:
        for there, here in self._elsewhere.items():
            text = text.replace(there, here)
        return text
