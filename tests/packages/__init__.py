"""Small real packages, most of them with one mistake, and what installs them for a test.

Each folder beside this file is a distribution that a person could install: ``devbay-widget`` and ``devbay-gadget`` are
as they should be, the others say their mistake in their first line. `Site` holds them built and unpacked, each in a
folder of its own, so that a test chooses which are installed: by ``PYTHONPATH`` for a process, by ``sys.path`` for its
own.
"""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent
NAMES = tuple(sorted(path.parent.name for path in SOURCES.glob("*/pyproject.toml")))


@dataclass(frozen=True)
class Site:
    """Where the packages are installed.

    Attributes:
        root: a folder with one folder per distribution, named after it.
    """

    root: Path

    def paths(self, *names: str) -> list[str]:
        """Return the import path entries of the distributions called `names`, for ``distributions(path=...)``."""
        unknown = set(names) - set(NAMES)
        if unknown:
            raise LookupError(f"{sorted(unknown)} not in tests/packages, which has {', '.join(NAMES)}")
        return [str(self.root / name) for name in names]

    def environ(self, *names: str, **variables: str) -> dict[str, str]:
        """Return the environment of a process that has these distributions beside its own, and these variables."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DEVBAY_")}
        return inherited | {"PYTHONPATH": os.pathsep.join(self.paths(*names))} | variables


def install(root: Path) -> Site:
    """Build every package with pip and unpack each under `root`: a pure wheel on the path is an installed one."""
    wheels = root / "wheels"
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    sources = [SOURCES / name for name in NAMES]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", wheels, *sources], check=True)
    for name in NAMES:
        (wheel,) = wheels.glob(f"{name.replace('-', '_')}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / name)
    return Site(root)
