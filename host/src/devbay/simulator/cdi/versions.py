"""Which release of the CDI specification a file needs, and which it says it is written for. Pure.

specs-go/version.go:69-81 and 145-273.
"""

from collections.abc import Callable

from devbay.simulator.cdi.names import split
from devbay.simulator.cdi.specification import Specification

EARLIEST = "0.3.0"
"""The least that is ever needed; earlier ones are known."""

KNOWN = ("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
"""All releases, in order."""


def minimum(file: Specification) -> str:
    """Return the lowest release that has everything the file uses."""
    return next((version for version, needed in _NEEDED if needed(file)), EARLIEST)


def wrong(file: Specification) -> str:
    """Return what is wrong with the release that the file names, or nothing."""
    named = file.cdi_version.removeprefix("v")
    if named not in KNOWN:
        return f'invalid version "{file.cdi_version}"'
    needed = minimum(file)
    if KNOWN.index(needed) > KNOWN.index(named):
        return f"the spec version must be at least v{needed}"
    return ""


def _needs_1_1(file: Specification) -> bool:
    shares = [edits.intel_rdt for edits in file.all_edits if edits.intel_rdt is not None]
    return any(edits.net_devices for edits in file.all_edits) or any(
        share.schemata is not None or share.enable_monitoring for share in shares
    )


def _needs_0_7(file: Specification) -> bool:
    return any(edits.intel_rdt is not None or edits.additional_gids for edits in file.all_edits)


def _needs_0_6(file: Specification) -> bool:
    annotated = file.annotations or any(device.annotations for device in file.devices)
    vendor, class_name = split(file.kind)
    return bool(annotated) or (vendor != "" and "." in class_name)


def _needs_0_5(file: Specification) -> bool:
    moved = any(node.host_path for edits in file.all_edits for node in edits.device_nodes)
    return moved or any(device.name and not device.name[0].isalpha() for device in file.devices)


def _needs_0_4(file: Specification) -> bool:
    return any(mount.type for edits in file.all_edits for mount in edits.mounts)


_NEEDED: tuple[tuple[str, Callable[[Specification], bool]], ...] = (
    ("1.1.0", _needs_1_1),
    ("0.7.0", _needs_0_7),
    ("0.6.0", _needs_0_6),
    ("0.5.0", _needs_0_5),
    ("0.4.0", _needs_0_4),
)
"""What makes a release necessary, the latest first; 0.8.0 and 1.0.0 brought nothing to the file."""
