"""What the workspace's files must say about each other, as functions from a tree to complaints.

The tests beside this run them on the real tree, where there must be none, and on doctored ones, where there must be. A
complaint is a sentence that says which line is missing where.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
GROUP = "devbay.backends.v1"

Check: TypeAlias = Callable[[Path], Iterator[str]]
"""From a tree to its complaints."""


@dataclass(frozen=True)
class Member:
    """One distribution of the workspace.

    Attributes:
        folder: where it is, from the root: ``host``, ``backends/mock``.
        project: the ``[project]`` table of its pyproject.toml.
        tools: the names of its ``[tool.*]`` tables.
        package: the name it is imported by.
        files: its files, from its folder.
    """

    folder: str
    project: dict[str, Any]
    tools: tuple[str, ...]
    package: str
    files: frozenset[str]

    @property
    def name(self) -> str:
        """The distribution's name."""
        return str(self.project["name"])


def read(path: Path) -> dict[str, Any]:
    """Return a TOML file's content."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def member(root: Path, folder: Path) -> Member:
    """Return the member in `folder`."""
    document = read(folder / "pyproject.toml")
    (package,) = (path.parent.name for path in folder.glob("src/*/__init__.py"))
    return Member(
        folder=folder.relative_to(root).as_posix(),
        project=document["project"],
        tools=tuple(document.get("tool", {})),
        package=package,
        files=frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()),
    )


def host(root: Path) -> Member:
    """Return the host."""
    return member(root, root / "host")


def backends(root: Path) -> list[Member]:
    """Return every backend; the folder is the list, so that nothing can be left out of it."""
    return [member(root, path.parent) for path in sorted(root.glob("backends/*/pyproject.toml"))]


def contracts(root: Path) -> dict[str, dict[str, Any]]:
    """Return the import contracts by id."""
    listed = read(root / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    return {contract["id"]: contract for contract in listed}


def modules(root: Path) -> list[str]:
    """Return the names of the host's top-level modules and packages."""
    source = root / "host/src/devbay"
    plain = {path.stem for path in source.glob("*.py") if path.stem != "__init__"}
    return sorted(plain | {path.parent.name for path in source.glob("*/__init__.py")})


def unfloored(root: Path) -> Iterator[str]:
    """Yield a complaint for each module of the host that is on no floor, and each floor without its module."""
    floors = contracts(root)["floors"]
    placed = {name.strip(" ()") for layer in floors["layers"] for name in layer.replace(":", "|").split("|")}
    beside = set(floors["exhaustive_ignores"])
    present = set(modules(root))
    for name in sorted(present - placed - beside):
        yield f"devbay.{name} is on no floor: add it to the contract `floors` in pyproject.toml"
    for name in sorted((placed | beside) - present):
        yield f"the contract `floors` names devbay.{name}, which does not exist"


def unlisted(root: Path) -> Iterator[str]:
    """Yield a complaint for each place where the workspace forgets a backend."""
    document = read(root / "pyproject.toml")
    tool = document["tool"]
    contract = contracts(root)
    extras = host(root).project["optional-dependencies"]
    for backend in backends(root):
        nick = Path(backend.folder).name
        where = {
            "dependencies": backend.name in document["project"]["dependencies"],
            "tool.uv.sources": tool["uv"]["sources"].get(backend.name) == {"workspace": True},
            "tool.mypy.mypy_path": f"{backend.folder}/src" in tool["mypy"]["mypy_path"],
            "tool.importlinter.root_packages": backend.package in tool["importlinter"]["root_packages"],
            "contract `host-knows-no-backend`": backend.package
            in contract["host-knows-no-backend"]["forbidden_modules"],
            "contract `backends-see-the-api`": backend.package in contract["backends-see-the-api"]["source_modules"],
            "contract `backends-are-independent`": backend.package in contract["backends-are-independent"]["modules"],
            "contract `nvml`": backend.package in contract["nvml"]["source_modules"] or nick == "nvidia",
            "optional-dependencies of host/pyproject.toml": extras.get(nick) == [backend.name],
        }
        yield from (f"{backend.name} is missing from {place}" for place, listed in where.items() if not listed)


def misshapen(root: Path) -> Iterator[str]:
    """Yield a complaint for each backend that is not put together as the others are."""
    ours = host(root)
    for backend in backends(root):
        nick = Path(backend.folder).name
        where = {
            f"the distribution is called devbay-{nick}": backend.name == f"devbay-{nick}",
            f"the package is called devbay_{nick}": backend.package == f"devbay_{nick}",
            f"the entry point is called {nick}": list(backend.project["entry-points"][GROUP]) == [nick],
            "it has the host's version": backend.project["version"] == ours.project["version"],
            "it depends on a range of devbay": any(is_range(text) for text in backend.project["dependencies"]),
        }
        yield from (f"{backend.folder}: not so: {rule}" for rule, kept in where.items() if not kept)
    for each in [ours, *backends(root)]:
        needed = {"README.md", "LICENSE", f"src/{each.package}/py.typed"}
        yield from (f"{each.folder}: no {path}" for path in sorted(needed - each.files))
        # A copy, since a link out of its folder does not survive a source archive.
        if "LICENSE" in each.files and (root / each.folder / "LICENSE").read_bytes() != (ROOT / "LICENSE").read_bytes():
            yield f"{each.folder}: LICENSE is not a copy of the root's"
        yield from (f"{each.folder}: [tool.{name}] belongs in the root file" for name in each.tools if name != "hatch")


def is_range(requirement: str) -> bool:
    """Return whether a requirement is devbay from one version up to the next contract's."""
    return requirement.startswith("devbay>=") and ",<" in requirement
