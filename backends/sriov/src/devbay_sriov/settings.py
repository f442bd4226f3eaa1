"""The section ``sriov`` of the configuration: its type, each key with its default, bounds and meaning.

Pure. Paths are the node's own; `devbay.api.Node.locate` tells where this process finds them. The README's table holds
the same sentences, and a test compares the two.
"""

from typing import Annotated, Any

from msgspec import Meta, field

from devbay.api import BackendSettings
from devbay_sriov import config
from devbay_sriov.pooling import Pools

_ABSOLUTE = r"^/"
_DOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


class Settings(BackendSettings, frozen=True, kw_only=True):
    """Which pools there are, and what is kept for others to read."""

    config_file: Annotated[
        str,
        Meta(
            pattern=_ABSOLUTE,
            description="A file with a `resourceList`, as the SR-IOV network device plugin and its operator write it; "
            "`{node}` stands for the node's name. It is read where `resourceList` is not set, and again when it "
            "changes.",
        ),
    ] = "/etc/pcidp/config.json"
    resource_prefix: Annotated[str, Meta(pattern=_DOMAIN, description="The domain of resources that name none.")] = (
        "intel.com"
    )
    resource_list: Annotated[
        list[Any] | None, Meta(description="The resources, in place of `config_file`; keys as there.")
    ] = field(default=None, name="resourceList")
    device_info_dir: Annotated[
        str,
        Meta(
            pattern=r"^(/.*)?$",
            description="Where Multus looks for what is known of a device. Used if it, or the directory two levels "
            "above, exists. Empty: nothing is written.",
        ),
    ] = "/var/run/k8s.cni.cncf.io/devinfo/dp"
    pf_link: Annotated[
        bool, Meta(description="Whether a function is unhealthy while its physical function's interface has no link.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse resources that cannot be meant, the first mistake in the words in which msgspec tells of one.

        Told so, the host shows that place alone, and asks again without it for the next.
        """
        try:
            self.pools()
        except config.RejectedError as error:
            first = error.problems[0]
            text, keys = first.text, first.keys
            if str(keys[-1]).lower() == "additionalinfo":  # may be secret, and must not be shown
                text, keys = f"{keys[-1]} beside it: {text}", (*keys[:-1], "resourceName")
            raise ValueError(f"{text} - at `$.{config.path_of(keys)}`") from None

    def pools(self) -> Pools | None:
        """Return the pools that stand here; None where a file has them."""
        if self.resource_list is None:
            return None
        return config.pools({"resourceList": self.resource_list}, self.resource_prefix)
