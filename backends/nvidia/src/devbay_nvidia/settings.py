"""The section ``nvidia`` of the configuration: its type, each key with its default, bounds and meaning.

Pure. Keys that NVIDIA's plugin has too bear its names, in snake case, and mean the same. Paths are the node's own,
unless a key says otherwise. The README's table holds the same sentences, and a test compares the two.
"""

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, field

from devbay.api import BackendSettings
from devbay_nvidia.health import Check
from devbay_nvidia.naming import Naming
from devbay_nvidia.xids import Meaning

Strategy: TypeAlias = Literal["envvar", "volume-mounts", "cdi-annotations", "cdi-cri"]

_ROOT = r"^/"
_OPTIONAL_ROOT = r"^(/.*)?$"


class Settings(BackendSettings, frozen=True, kw_only=True):
    """What is offered, what a container gets, when a GPU is healthy, and where the driver is."""

    # What is offered.

    mig_strategy: Annotated[
        Literal["none", "single", "mixed"],
        Meta(
            description="How MIG devices are offered: not at all, as `nvidia.com/gpu` (`single`), or as "
            "`nvidia.com/mig-<profile>` (`mixed`)."
        ),
    ] = "none"
    resources: Annotated[
        Naming,
        Meta(
            description="Names of your own: lists `gpus` and `mig` of `{name, pattern, select}`, the first match "
            "counting; `pattern` is of the product, or of the profile, and `select` of attributes."
        ),
    ] = Naming()

    # What a container gets.

    device_list_strategy: Annotated[
        tuple[Strategy, ...] | str,
        Meta(
            description="How a container learns its devices: `envvar`, `volume-mounts`, or a `cdi-` form, with which "
            "it gets all that it needs from devbay, without NVIDIA's container runtime."
        ),
    ] = ("envvar",)
    device_id_strategy: Annotated[
        Literal["uuid", "index"], Meta(description="What a container is told of its devices: UUIDs or indices.")
    ] = "uuid"
    pass_device_specs: Annotated[
        bool, Meta(description="Whether the answer to the kubelet has the device nodes too, as the CPU manager needs.")
    ] = False
    gdrcopy_enabled: Annotated[bool, Meta(description="Whether containers get GDRCopy.")] = False
    gds_enabled: Annotated[bool, Meta(description="Whether containers get GPUDirect Storage.")] = False
    mofed_enabled: Annotated[bool, Meta(description="Whether containers get the Mellanox devices.")] = False
    imex_channel_ids: Annotated[
        tuple[Literal[0], ...], Meta(max_length=1, description="IMEX channels that containers get: `[]` or `[0]`.")
    ] = ()
    imex_required: Annotated[
        bool,
        Meta(description="Whether a node without the IMEX channels gives containers no GPU, rather than no channel."),
    ] = False
    cdi: Annotated[
        Literal["host", "toolkit", "auto"],
        Meta(
            description="Whose specifications a `cdi-` strategy uses: devbay's (`host`), those that NVIDIA's toolkit "
            "wrote, as names in an annotation (`toolkit`), or the latter where they have the device (`auto`)."
        ),
    ] = "host"
    cdi_spec_dirs: Annotated[
        tuple[str, ...], Meta(description="Where this process finds the specifications of NVIDIA's toolkit.")
    ] = ("/etc/cdi", "/var/run/cdi")
    cdi_annotation_prefix: Annotated[
        str, Meta(pattern=r"^[a-z0-9.-]+/$", description="What such an annotation's key begins with.")
    ] = "cdi.k8s.io/"
    nvidia_cdi_hook_path: Annotated[
        str,
        Meta(
            pattern=_OPTIONAL_ROOT,
            description="NVIDIA's CDI hook on the node, which updates a container's linker cache, used with a `cdi-` "
            "strategy if it is there. Empty: none.",
        ),
    ] = "/usr/bin/nvidia-cdi-hook"

    # When a GPU is healthy.

    checks: Annotated[
        tuple[Check, ...],
        Meta(
            description="What is looked at: a row `remap` that failed, uncorrectable `ecc` errors, the `recovery` that "
            "the driver wants, the `temperature`, the NVLink `fabric`, `links` that went down, and `pending` "
            "replacements of bad memory."
        ),
    ] = ("remap", "ecc", "recovery", "temperature", "fabric")
    xids: Annotated[
        dict[int | str, Meaning],
        Meta(
            description="What an XID means, where it differs from NVIDIA's list: `ignore`, `device` (the GPU rests), "
            "`reset` (until it was reset), `node` (all GPUs)."
        ),
    ] = field(default_factory=dict)
    recovery_seconds: Annotated[
        float, Meta(ge=0, description="After how many quiet seconds an XID that needs no reset is over.")
    ] = 60

    # Where the driver is.

    driver_root: Annotated[str, Meta(pattern=_ROOT, description="The driver's installation on the node.")] = "/"
    driver_root_ctr_path: Annotated[
        str,
        Meta(pattern=_OPTIONAL_ROOT, description="Where this process finds `driver_root`. Empty: at the same path."),
    ] = ""
    dev_root: Annotated[
        str,
        Meta(pattern=_OPTIONAL_ROOT, description="What stands before `/dev` on the node. Empty: `driver_root`."),
    ] = ""
    nvml: Annotated[
        str,
        Meta(
            pattern=r"^(driver|fake:.+)$",
            description="`driver`, or `fake:` and the name or path of a described driver, for a machine without a GPU.",
        ),
    ] = "driver"

    def __post_init__(self) -> None:
        """Refuse what the types cannot."""
        for strategy in self.strategies:
            if strategy not in get_args(Strategy):
                raise ValueError(
                    f"device_list_strategy: {strategy!r} is none of {', '.join(get_args(Strategy))}; several are a list"
                )
        for xid in self.xids:
            if not str(xid).isdecimal():
                raise ValueError(f"xids: {xid!r} is no XID, which is a number")

    @property
    def meanings(self) -> dict[int, Meaning]:
        """What single XIDs mean; a variable has their numbers as text."""
        return {int(xid): meaning for xid, meaning in self.xids.items()}

    @property
    def strategies(self) -> tuple[str, ...]:
        """The device list strategies, each once, in a list."""
        given = self.device_list_strategy
        return tuple(dict.fromkeys(given.split(",") if isinstance(given, str) else given))

    @property
    def complete(self) -> bool:
        """Whether a container gets all from us, rather than from NVIDIA's container runtime."""
        return any(strategy.startswith("cdi-") for strategy in self.strategies)

    @property
    def flags(self) -> tuple[str, ...]:
        """What containers get beside GPUs, in the order of NVIDIA's plugin."""
        wanted = {"gdrcopy": self.gdrcopy_enabled, "gds": self.gds_enabled, "mofed": self.mofed_enabled}
        return tuple(name for name, is_wanted in wanted.items() if is_wanted)

    @property
    def device_prefix(self) -> str:
        """What stands before a device node's path on the node."""
        return (self.dev_root or self.driver_root).rstrip("/")
