"""The section ``mock`` of the configuration: its type, each key with its default, bounds and meaning.

Pure. Paths are the node's own; `devbay.api.Node.locate` tells where this process finds them. The README's table holds
the same sentences, and a test compares the two.
"""

import re
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from devbay.api import BackendSettings

Variable: TypeAlias = Literal["VISIBLE_DEVICES", "DRIVER_VERSION", "ID", "PATH", "COUNT"]

_ABSOLUTE = r"^/"
_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_PLACEHOLDERS = {"{index}", "{id}"}


class Settings(BackendSettings, frozen=True, kw_only=True):
    """What is offered, where it is found, when it is healthy, what a container gets, and whether a tree is made."""

    # What is offered, and where it is found.

    resource: Annotated[str, Meta(description="The extended resource that the devices are offered as.")] = (
        "example.com/custom-accelerator"
    )
    root: Annotated[
        str, Meta(pattern=_ABSOLUTE, description="The directory that has one subdirectory per device, named by its id.")
    ] = "/sys/class/custom-accelerator"
    device_dir: Annotated[
        str, Meta(pattern=_ABSOLUTE, description="The directory of the device files; each bears its device's id.")
    ] = "/dev"
    device_prefix: Annotated[
        str, Meta(pattern=r"^[^/]*$", description="What stands before the id in a device file's name.")
    ] = ""

    # When a device is healthy.

    max_error_count: Annotated[int, Meta(ge=0, description="The highest `error_count` of a healthy device.")] = 100
    max_temperature: Annotated[
        float, Meta(ge=-273.15, description="The highest `temperature` of a healthy device, in °C.")
    ] = 85

    # What a container gets.

    device_nodes: Annotated[bool, Meta(description="Whether a container gets the device files.")] = True
    container_path: Annotated[
        str,
        Meta(
            pattern=r"^(/.*)?$",
            description="Where a container sees a device file: `{index}` is the device's place in the request, from "
            "0, `{id}` its id. Empty: where the file is on the node.",
        ),
    ] = "/dev/accelerator{index}"
    env: Annotated[
        tuple[Variable, ...],
        Meta(
            description="The environment variables that a container gets: `VISIBLE_DEVICES` and `ID` list the ids and "
            "`PATH` the device files' paths in the container, with commas, in the request's order; `COUNT` is their "
            "number; `DRIVER_VERSION` is `driver_version`. `[]`: none."
        ),
    ] = ("VISIBLE_DEVICES", "DRIVER_VERSION")
    env_prefix: Annotated[
        str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="What stands before `_` and a variable's name.")
    ] = "ACCELERATOR"
    driver_version: Annotated[str, Meta(description="The value of the variable `DRIVER_VERSION`.")] = "1.0.0"
    library_dir: Annotated[
        str, Meta(pattern=_ABSOLUTE, description="The node's directory of libraries, mounted read-only, once.")
    ] = "/usr/lib/accelerator"
    library_mount: Annotated[
        Literal["if-present", "always", "never"],
        Meta(
            description="Whether `library_dir` is mounted: where this process sees the directory, always (a runtime "
            "creates a missing one, or refuses the container), or never."
        ),
    ] = "if-present"
    annotations: Annotated[
        bool,
        Meta(
            description="Whether a container gets the annotations `device-allocated` and `allocation-time` in the "
            "resource's domain. With the time, the same request no longer gets the same answer."
        ),
    ] = False

    # A tree without hardware.

    count: Annotated[
        int, Meta(ge=0, le=10_000, description="How many devices to make; they are removed at the end. 0: none.")
    ] = 0
    prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
            max_length=48,
            description="What stands before the number in a made device's id.",
        ),
    ] = "acc"
    start: Annotated[int, Meta(ge=0, le=1_000_000, description="The number of the first made device.")] = 0
    numa_nodes: Annotated[
        int, Meta(ge=0, le=1024, description="Made device number i is on NUMA node i modulo this. 0: unknown.")
    ] = 0
    made_dir: Annotated[
        str,
        Meta(
            pattern=_ABSOLUTE,
            description="Where devices are made if `root` is on the kernel's own `/sys`, where nobody can: in "
            "`class`, and in `dev` if `device_dir` is `/dev`.",
        ),
    ] = "/run/devbay-mock"

    def __post_init__(self) -> None:
        """Refuse a `container_path` that would give two devices one place."""
        found = set(_PLACEHOLDER.findall(self.container_path))
        if unknown := found - _PLACEHOLDERS:
            raise ValueError(f"container_path has {', '.join(sorted(unknown))}; it knows {{index}} and {{id}}")
        if self.container_path and not found:
            raise ValueError("container_path needs {index} or {id}, so that two devices get two places")
