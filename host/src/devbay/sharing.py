"""Replicas: the shares of a device that are advertised, their ids, and which devices have how many.

Pure. A device that is not shared is advertised once, under its own id; a share is advertised as ``<device-id>::<n>``,
counted from 0. A device id never contains ``::``, so an id says which of the two it is. `Sharing` is what a person
configured for one resource; what of it is offered under which name is decided in `devbay.offers`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devbay.model import Device
from devbay.selector import EVERYTHING, Selector, unknown_names

SEPARATOR = "::"
MOST_REPLICAS = 4096
"""More than that of one device is a mistake: the kubelet reads a list of 4 MiB at most."""

SHARED_SUFFIX = ".shared"
"""What a resource's name is given for its shared devices where no other name was chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How many replicas some devices have.

    Attributes:
        selectors: which devices: those that any of them matches.
        replicas: how many; 1 keeps a device whole.
        count: how many of the devices at most, the first by index and id; None means all of them.
        rename: the resource that the replicas are offered as; True means the resource's name with `SHARED_SUFFIX`,
            False its name as it is.
    """

    selectors: tuple[Selector, ...] = (EVERYTHING,)
    replicas: int
    count: int | None = None
    rename: str | bool = False

    def resource(self, source: str) -> str:
        """Return the resource that the shares of a backend's resource are offered as."""
        if isinstance(self.rename, str):
            return self.rename
        return f"{source}{SHARED_SUFFIX}" if self.rename else source


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How the devices of one resource are shared. A device is shared by the first rule that means it, or not at all.

    Attributes:
        rules: in the order they are tried.
        one_per_request: whether a container may have one share only.
    """

    rules: tuple[Rule, ...] = ()
    one_per_request: bool = False

    def shared(self, devices: Iterable[Device]) -> dict[str, Rule]:
        """Return by which rule each device is shared, by its id; those that stay whole are not in it."""
        decided: dict[str, Rule] = {}
        for rule in self.rules:
            left = [device for device in _in_order(devices) if device.id not in decided]
            meant = [device for device in left if any(selector.matches(device) for selector in rule.selectors)]
            decided |= {device.id: rule for device in meant[: rule.count]}
        return {device_id: rule for device_id, rule in decided.items() if rule.replicas > 1}

    def shortfalls(self, devices: Sequence[Device]) -> tuple[str, ...]:
        """Return, for people, what was asked for and is not among `devices`."""
        selectors = [selector for rule in self.rules for selector in rule.selectors]
        said = [f"no device has {name!r} to select by" for name in unknown_names(selectors, devices)]
        said += [f"no device with {s.text}" for s in selectors if not any(s.matches(device) for device in devices)]
        counts = [rule.count for rule in self.rules if rule.count is not None and rule.count > len(devices)]
        return (*said, *(f"{count} devices are to be shared, and {len(devices)} are here" for count in counts))


UNSHARED = Sharing()


def replica_ids(device_id: str, replicas: int | None = None) -> tuple[str, ...]:
    """Return the ids that a device is advertised under: its own, or those of its shares.

    >>> replica_ids("gpu-0")
    ('gpu-0',)
    >>> replica_ids("gpu-0", 2)
    ('gpu-0::0', 'gpu-0::1')
    """
    if replicas is None:
        return (device_id,)
    return tuple(f"{device_id}{SEPARATOR}{n}" for n in range(replicas))


def device_id(replica_id: str) -> str:
    """Return the id of the device that an advertised id is a share of.

    >>> device_id("gpu-0::1"), device_id("gpu-0")
    ('gpu-0', 'gpu-0')
    """
    device, separator, number = replica_id.rpartition(SEPARATOR)  # the last: an id may end in ":"
    return device if separator else number


def device_ids(replica_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the devices behind some advertised ids, each once, in the order of their first share.

    >>> device_ids(["b::1", "a::0", "b::0"])
    ('b', 'a')
    """
    return tuple(dict.fromkeys(device_id(replica) for replica in replica_ids))


def is_share(advertised_id: str) -> bool:
    """Whether an advertised id is one share of a device, and not the whole of it.

    >>> is_share("gpu-0::1"), is_share("gpu-0")
    (True, False)
    """
    return SEPARATOR in advertised_id


def _in_order(devices: Iterable[Device]) -> list[Device]:
    """Sort as people count: by index where devices have one, then by id."""

    def place(device: Device) -> tuple[bool, int, str]:
        index = device.attributes.get("index")
        return (True, 0, device.id) if not isinstance(index, int) else (False, index, device.id)

    return sorted(devices, key=place)
