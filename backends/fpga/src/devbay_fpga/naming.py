"""What a device is offered as: the names of AMD's and Intel's device plugins to the byte, short ones, or a rule's.

Pure: facts in, a name or a sentence why there is none out.
"""

import base64
from collections.abc import Mapping

from devbay.api import Attribute
from devbay_fpga.customising import customised
from devbay_fpga.matching import matches
from devbay_fpga.settings import Settings

_AMD = "amd.com/"
_INTEL = "fpga.intel.com/"
_U30 = "xilinx_u30"
_MA35 = "MA35"


class Nameless(Exception):  # noqa: N818 - says what a device is
    """A device that cannot be offered; the text says what is not known of it."""


def resource(settings: Settings, facts: Mapping[str, str], attributes: Mapping[str, Attribute]) -> str:
    """Return the resource that a device with these facts is offered as.

    Raises:
        Nameless: too little is known of it.
    """
    for rule in settings.names:
        if matches(rule.select, attributes):
            return rule.resource
    match facts["stack"]:
        case "dfl" | "opae":
            return _of_region(facts) if "mode" in facts else _of_port(settings, facts)
        case "xrt" | "ama":
            return _of_card(settings, facts)
        case "zocl":
            return settings.zocl_resource
        case _:
            return facts["resource"]


def af_name(interface_id: str, afu_id: str) -> str:
    """Return what Intel's device plugin calls a function in a region, without the domain.

    >>> af_name("69528db6eb31577a8c3668f9faa081f6", "d8424dc4a4a3c413f89e433683f9040b")
    'af-695.d84.aVKNtusxV3qMNmj5-qCB9thCTcSko8QT-J5DNoP5BAs'
    """
    both = base64.urlsafe_b64encode(bytes.fromhex(interface_id + afu_id)).decode().rstrip("=")
    return f"af-{interface_id[:3]}.{afu_id[:3]}.{both}"


def shell_name(settings: Settings, facts: Mapping[str, str]) -> str:
    """Return what AMD's device plugin calls a card's shell."""
    if settings.u30_names == "common" and _U30 in facts["shell"]:
        return "ama_u30"
    return facts["shell"]


def is_u30(facts: Mapping[str, str]) -> bool:
    """Whether a card is one of the two on an Alveo U30."""
    return _U30 in facts.get("shell", "")


def _of_port(settings: Settings, facts: Mapping[str, str]) -> str:
    afu = facts.get("afu_id", "")
    if not afu:
        raise Nameless("what is programmed into it cannot be read (afu_id)")
    interface = facts.get("interface_id", "")
    if settings.naming == "compat" and interface:
        return f"{_INTEL}{af_name(interface, afu)}"
    if settings.naming == "compat" and "board" in facts:
        raise Nameless("its interface id cannot be read, which its name begins with; a rule of fpga.names can name it")
    return f"{_INTEL}afu-{afu}"


def _of_region(facts: Mapping[str, str]) -> str:
    if "interface_id" not in facts:
        raise Nameless(
            "its interface id cannot be read, which mode region names it by; a rule of fpga.names can name it"
        )
    return f"{_INTEL}region-{facts['interface_id']}"


def _of_card(settings: Settings, facts: Mapping[str, str]) -> str:
    if "shell" not in facts:
        raise Nameless("its shell has no name (none is flashed, or it is in a reset)")
    if settings.naming == "plain":
        return f"{_AMD}{_plain(facts)}"
    name, stamp = shell_name(settings, facts), facts.get("timestamp", "")
    default = f"{name}-{stamp}" if stamp else name
    if name != facts["shell"]:
        return f"{_AMD}{name}"  # U30 by its common name: never customised
    if not settings.customize:
        return f"{_AMD}{name if name == _MA35 else default}"
    return f"{_AMD}{customised(settings.expressions, _fields(name, facts)) or default}"


def _plain(facts: Mapping[str, str]) -> str:
    return f"fpga-{facts.get('product') or facts['shell']}".lower()


def _fields(name: str, facts: Mapping[str, str]) -> dict[str, str]:
    return {
        "index": facts.get("index", ""),
        "shellVer": name,
        "deviceType": facts.get("product", ""),
        "uuid": facts.get("uuid", ""),
        "timestamp": facts.get("timestamp", ""),
        "DBDF": facts.get("pci_address", ""),
        "deviceID": facts.get("device_id", ""),
        "SN": facts.get("serial", ""),
    }
