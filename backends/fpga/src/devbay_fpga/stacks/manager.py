"""FPGAs that only the kernel's fpga_manager and fpga_region classes know, mostly beside a processor on one chip.

Neither class has device nodes: what a container needs (``/dev/uio*``, a driver's own) is said by a rule. Managers and
regions that a card of another stack has are that stack's.
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from devbay.api import Node
from devbay_fpga import pci, sysfs
from devbay_fpga.matching import matches
from devbay_fpga.settings import ManagerRule, Settings
from devbay_fpga.stacks import alarms
from devbay_fpga.unit import Fault, Unit

_ENTRY = re.compile(r"(fpga|region)\d+")
_OTHERS = re.compile(r"dfl-fme.*|intel-fpga.*|fmgr\.m\..*")
_DFL = re.compile(r"dfl-(fme|port)\.\d+")


def find(node: Node, settings: Settings) -> Iterator[Unit]:
    """Yield one unit for each manager or region that a rule means; the first rule counts."""
    seen = set()
    for rule in settings.managers:
        for path in sysfs.entries(node.sys / f"class/fpga_{rule.per}", _ENTRY):
            directory = sysfs.real(path)
            if directory not in seen and not _is_anothers(directory):
                unit = _unit(node, rule, path.name, directory)
                if matches(rule.select, {"id": unit.name, **unit.facts}):
                    seen.add(directory)
                    yield unit


def judge(unit: Unit) -> Iterator[Fault]:
    """Yield what the manager's state says is wrong; a region's manager is the one beside it, if it has one."""
    for manager in managers(unit.directory):
        yield from alarms.manager(manager)


def managers(directory: Path) -> list[Path]:
    """Return the managers that a unit's health is read from."""
    if sysfs.exists(directory / "state"):
        return [directory]
    return alarms.managers(directory.parent.parent)


def nodes(node: Node, patterns: tuple[str, ...]) -> dict[str, str]:
    """Return the device nodes that patterns mean, as the node calls them, each once."""
    found: dict[str, str] = {}
    for pattern in patterns:
        for path in _expand(node, PurePosixPath(pattern)):
            found.setdefault(f"{path}", f"{path}")
    return found


def _unit(node: Node, rule: ManagerRule, name: str, directory: Path) -> Unit:
    parent = directory.parent.parent.name if directory.parent.name.startswith("fpga_") else ""
    facts = {"kernel_name": name, **{fact: sysfs.peek(directory / fact) for fact in ("name", "compat_id")}}
    found = nodes(node, rule.nodes)
    return Unit(
        key=f"{rule.per}/{parent or name}",
        name=parent or name,
        stack="manager",
        directory=directory,
        facts={"resource": rule.resource, **{key: text for key, text in facts.items() if text}},
        nodes=found,
        numa_nodes=pci.numa_nodes(directory.parent.parent),
        ancestry=pci.ancestry(directory),
        faults=() if found else (Fault("nodes", f"there is no node {', '.join(rule.nodes)}"),),
    )


def _is_anothers(directory: Path) -> bool:
    below = any(_OTHERS.fullmatch(part) for part in directory.parts)
    return below or any(_DFL.fullmatch(path.name) for path in sysfs.entries(directory))


def _expand(node: Node, pattern: PurePosixPath) -> Iterator[PurePosixPath]:
    """Yield the node's paths that a pattern with ``*`` in its last part means."""
    for path in sysfs.entries(node.locate(f"{pattern.parent}")):
        if fnmatchcase(path.name, pattern.name):
            yield pattern.parent / path.name
