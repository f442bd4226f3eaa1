"""What a specification must be for a runtime to load it: the rules of the format, and the version that it needs.

Pure. The rules are those of the library that the runtimes use (container-edits.go:181-416, device.go:69-88,
spec.go:236-249, specs-go/version.go:145-273). A problem is a line that says where it is and what would do.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from devbay.cdi import names
from devbay.cdi.document import DeviceNode, Edits, Hook, Specification

VERSIONS = ("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
"""All there are, the oldest first."""

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")

_LOWEST = "0.3.0"
_NODE_TYPES = ("", "b", "c", "u", "p")
_MAX_CLOS_ID = 4095


def lowest_version(specification: Specification) -> str:
    """Return the oldest version that has all that a specification uses, so that old runtimes load it too."""
    return max((_LOWEST, *(version for version, _ in _needs(specification))), key=VERSIONS.index)


def problems(specification: Specification) -> Iterator[str]:
    """Yield what keeps runtimes from loading a specification; nothing, if they do."""
    yield from _version_problems(specification)
    vendor, slash, class_ = specification.kind.partition("/")
    if not slash:
        yield f"kind {specification.kind!r} must read vendor/class"
    else:
        yield from (
            f"kind: {p}" for p in (names.part_problem("vendor", vendor), names.part_problem("class", class_)) if p
        )
    if not specification.devices:
        yield "devices: there are none; a specification needs one or more"
    yield from _edits_problems("containerEdits", specification.container_edits)
    for name, count in Counter(device.name for device in specification.devices).items():
        if count > 1:
            yield f"devices: {count} are called {name!r}; a name may be used once"
    for number, device in enumerate(specification.devices):
        place = f"devices[{number}] ({device.name})"
        if problem := names.name_problem(device.name):
            yield f"devices[{number}]: name {problem}"
        if device.container_edits == Edits():
            yield f"{place}: containerEdits are empty; a device must edit something"
        yield from _edits_problems(f"{place}: containerEdits", device.container_edits)


def _version_problems(specification: Specification) -> Iterator[str]:
    declared = specification.cdi_version
    if declared not in VERSIONS:
        yield f"cdiVersion {declared!r} is none; known: {', '.join(VERSIONS)}"
        return
    for version, what in dict.fromkeys(_needs(specification)):
        if VERSIONS.index(version) > VERSIONS.index(declared):
            yield f"cdiVersion is {declared}, but {what} needs {version}"


def _needs(specification: Specification) -> Iterator[tuple[str, str]]:
    """Yield the versions that a specification needs, with what needs them."""
    if "." in specification.kind.partition("/")[2]:
        yield "0.6.0", "a '.' in the class"
    if specification.annotations or any(device.annotations for device in specification.devices):
        yield "0.6.0", "annotations"
    if any(device.name and not device.name[0].isalpha() for device in specification.devices):
        yield "0.5.0", "a device name that begins with no letter"
    yield from _edits_needs(specification.container_edits)
    for device in specification.devices:
        yield from _edits_needs(device.container_edits)


def _edits_needs(edits: Edits) -> Iterator[tuple[str, str]]:
    rdt = edits.intel_rdt
    uses = {
        ("0.4.0", "a mount's type"): any(mount.type for mount in edits.mounts),
        ("0.5.0", "a device node's hostPath"): any(node.host_path for node in edits.device_nodes),
        ("0.7.0", "intelRdt"): rdt is not None,
        ("0.7.0", "additionalGids"): bool(edits.additional_gids),
        ("1.1.0", "netDevices"): bool(edits.net_devices),
        ("1.1.0", "intelRdt.schemata or enableMonitoring"): rdt is not None
        and bool(rdt.schemata or rdt.enable_monitoring),
    }
    yield from (need for need, used in uses.items() if used)


def _edits_problems(place: str, edits: Edits) -> Iterator[str]:
    yield from _env_problems(place, edits.env)
    for n, node in enumerate(edits.device_nodes):
        yield from _node_problems(f"{place}.deviceNodes[{n}]", node)
    for n, mount in enumerate(edits.mounts):
        for field, path in (("hostPath", mount.host_path), ("containerPath", mount.container_path)):
            if not path:
                yield f"{place}.mounts[{n}]: {field} is empty"
    for n, hook in enumerate(edits.hooks):
        yield from _hook_problems(f"{place}.hooks[{n}]", hook)
    yield from _rare_problems(place, edits)


def _env_problems(place: str, env: Iterable[str]) -> Iterator[str]:
    for n, text in enumerate(env):
        if text.find("=") < 1:
            yield f"{place}.env[{n}]: {text!r} must read NAME=value"


def _node_problems(place: str, node: DeviceNode) -> Iterator[str]:
    if not node.path:
        yield f"{place}: path is empty"
    if node.type not in _NODE_TYPES:
        yield f"{place}: type {node.type!r} must be one of b, c, u, p"
    if not set(node.permissions) <= set("rwm"):
        yield f"{place}: permissions {node.permissions!r} must be of the letters r, w, m"


def _hook_problems(place: str, hook: Hook) -> Iterator[str]:
    if hook.hook_name not in HOOKS:
        yield f"{place}: hookName {hook.hook_name!r} must be one of {', '.join(HOOKS)}"
    if not hook.path:
        yield f"{place}: path is empty"
    yield from _env_problems(place, hook.env)


def _rare_problems(place: str, edits: Edits) -> Iterator[str]:
    """Yield what is wrong with fields that we never write."""
    if (rdt := edits.intel_rdt) is not None and (
        rdt.clos_id in (".", "..") or len(rdt.clos_id) > _MAX_CLOS_ID or "/" in rdt.clos_id or "\n" in rdt.clos_id
    ):
        yield f"{place}.intelRdt: closID {rdt.clos_id!r} must be a directory's name"
    for field in ("host_interface_name", "name"):
        used = Counter(getattr(device, field) for device in edits.net_devices)
        for name, count in used.items():
            if not name or count > 1:
                yield f"{place}.netDevices: the {field.replace('_', ' ')} {name!r} is empty or used {count} times"
