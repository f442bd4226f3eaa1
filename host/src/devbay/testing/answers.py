"""What an `edit` answer says of each device, so that the answer for several can be held against those for each alone.

Pure. A *trait* is one thing in an answer: a path on the node, or one word of an environment variable's list. A trait
that one device has alone, and no other, is its own: it stands for the device in the answer for all of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from devbay.model import ContainerEdits

_BETWEEN = re.compile(r"[,;\s]+")


class Trait(NamedTuple):
    """One thing in an answer: where in it, and what."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.what} in {self.place}"


def ordered(edits: ContainerEdits) -> Iterator[Trait]:
    """Yield the traits whose order means something to a container."""
    for node in edits.device_nodes:
        yield Trait("device_nodes", node.host_path or node.path)
    for name, value in edits.env.items():
        for word in filter(None, _BETWEEN.split(value)):
            yield Trait(f"env {name}", word)


def traits(edits: ContainerEdits) -> set[Trait]:
    """Return all traits of an answer."""
    mounts = {Trait("mounts", mount.host_path or mount.container_path) for mount in edits.mounts}
    return {*ordered(edits), *mounts}


def own(alone: Mapping[str, ContainerEdits]) -> dict[Trait, str]:
    """Return the traits that one device alone has, each with its device's id; `alone` has each device's own answer."""
    found = {device_id: traits(edits) for device_id, edits in alone.items()}
    return {
        trait: device_id
        for device_id, its in found.items()
        for trait in its
        if not any(trait in others for other, others in found.items() if other != device_id)
    }


def left_out(joint: ContainerEdits, alone: Mapping[str, ContainerEdits]) -> list[str]:
    """Return what the answer for all devices lacks of what each gets alone, in words."""
    there = traits(joint)
    return [f"{trait}, which {device_id} gets alone" for trait, device_id in own(alone).items() if trait not in there]


def disorder(joint: ContainerEdits, request: Sequence[str], alone: Mapping[str, ContainerEdits]) -> list[str]:
    """Return where the answer for all devices is not in the request's order, in words."""
    owners = own(alone)
    turns: dict[str, list[str]] = {}
    for trait in ordered(joint):
        if trait in owners:
            turns.setdefault(trait.place, []).append(owners[trait])
    return [
        f"{place} has the devices in the order {', '.join(found)}"
        for place, found in turns.items()
        if found != sorted(found, key=list(request).index)
    ]
