"""From what the driver says to the devices that are offered: whole GPUs, and MIG devices by strategy.

A GPU that the driver cannot tell about any more is offered as it was when it could, with the reason as its health; one
that never answered, by what the kernel module knows of it. Boards that only drive a display are left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from devbay.api import Attribute, Device, Node
from devbay_nvidia import kernel, naming
from devbay_nvidia.connection import Reading
from devbay_nvidia.settings import Settings
from devbay_nvidia.values import Gpu, Mig, System

_DISPLAYS = ("DGX Display", "NVIDIA DGX Display")
_NO_MINOR = -1  # of a GPU whose device node nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is offered.

    Attributes:
        devices: all of them.
        trouble: why a device of these must not be given to anyone, by its id.
        by_index: the devices of each GPU, by its index: what is offered of it once it is lost.
    """

    devices: tuple[Device, ...] = ()
    trouble: Mapping[str, str] = field(default_factory=dict)
    by_index: Mapping[int, tuple[Device, ...]] = field(default_factory=dict)


def find(reading: Reading, node: Node, settings: Settings, before: Found) -> Found:
    """Return what is offered, given what was offered before."""
    look = _Look(node, settings, reading.system)
    by_index = {gpu.index: tuple(look.devices(gpu)) for gpu in reading.gpus if gpu.product not in _DISPLAYS}
    trouble = dict(_single_trouble(reading.gpus, by_index) if settings.mig_strategy == "single" else ())
    for index, device, reason in _broken(reading, look, by_index, before):
        by_index[index] = (*by_index.get(index, ()), device)
        trouble[device.id] = reason
    return Found(
        devices=tuple(device for index in sorted(by_index) for device in by_index[index]),
        trouble=trouble,
        by_index=by_index,
    )


class _Look:
    """One look, with what is read once for all GPUs."""

    def __init__(self, node: Node, settings: Settings, system: System) -> None:
        self.node = node
        self.settings = settings
        self.system = system
        self._minors: kernel.Minors | None = None

    def devices(self, gpu: Gpu) -> Iterator[Device]:
        """Yield what is offered of a GPU."""
        if gpu.mig_enabled and self.settings.mig_strategy != "none":
            yield from (self._mig(gpu, mig) for mig in gpu.mig)
        else:
            yield self.whole(gpu)

    def whole(self, gpu: Gpu) -> Device:
        """Return a whole GPU."""
        attributes = self._facts(gpu) | {"index": gpu.index, "uuid": gpu.uuid, "memory": gpu.memory}
        return Device(
            id=gpu.uuid,
            resource=naming.of_gpu(self.settings.resources.gpus, gpu.product, attributes),
            numa_nodes=kernel.numa_nodes(self.node, gpu.pci_address),
            paths=() if gpu.minor == _NO_MINOR else (f"/dev/nvidia{gpu.minor}",),
            attributes=attributes,
        )

    def _mig(self, gpu: Gpu, mig: Mig) -> Device:
        attributes = self._facts(gpu) | {
            "index": f"{gpu.index}:{mig.number}",
            "uuid": mig.uuid,
            "memory": mig.memory,
            "profile": mig.profile,
            "gpu_instance": mig.gi,
            "compute_instance": mig.ci,
        }
        single = self.settings.mig_strategy == "single"
        return Device(
            id=mig.uuid,
            resource=naming.of_mig(self.settings.resources.mig, mig.profile, attributes, single=single),
            numa_nodes=kernel.numa_nodes(self.node, gpu.pci_address),
            parent=gpu.uuid,
            paths=(f"/dev/nvidia{gpu.minor}", *self._capabilities(gpu, mig)),
            attributes=attributes,
        )

    def _capabilities(self, gpu: Gpu, mig: Mig) -> Iterator[str]:
        if self._minors is None:
            self._minors = kernel.mig_minors(self.node)
        keys = ((gpu.minor, mig.gi, None), (gpu.minor, mig.gi, mig.ci))
        yield from (f"/dev/nvidia-caps/nvidia-cap{self._minors[key]}" for key in keys if key in self._minors)

    def _facts(self, gpu: Gpu) -> dict[str, Attribute]:
        facts: dict[str, Attribute] = {
            "product": gpu.product,
            "pci_address": gpu.pci_address,
            "minor": gpu.minor,
            "compute_capability": gpu.compute_capability,
            "driver_version": self.system.driver_version,
            "cuda_version": self.system.cuda_version,
        }
        return {name: value for name, value in facts.items() if value != ""}


def _single_trouble(gpus: Sequence[Gpu], by_index: Mapping[int, tuple[Device, ...]]) -> Iterator[tuple[str, str]]:
    """Yield what cannot be offered beside the rest where all devices bear one name: a pod must get what it expects."""
    profiles = Counter(mig.profile for gpu in gpus if gpu.mig_enabled for mig in gpu.mig)
    if not profiles:
        return
    (common, _), *_others = sorted(profiles.items(), key=lambda item: (-item[1], item[0]))
    for device in (device for devices in by_index.values() for device in devices):
        profile = device.attributes.get("profile")
        if profile is None:
            yield device.id, f"it is not divided, and mig_strategy single offers the {common} devices of other GPUs"
        elif profile != common:
            yield device.id, f"it is a {profile}, and mig_strategy single offers one profile, which is {common} here"


def _broken(
    reading: Reading, look: _Look, answering: Mapping[int, Sequence[Device]], before: Found
) -> Iterator[tuple[int, Device, str]]:
    """Yield the devices of GPUs that the driver cannot tell about, each with its index and the reason."""
    offered = {device.id for devices in answering.values() for device in devices}
    addresses = {gpu.pci_address for gpu in reading.gpus}
    unseen = [known for known in kernel.known_gpus(look.node) if known.pci_address not in addresses]
    for broken in reading.broken:
        remembered = [device for device in before.by_index.get(broken.index, ()) if device.id not in offered]
        known = unseen.pop(0) if unseen else None
        for device in remembered or [_unread(look, broken.index, known)]:
            yield broken.index, device, f"NVML cannot read it: {broken.reason}"


def _unread(look: _Look, index: int, known: kernel.Known | None) -> Device:
    """Return a GPU that never answered."""
    if known is None:
        return Device(id=f"GPU-unread-{index}", resource=f"{naming.VENDOR}gpu", attributes={"index": index})
    gpu = Gpu(
        index=index,
        uuid=known.uuid or f"GPU-unread-{known.pci_address}",
        product=known.product,
        pci_address=known.pci_address,
        minor=_NO_MINOR if known.minor is None else known.minor,
    )
    return look.whole(gpu)
