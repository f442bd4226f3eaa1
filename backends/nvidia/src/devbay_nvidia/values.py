"""The seam to the driver: what is asked of it, as a protocol, and the frozen values that it answers with.

No word of NVML's C interface passes this line: `devbay_nvidia.nvml` answers from the driver's library,
`devbay_nvidia.fake` from a document, and everything else knows neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class Code(IntEnum):
    """The library's error numbers that mean something to us (nvml.h, ``nvmlReturn_t``)."""

    UNINITIALIZED = 1
    INVALID_ARGUMENT = 2
    NOT_SUPPORTED = 3
    NO_PERMISSION = 4
    NOT_FOUND = 6
    DRIVER_NOT_LOADED = 9
    TIMEOUT = 10
    LIBRARY_NOT_FOUND = 12
    FUNCTION_NOT_FOUND = 13
    GPU_IS_LOST = 15
    RESET_REQUIRED = 16
    LIB_RM_VERSION_MISMATCH = 18
    GPU_NOT_FOUND = 28
    UNKNOWN = 999


class NvmlError(Exception):
    """The library refused a call.

    Attributes:
        code: its number; any integer, since drivers invent new ones.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The driver.

    Attributes:
        driver_version: as in ``550.54.15``.
        cuda_version: the newest CUDA that it can run, as in ``12.4``; empty where it does not say.
    """

    driver_version: str
    cuda_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mig:
    """A MIG device.

    Attributes:
        uuid: ``MIG-<uuid>``, or ``MIG-GPU-<uuid>/<gi>/<ci>`` of older drivers.
        number: its number on its GPU.
        gi: the GPU instance.
        ci: the compute instance in it.
        profile: ``1g.5gb``, ``1c.2g.10gb``, ``1g.10gb+me``.
        memory: bytes.
    """

    uuid: str
    number: int
    gi: int
    ci: int
    profile: str
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU that answers.

    Attributes:
        index: its number among all, which changes when a card is pulled.
        uuid: ``GPU-<uuid>``.
        product: ``NVIDIA A100-SXM4-40GB``.
        pci_address: ``0000:3b:00.0``.
        minor: the number in its device node's name.
        memory: bytes; 0 where the driver does not say.
        compute_capability: ``8.0``.
        mig_enabled: whether it is divided, or could be now.
        mig: what it is divided into.
    """

    index: int
    uuid: str
    product: str
    pci_address: str
    minor: int
    memory: int = 0
    compute_capability: str = ""
    mig_enabled: bool = False
    mig: tuple[Mig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a GPU is, as far as the driver says: None is "does not say", which is no news.

    Attributes:
        ecc_uncorrected: errors that ECC could not correct, since the last reset.
        remap_failed: a memory row is bad and no spare one is left.
        remap_pending: a row is bad, and a spare one takes its place at the next reset.
        retirement_pending: as `remap_pending`, of GPUs that retire pages.
        recovery: what the driver wants done: 0 is nothing (nvml.h, ``nvmlDeviceGpuRecoveryAction_t``).
        temperature: °C.
        slowdown: the temperature at which it slows down.
        links_down: NVLinks that were meant to be up and are not.
        fabric: why it cannot take part in the NVLink fabric; empty where it does.
    """

    ecc_uncorrected: int | None = None
    remap_failed: bool | None = None
    remap_pending: bool | None = None
    retirement_pending: bool | None = None
    recovery: int | None = None
    temperature: int | None = None
    slowdown: int | None = None
    links_down: tuple[int, ...] = ()
    fabric: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the driver tells by itself.

    Attributes:
        uuid: the GPU; empty where the event does not say.
        xid: the number of the error; None where it is of another kind.
        gi: the GPU instance concerned; None for the whole GPU.
        ci: the compute instance concerned; None for all of them.
    """

    uuid: str
    xid: int | None
    gi: int | None = None
    ci: int | None = None


class Level(IntEnum):
    """What two GPUs have in common on PCIe (nvml.h, ``nvmlGpuTopologyLevel_t``)."""

    INTERNAL = 0
    SINGLE = 10
    MULTIPLE = 20
    HOSTBRIDGE = 30
    NODE = 40
    SYSTEM = 50


SWITCH = "switch"
"""What a link leads to that ends at an NVSwitch, behind which all others with such links are."""


class Events(Protocol):
    """What the driver tells by itself, from the moment this was made."""

    def wait(self, seconds: float) -> Event | None:
        """Return the next event; None if none came. Raises NvmlError."""

    def close(self) -> None:
        """Let go of it."""


class Nvml(Protocol):
    """What is asked of the driver. Every method raises NvmlError where the driver refuses."""

    def open(self) -> None:
        """Load and initialise the library."""

    def close(self) -> None:
        """End it, so that another version of it can be opened."""

    def system(self) -> System:
        """Return the driver's versions."""

    def count(self) -> int:
        """Return how many GPUs there are, those that do not answer included."""

    def gpu(self, index: int) -> Gpu:
        """Return a GPU with its MIG devices."""

    def condition(self, uuid: str, *, links: bool) -> Condition:
        """Return how a GPU is; its links too if wanted, which takes longest. NvmlError: it does not answer."""

    def links(self, uuid: str) -> tuple[str, ...]:
        """Return where each active NVLink leads: a PCI address, or `SWITCH`."""

    def ancestor(self, a: str, b: str) -> int:
        """Return the `Level` at which two GPUs meet on PCIe."""

    def events(self, uuids: Sequence[str]) -> Events:
        """Listen to the critical events of these GPUs."""
