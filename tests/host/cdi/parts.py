"""Edits as a backend's accepted answer has them, and strategies for names and edits."""

import string

from hypothesis import strategies as st

from devbay.contract import resource_name_problem
from devbay.model import ContainerEdits, DeviceNode, Hook, Mount

RESOURCE = "example.com/widget"
PRINTABLE = "".join(sorted(set(string.printable) - set(string.whitespace) - {","}))


def node(path: str, host_path: str = "", permissions: str = "rw") -> DeviceNode:
    """Return a device node."""
    return DeviceNode(path=path, host_path=host_path or path, permissions=permissions)


def mount(path: str, host_path: str = "", *, read_only: bool = True) -> Mount:
    """Return a mount."""
    return Mount(container_path=path, host_path=host_path or path, read_only=read_only)


def hook(path: str, *args: str) -> Hook:
    """Return a hook."""
    return Hook(hook_name="createContainer", path=path, args=args)


def edits(*parts: DeviceNode | Mount | Hook, **env: str) -> ContainerEdits:
    """Return the edits that hold these."""
    return ContainerEdits(
        env=env,
        device_nodes=tuple(part for part in parts if isinstance(part, DeviceNode)),
        mounts=tuple(part for part in parts if isinstance(part, Mount)),
        hooks=tuple(part for part in parts if isinstance(part, Hook)),
    )


def parts(one: ContainerEdits) -> list[DeviceNode | Mount | Hook]:
    """Return what edits hold besides environment and annotations."""
    return [*one.device_nodes, *one.mounts, *one.hooks]


IDS = st.text(PRINTABLE, min_size=1, max_size=63).filter(lambda text: "::" not in text)
"""Device ids that the contract accepts."""

_LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
_TYPE = st.from_regex(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]", fullmatch=True)
RESOURCES = st.builds(
    lambda labels, kind: f"{'.'.join(labels)}/{kind}", st.lists(_LABEL, min_size=1, max_size=20), _TYPE
).filter(lambda name: resource_name_problem(name) is None)
"""Extended resource names that Kubernetes accepts."""

PARTS = st.sampled_from(
    [
        node("/dev/ctl"),
        node("/dev/a"),
        node("/dev/b"),
        node("/dev/c", "/dev/x"),
        mount("/lib/l"),
        mount("/etc/m", "/srv/m", read_only=False),
        hook("/bin/ldconfig"),
        hook("/bin/h", "h", "1"),
        hook("/bin/h", "h", "2"),
    ]
)
"""What edits may hold; no two contradict each other."""
