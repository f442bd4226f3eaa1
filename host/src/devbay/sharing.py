"""Replicas: the shares of a device that are advertised, and their ids.

Pure. A device that is not shared is advertised once, under its own id; a share is advertised as ``<device-id>::<n>``,
counted from 0. A device id never contains ``::``, so an id says which of the two it is. What decides how many shares a
device has is not here.
"""

from collections.abc import Iterable

SEPARATOR = "::"


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
    return replica_id.partition(SEPARATOR)[0]


def device_ids(replica_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the devices behind some advertised ids, each once, in the order of their first share.

    >>> device_ids(["b::1", "a::0", "b::0"])
    ('b', 'a')
    """
    return tuple(dict.fromkeys(device_id(replica) for replica in replica_ids))
