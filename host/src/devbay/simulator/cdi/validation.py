"""Whether a runtime accepts a CDI file, and why not, in the CDI library's words. Pure.

pkg/cdi/spec.go:236-249, pkg/cdi/device.go:69-88, pkg/cdi/container-edits.go:181-416. Annotations are not looked at, as
they are not there in practice.
"""

from collections.abc import Iterable

from devbay.simulator.cdi import names, versions
from devbay.simulator.cdi.specification import (
    Device,
    DeviceNode,
    Edits,
    Hook,
    IntelRdt,
    LinuxNetDevice,
    Mount,
    Specification,
)

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
TYPES = ("", "b", "c", "u", "p")
_LONGEST_CLOS_ID = 4096


class Invalid(ValueError):  # noqa: N818 - says what is wrong with what was read
    """A file that runtimes refuse."""


def check(file: Specification) -> None:
    """Raise `Invalid` if runtimes refuse the file; all of its devices are gone then, and no other file's."""
    if wrong := versions.wrong(file):
        raise Invalid(wrong)
    try:
        names.check_kind(file.kind)
    except names.InvalidName as error:
        raise Invalid(str(error)) from error
    _check_edits(file.container_edits)
    seen: set[str] = set()
    for device in file.devices:
        try:
            _check_device(device)
        except (Invalid, names.InvalidName) as error:
            raise Invalid(f'failed add device "{device.name}": {error}') from error
        if device.name in seen:
            raise Invalid(f'invalid spec, multiple device "{device.name}"')
        seen.add(device.name)
    if not seen:
        raise Invalid("invalid spec, no devices")


def _check_device(device: Device) -> None:
    names.check_device(device.name)
    if device.container_edits.empty:
        raise Invalid("invalid device, empty device edits")
    _check_edits(device.container_edits)


def _check_edits(edits: Edits) -> None:
    try:
        _check_env(edits.env)
    except Invalid as error:
        raise Invalid(f"invalid container edits: {error}") from error
    for node in edits.device_nodes:
        _check_node(node)
    for hook in edits.hooks:
        _check_hook(hook)
    for mount in edits.mounts:
        _check_mount(mount)
    if edits.intel_rdt is not None:
        _check_rdt(edits.intel_rdt)
    _check_net_devices(edits.net_devices)


def _check_env(env: Iterable[str]) -> None:
    for variable in env:
        if variable.find("=") <= 0:
            raise Invalid(f'invalid environment variable "{variable}"')


def _check_node(node: DeviceNode) -> None:
    if not node.path:
        raise Invalid("invalid (empty) device path")
    if node.type not in TYPES:
        raise Invalid(f'device "{node.path}": invalid type "{node.type}"')
    if node.major < 0 or node.minor < 0:
        raise Invalid(f'device "{node.path}": invalid (negative) device number {node.major}:{node.minor}')
    if set(node.permissions) - set("rwm"):
        raise Invalid(f'device "{node.path}": invalid permissions "{node.permissions}"')


def _check_hook(hook: Hook) -> None:
    if hook.hook_name not in HOOKS:
        raise Invalid(f'invalid hook name "{hook.hook_name}"')
    if not hook.path:
        raise Invalid(f'invalid hook "{hook.hook_name}" with empty path')
    try:
        _check_env(hook.env)
    except Invalid as error:
        raise Invalid(f'invalid hook "{hook.hook_name}": {error}') from error


def _check_mount(mount: Mount) -> None:
    if not mount.host_path:
        raise Invalid("invalid mount, empty host path")
    if not mount.container_path:
        raise Invalid("invalid mount, empty container path")


def _check_rdt(share: IntelRdt) -> None:
    """Its name is a file's name, or ``/`` for the root's."""
    name = share.clos_id
    if name != "/" and (
        len(name.encode(errors="replace")) >= _LONGEST_CLOS_ID or name in (".", "..") or set(name) & {"/", "\n"}
    ):
        raise Invalid("invalid ClosID")


def _check_net_devices(devices: Iterable[LinuxNetDevice]) -> None:
    by_host: dict[str, str] = {}
    by_name: dict[str, str] = {}
    for device in devices:
        host, name = device.host_interface_name, device.name
        if not host or not name:
            raise Invalid(f"invalid linux net device, empty {'Name' if host else 'HostInterfaceName'}")
        if host in by_host:
            raise Invalid(
                f'invalid linux net device, duplicate HostInterfaceName "{host}" with names "{name}" '
                f'and "{by_host[host]}"'
            )
        if name in by_name:
            raise Invalid(
                f'invalid linux net device, duplicate Name "{name}" with HostInterfaceName "{host}" '
                f'and "{by_name[name]}"'
            )
        by_host[host], by_name[name] = name, host
