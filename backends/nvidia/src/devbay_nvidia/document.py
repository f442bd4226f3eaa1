"""What describes a driver and its GPUs: the form of the files that `devbay_nvidia.fake` answers from.

Values only. Names are those of `devbay_nvidia.values`, and what is left out is as on a machine where all is well.
"""

from typing import Annotated

import msgspec
from msgspec import Meta


class MigDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A MIG device."""

    uuid: str
    gi: int
    ci: int = 0
    gi_slices: Annotated[int, Meta(ge=1)]
    ci_slices: Annotated[int, Meta(ge=1)] | None = None
    """As many as the GPU instance has, if left out."""
    memory_mib: Annotated[int, Meta(ge=1)]
    product: str = ""
    """Its own product name, whose end tells attributes of the profile."""


class ConditionDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`devbay_nvidia.values.Condition`, field by field."""

    ecc_uncorrected: int | None = None
    remap_failed: bool | None = None
    remap_pending: bool | None = None
    retirement_pending: bool | None = None
    recovery: int | None = None
    temperature: int | None = None
    slowdown: int | None = None
    links_down: tuple[int, ...] = ()
    fabric: str = ""


class GpuDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A GPU."""

    uuid: str
    product: str
    pci_address: str
    minor: int
    memory: int = 0
    compute_capability: str = ""
    pcie: tuple[str, ...] = ()
    """What is between the processor and it, the socket first: how much two GPUs share of it is how close they are."""
    links: dict[str, int] = {}
    """NVLinks that are up, by the PCI address of the GPU that they lead to, or ``switch``."""
    mig_enabled: bool = False
    mig: tuple[MigDocument, ...] = ()
    condition: ConditionDocument = ConditionDocument()
    error: str = ""
    """The name of an error (`devbay_nvidia.values.Code`) that every question about it is answered with."""


class XidDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event: one that is added to the document happens."""

    gpu: str
    xid: int
    gi: int | None = None
    ci: int | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver and its GPUs."""

    about: str = ""
    """Where the numbers are from."""
    driver_version: str = "550.54.15"
    cuda_version: str = "12.4"
    error: str = ""
    """The name of an error that every question is answered with, such as ``DRIVER_NOT_LOADED``."""
    gpus: tuple[GpuDocument, ...] = ()
    xids: tuple[XidDocument, ...] = ()
