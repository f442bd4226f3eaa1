"""The section ``fpga`` of the configuration: its type, each key with its default, bounds and meaning.

Pure. Paths are the node's own. The README's table holds the same sentences, and a test compares the two.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from devbay.api import BackendSettings
from devbay_fpga.customising import Expression, parse
from devbay_fpga.matching import Select, check

Source: TypeAlias = Literal[
    "identity",
    "reset",
    "nodes",
    "manager",
    "fatal-errors",
    "nonfatal-errors",
    "temperature",
    "power",
    "power-state",
    "port",
    "firewall",
    "ready",
    "offline",
]
"""What can tell that a device is unwell."""

Mode: TypeAlias = Literal["af", "region", "regiondevel"]
Stacks: TypeAlias = Literal["xrt", "dfl", "opae", "ama", "zocl", "manager"]

_ABSOLUTE = r"^/"
_RESOURCE = r"^[^/\s]+/[^/\s]+$"


class NameRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices that are offered under a name of their own."""

    select: Select
    resource: Annotated[str, Meta(pattern=_RESOURCE)]

    def __post_init__(self) -> None:
        """Refuse a selector that can mean nothing."""
        check(self.select)


class BoardRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Boards that are treated in a way of their own; what is None is as for all."""

    select: Select
    mode: Mode | None = None
    management: bool | None = None
    group_by: Literal["u30", "serial", "none"] | None = None

    def __post_init__(self) -> None:
        """Refuse a selector that can mean nothing."""
        check(self.select)


class ManagerRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """FPGAs of the kernel's fpga_manager or fpga_region class, which have no device nodes of their own."""

    resource: Annotated[str, Meta(pattern=_RESOURCE)]
    nodes: Annotated[tuple[Annotated[str, Meta(pattern=r"^/dev/.")], ...], Meta(min_length=1)]
    per: Literal["manager", "region"] = "manager"
    select: Select = {}


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bitstream that a resource's regions are programmed with before a container starts."""

    resource: Annotated[str, Meta(pattern=_RESOURCE)]
    bitstream: Annotated[str, Meta(pattern=_ABSOLUTE)]


class Settings(BackendSettings, frozen=True, kw_only=True):
    """What is looked for, what it is called, what makes it unwell, what a container gets, what is programmed."""

    # What is looked for.

    stacks: Annotated[
        tuple[Stacks, ...],
        Meta(description="The driver families that are looked for; each is quick to find absent."),
    ] = ("xrt", "dfl", "opae", "ama", "zocl", "manager")
    mode: Annotated[
        Mode,
        Meta(
            description="How DFL and OPAE boards are offered: `af`, each port by the function programmed into it; "
            "`region`, each board with all its ports; `regiondevel`, the same with the node that programs it."
        ),
    ] = "af"
    group_by: Annotated[
        Literal["u30", "serial", "none"],
        Meta(
            description="Which XRT cards go together as one device: `serial`, all of one serial number; `u30`, those "
            "of Alveo U30 cards; `none`. The lowest PCI address names the device."
        ),
    ] = "u30"
    boards: Annotated[
        tuple[BoardRule, ...],
        Meta(description="Rules for boards: `select`, and any of `mode`, `management`, `group_by`. The first counts."),
    ] = ()
    managers: Annotated[
        tuple[ManagerRule, ...],
        Meta(
            description="Rules for FPGAs that the kernel manages and gives no node: `resource`, `nodes` (paths in "
            "`/dev`, with `*`), `per` (`manager` or `region`), `select`. Without a rule there are none."
        ),
    ] = ()

    # What it is called.

    naming: Annotated[
        Literal["compat", "plain"],
        Meta(description="`compat`: the names of AMD's and Intel's device plugins; `plain`: short ones."),
    ] = "compat"
    names: Annotated[
        tuple[NameRule, ...],
        Meta(description="Rules for names of your own: `select` and `resource`. The first that fits counts."),
    ] = ()
    u30_names: Annotated[
        Literal["common", "exact"], Meta(description="Whether U30 cards are `ama_u30`, or bear their shell's name.")
    ] = "common"
    customize: Annotated[
        dict[str, str],
        Meta(
            description="AMD's `NameCustomize.json` as it is: `<deviceType>-<shellVer>-<timestamp or uuid>`, each part "
            "possibly `*`, to field names and quoted words joined by `+`. The first that fits counts."
        ),
    ] = {}  # noqa: RUF012 - msgspec copies an empty default for each section
    zocl_resource: Annotated[
        str, Meta(pattern=_RESOURCE, description="What embedded boards with the driver zocl are offered as.")
    ] = "amd.com/zocl"

    # What makes it unwell.

    health: Annotated[
        tuple[Source, ...],
        Meta(
            description="What counts. `nonfatal-errors` is left out: those registers keep their bits until somebody "
            "clears them."
        ),
    ] = (
        "identity",
        "reset",
        "nodes",
        "manager",
        "fatal-errors",
        "temperature",
        "power",
        "power-state",
        "port",
        "firewall",
        "ready",
        "offline",
    )

    # What a container gets.

    management: Annotated[
        bool,
        Meta(
            description="Whether a container gets the node of an XRT card's management function, with which it can "
            "reset the card and disturb the node."
        ),
    ] = False
    opencl_file: Annotated[
        str,
        Meta(
            pattern=r"^(/.*)?$",
            description="The node's OpenCL vendor file, such as `/etc/OpenCL/vendors/xilinx.icd`, mounted read-only "
            "with XRT devices. Empty: none.",
        ),
    ] = ""
    libraries: Annotated[
        tuple[Annotated[str, Meta(pattern=_ABSOLUTE)], ...],
        Meta(description="Directories such as `/opt/xilinx/xrt`, mounted read-only with XRT devices."),
    ] = ()
    hook: Annotated[
        str,
        Meta(
            pattern=r"^(/.*)?$",
            description="The program that a runtime calls for a container with a device in mode `region`, as Intel's "
            "`/opt/intel/fpga-sw/intel-fpga-crihook`; needs delivery through CDI. Empty: none.",
        ),
    ] = ""

    # What is programmed.

    programs: Annotated[
        tuple[Program, ...],
        Meta(description="`resource` and `bitstream` (a GBS or AOCX file): programmed before a container starts."),
    ] = ()
    program_timeout: Annotated[
        float, Meta(gt=0, le=600, description="Seconds that programming all ports of one container may take.")
    ] = 20

    def __post_init__(self) -> None:
        """Refuse a key or an expression of `customize` that AMD's plugin would take for something else."""
        for key, text in self.customize.items():
            parse(key, text)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What `customize` says, in its order."""
        return tuple(parse(key, text) for key, text in self.customize.items())
