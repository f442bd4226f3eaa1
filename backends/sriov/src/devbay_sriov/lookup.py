"""Facts that cost a look at more of the machine, remembered for the length of one scan.

Reads below ``/sys`` and, for the profile of a NIC's parser, asks devlink. Changes nothing.
"""

from devbay_sriov import devlink, sysfs
from devbay_sriov.functions import Function


class Looks:
    """`devbay_sriov.selecting.Lookup` on a machine whose ``/sys`` is at `sys`."""

    def __init__(self, sys: str) -> None:
        self._sys = sys
        self._profiles: dict[str, str] = {}

    def pkey(self, function: Function) -> str:
        """Return the first partition key of a function's first RDMA device; empty where there is none."""
        if not function.rdma:
            return ""
        place = f"{self._sys}/bus/pci/devices/{function.address}"
        inner = f"/{function.id}" if function.kind == "auxiliary" else ""
        return sysfs.text(f"{place}{inner}/infiniband/{function.rdma[0].name}/ports/1/pkeys/0")

    def net_state(self, function: Function) -> str:
        """Return the operational state of a function's first interface; empty where there is none."""
        return sysfs.text(f"{self._sys}/class/net/{function.netdevs[0]}/operstate") if function.netdevs else ""

    def ddp_profile(self, function: Function) -> str:
        """Return the name of the package that a NIC's parser has loaded: the function's own, else its PF's."""
        for address in filter(None, (function.address, function.pf)):
            if address not in self._profiles:
                self._profiles[address] = devlink.running_version(address, "fw.app.name")
            if self._profiles[address]:
                return self._profiles[address]
        return ""
