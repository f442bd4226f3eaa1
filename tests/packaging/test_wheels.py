"""What a person gets from a package index: each distribution builds, installs alone, and runs.

No index is asked. The wheels go into fresh environments that hold, besides, only the third-party distributions that
the wheels themselves declare, linked file by file from the environment that runs the tests. So an undeclared
dependency is not there to be imported.
"""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import Parser
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import workspace

HOST = workspace.host(workspace.ROOT)
BACKENDS = workspace.backends(workspace.ROOT)
MEMBERS = [HOST, *BACKENDS]
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")


@dataclass(frozen=True)
class Wheelhouse:
    """The workspace's wheels.

    Attributes:
        folder: where they are.
    """

    folder: Path

    def wheel(self, member: workspace.Member) -> Path:
        """Return a member's wheel."""
        (found,) = self.folder.glob(f"{member.package}-*.whl")
        return found

    def files(self, member: workspace.Member) -> list[str]:
        """Return what a member's wheel holds."""
        return zipfile.ZipFile(self.wheel(member)).namelist()

    def read(self, member: workspace.Member, name: str) -> str:
        """Return one file of a member's ``.dist-info``."""
        with zipfile.ZipFile(self.wheel(member)) as archive:
            return archive.read(f"{member.package}-{member.project['version']}.dist-info/{name}").decode()

    def requirements(self, member: workspace.Member, extra: str = "") -> list[Requirement]:
        """Return what installing a member brings along, with one of its extras or none."""
        listed = Parser().parsestr(self.read(member, "METADATA")).get_all("Requires-Dist") or []
        return [need for need in map(Requirement, listed) if is_due(need, extra)]

    def modules(self, member: workspace.Member) -> list[str]:
        """Return the names of a member's modules, but for the one that is a program."""
        names = [file for file in self.files(member) if file.endswith(".py") and not file.endswith("__main__.py")]
        return [name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for name in names]


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    def install(self, name: str, wheels: Wheelhouse) -> None:
        """Install a distribution by its name, as a person would, from the wheels alone."""
        options = ("--python", self.python, "install", "--no-index", "--find-links", wheels.folder)
        subprocess.run([*PIP, *options, name], check=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of its programs on a node with nothing configured."""
        bare = {key: value for key, value in os.environ.items() if not key.startswith(("DEVBAY_", "PYTHON", "NODE_"))}
        command = [str(self.folder / "bin" / program), *arguments]
        return subprocess.run(command, cwd=self.folder, env=bare, capture_output=True, text=True, check=False)


def is_due(need: Requirement, extra: str = "") -> bool:
    """Return whether a requirement counts here: it belongs to `extra` or to none, and to no other platform."""
    return need.marker is None or need.marker.evaluate({"extra": extra})


def closure(needs: Iterable[Requirement]) -> dict[str, metadata.Distribution]:
    """Return the installed distributions that meet `needs`, and what those need in turn; our own left out."""
    ours = {member.name for member in MEMBERS}
    found: dict[str, metadata.Distribution] = {}
    pending = list(needs)
    while pending:
        name = canonicalize_name(pending.pop().name)
        if name not in found and name not in ours:
            found[name] = metadata.distribution(name)
            pending += filter(is_due, map(Requirement, found[name].requires or ()))
    return found


def link(distribution: metadata.Distribution, site: Path) -> None:
    """Make a distribution's files appear in `site`, without its programs."""
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).symlink_to(source)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheelhouse:
    """Build each member as for publishing: the source archive, and the wheel from that."""
    folder = tmp_path_factory.mktemp("wheels")
    for member in MEMBERS:
        options = ("--no-isolation", "--outdir", str(folder))
        subprocess.run([sys.executable, "-m", "build", *options, workspace.ROOT / member.folder], check=True)
    return Wheelhouse(folder)


