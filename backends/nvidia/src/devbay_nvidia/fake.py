"""A driver that a document describes: for a laptop without a GPU, for demonstrations and for tests.

The file is read anew whenever it changes, so that editing it is what happens to the hardware: a GPU that is lost, MIG
devices that come, a driver that goes. Entries that are added to ``xids`` are events. Times are not simulated.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from devbay_nvidia.document import Document, GpuDocument, XidDocument
from devbay_nvidia.profile import profile
from devbay_nvidia.values import Code, Condition, Event, Events, Gpu, Level, Mig, NvmlError, System

CAPTURES = Path(__file__).parent / "captures"
_TURN = 0.02  # seconds between looks at the file
_MIB = 1024**2


def find(name: str) -> Path:
    """Return the file of a document: one that comes along, by its name, or a path."""
    if "/" in name:
        return Path(name)
    path = CAPTURES / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in CAPTURES.glob("*.json")))
        raise NvmlError(Code.UNKNOWN, f"there is no fake driver {name!r}; known: {known}, or a path")
    return path


class Fake:
    """A driver described by a file; an `Nvml`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: tuple[int, int] | None = None
        self._read = Document(error=Code.UNINITIALIZED.name)
        self._opened = False
        self._told = 0

    def open(self) -> None:
        """Begin to answer, if the document does not refuse it."""
        self._opened = True
        try:
            self._told = len(self.document().xids)
        except NvmlError:
            self._opened = False
            raise

    def close(self) -> None:
        """Answer no more."""
        self._opened = False

    def document(self) -> Document:
        """Return what the file says now. Raises NvmlError."""
        if not self._opened:
            raise NvmlError(Code.UNINITIALIZED, "the fake driver is not open")
        path = find(self._name)
        try:
            status = path.stat()
            if self._seen != (status.st_mtime_ns, status.st_ino):
                self._read = msgspec.json.decode(path.read_bytes(), type=Document)
                self._seen = (status.st_mtime_ns, status.st_ino)
        except FileNotFoundError:
            raise NvmlError(Code.LIBRARY_NOT_FOUND, f"the fake driver {path} does not exist") from None
        except (OSError, msgspec.MsgspecError) as error:
            raise NvmlError(Code.UNKNOWN, f"the fake driver {path} cannot be read: {error}") from None
        _refuse(self._read.error)
        return self._read

    def system(self) -> System:
        """Return the driver's versions."""
        document = self.document()
        return System(driver_version=document.driver_version, cuda_version=document.cuda_version)

    def count(self) -> int:
        """Return how many GPUs there are."""
        return len(self.document().gpus)

    def gpu(self, index: int) -> Gpu:
        """Return a GPU with its MIG devices."""
        gpus = self.document().gpus
        if index >= len(gpus):
            _refuse(Code.INVALID_ARGUMENT.name)
        gpu = gpus[index]
        _refuse(gpu.error)
        return Gpu(
            index=index,
            uuid=gpu.uuid,
            product=gpu.product,
            pci_address=gpu.pci_address,
            minor=gpu.minor,
            memory=gpu.memory,
            compute_capability=gpu.compute_capability,
            mig_enabled=gpu.mig_enabled,
            mig=tuple(_mig(gpu, number) for number in range(len(gpu.mig))) if gpu.mig_enabled else (),
        )

    def condition(self, uuid: str, *, links: bool) -> Condition:
        """Return how a GPU is; its links too if wanted."""
        said = self._find(uuid).condition
        condition = Condition(**{name: getattr(said, name) for name in said.__struct_fields__})
        return condition if links else replace(condition, links_down=())

    def links(self, uuid: str) -> tuple[str, ...]:
        """Return where each active NVLink leads."""
        return tuple(remote for remote, number in self._find(uuid).links.items() for _ in range(number))

    def ancestor(self, a: str, b: str) -> int:
        """Return at which level two GPUs meet on PCIe."""
        one, other = self._find(a).pcie, self._find(b).pcie
        shared = next(
            (n for n, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other))
        )
        if shared and shared == len(one) == len(other):
            return Level.SINGLE
        return (Level.SYSTEM, Level.NODE, Level.HOSTBRIDGE, Level.MULTIPLE)[min(shared, 3)]

    def events(self, uuids: Sequence[str]) -> Events:
        """Listen to the events that are added after it was opened, and were not told yet."""
        self.document()
        return _Added(self.untold, uuids)

    def untold(self) -> XidDocument | None:
        """Return the next event that was not told yet, which now is; None if there is none."""
        xids = self.document().xids
        self._told = min(self._told, len(xids))
        if self._told == len(xids):
            return None
        self._told += 1
        return xids[self._told - 1]

    def _find(self, uuid: str) -> GpuDocument:
        for gpu in self.document().gpus:
            if gpu.uuid == uuid:
                _refuse(gpu.error)
                return gpu
        raise NvmlError(Code.NOT_FOUND, "Not Found")


class _Added:
    """The events that are added to a document."""

    def __init__(self, untold: Callable[[], XidDocument | None], uuids: Sequence[str]) -> None:
        self._untold = untold
        self._uuids = uuids

    def wait(self, seconds: float) -> Event | None:
        until = time.monotonic() + seconds
        while True:
            while (event := self._untold()) is not None:
                if event.gpu in self._uuids:
                    return Event(uuid=event.gpu, xid=event.xid, gi=event.gi, ci=event.ci)
            if time.monotonic() >= until:
                return None
            time.sleep(_TURN)

    def close(self) -> None:
        self._untold = lambda: None


def _mig(gpu: GpuDocument, number: int) -> Mig:
    said = gpu.mig[number]
    memory = said.memory_mib * _MIB
    return Mig(
        uuid=said.uuid,
        number=number,
        gi=said.gi,
        ci=said.ci,
        memory=memory,
        profile=profile(
            gi_slices=said.gi_slices,
            ci_slices=said.ci_slices or said.gi_slices,
            memory=memory,
            total=gpu.memory,
            product=said.product,
        ),
    )


def _refuse(name: str) -> None:
    """Raise the error of this name; none, where it is empty."""
    if not name:
        return
    try:
        code = Code[name]
    except KeyError:
        raise NvmlError(Code.UNKNOWN, name) from None
    raise NvmlError(code, _TEXTS.get(code, name.replace("_", " ").capitalize()))


_TEXTS = {
    Code.GPU_IS_LOST: "GPU is lost",
    Code.DRIVER_NOT_LOADED: "Driver Not Loaded",
    Code.LIBRARY_NOT_FOUND: "NVML Shared Library Not Found",
    Code.LIB_RM_VERSION_MISMATCH: "RM has detected an NVML/RM version mismatch.",
}
"""As the library words them."""