def fresh(folder: Path, wheels: Wheelhouse, *members: workspace.Member, extra: str = "") -> Environment:
    """Make an environment with what these members' wheels declare, for `extra` too, and nothing of ours."""
    venv.create(folder / "venv", symlinks=True)
    (site,) = folder.glob("venv/lib/python3*/site-packages")
    for distribution in closure(need for member in members for need in wheels.requirements(member, extra)).values():
        link(distribution, site)
    return Environment(folder / "venv")


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_wheel_holds_its_package_and_no_more(wheels: Wheelhouse, member: workspace.Member) -> None:
    """It has every source file, the type marker, the licence; no tests, and nothing outside its own name."""
    dist_info = f"{member.package}-{member.project['version']}.dist-info"
    sources = workspace.ROOT / member.folder / "src"
    committed = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    files = set(wheels.files(member))

    assert {file for file in files if not file.startswith(dist_info)} == committed
    assert f"{member.package}/py.typed" in files
    assert f"{dist_info}/licenses/LICENSE" in files


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_wheel_has_a_page_to_show(wheels: Wheelhouse, member: workspace.Member) -> None:
    """What a package index shows of it opens with its name."""
    page = Parser().parsestr(wheels.read(member, "METADATA")).get_payload()

    assert str(page).lstrip().startswith(f"# {member.name}\n")


def test_the_host_ships_its_protos(wheels: Wheelhouse) -> None:
    """Whoever reads the generated code finds the ``.proto`` file that it was made from."""
    generated = {file for file in wheels.files(HOST) if file.endswith("_pb2.py")}

    assert generated
    assert {file.replace("_pb2.py", ".proto") for file in generated} <= set(wheels.files(HOST))


@pytest.mark.parametrize("member", BACKENDS, ids=lambda member: member.name)
def test_a_backend_declares_itself(wheels: Wheelhouse, member: workspace.Member) -> None:
    """Its wheel carries the entry point that the host looks for, and asks for a range of hosts."""
    nick = Path(member.folder).name
    needs = {need.name: need.specifier for need in wheels.requirements(member)}

    assert f"[{workspace.GROUP}]\n{nick} = {member.package}" in wheels.read(member, "entry_points.txt")
    assert {">=", "<"} == {specifier.operator for specifier in needs["devbay"]}


def test_the_host_alone_says_kindly_what_to_install(wheels: Wheelhouse, tmp_path: Path) -> None:
    """``pip install devbay`` and no backend: that is no error, and the next step is on the screen."""
    environment = fresh(tmp_path, wheels, HOST)
    environment.install("devbay", wheels)

    done = environment.run("devbay", "backends")

    assert done.returncode == 0, done.stderr
    assert "no backend" in done.stdout.lower()
    assert "pip install devbay-" in done.stdout


@pytest.mark.parametrize("member", BACKENDS, ids=lambda member: member.name)
def test_one_backend_is_one_more_package(wheels: Wheelhouse, tmp_path: Path, member: workspace.Member) -> None:
    """A backend installs by its name, brings the host, and is in the table with its distribution and version."""
    environment = fresh(tmp_path, wheels, HOST, member)
    environment.install(member.name, wheels)

    done = environment.run("devbay", "backends")

    assert done.returncode == 0, done.stderr
    (row,) = (line.split() for line in done.stdout.splitlines() if member.name in line.split())
    assert {Path(member.folder).name, member.project["version"]} <= set(row)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_what_is_declared_is_enough(wheels: Wheelhouse, tmp_path: Path, member: workspace.Member) -> None:
    """Every module of a member imports where only its declared dependencies are installed; the kit needs its extra."""
    environment = fresh(tmp_path, wheels, HOST, member)
    environment.install(member.name, wheels)
    names = [name for name in wheels.modules(member) if not name.startswith("devbay.testing.")]

    done = environment.run("python", "-c", "\n".join(f"import {name}" for name in names))

    assert done.returncode == 0, done.stderr


def test_the_kit_needs_its_extra_and_no_more(wheels: Wheelhouse, tmp_path: Path) -> None:
    """``pip install 'devbay[testing]'`` is enough for a backend's tests: every module of the kit imports."""
    environment = fresh(tmp_path, wheels, HOST, extra="testing")
    environment.install("devbay", wheels)
    names = [name for name in wheels.modules(HOST) if name.startswith("devbay.testing.")]

    done = environment.run("python", "-c", "\n".join(f"import {name}" for name in names))

    assert done.returncode == 0, done.stderr
    assert "devbay.testing.conformance" in names
