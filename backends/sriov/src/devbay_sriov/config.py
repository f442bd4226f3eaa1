"""From plain data to pools: the ``resourceList`` of the SR-IOV network device plugin, and our additions to it. Pure.

Keys are told whatever their case, as there: its operator writes ``IsRdma``. What is read there in silence and widens a
pool (an unknown key, a key on the wrong level, a range that is none) is a problem here, and all problems are told at
once. A resource whose selectors are an empty list is left out, as there, with a remark.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast, get_args

from devbay_sriov import ranges
from devbay_sriov.document import Keys
from devbay_sriov.pooling import DeviceType, Pools, Problem, Resource, Selector
from devbay_sriov.reader import Found, Reader

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_LEGAL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_CLASS = re.compile(r"[0-9a-f]{2}([0-9a-f]{2}){0,2}")
_SHORT_ADDRESS = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

_RESOURCE_KEYS = (
    "resourceName",
    "resourcePrefix",
    "deviceType",
    "excludeTopology",
    "selectors",
    "additionalInfo",
    "allowInUse",
    "vfio",
)
_INTERNAL = ("selectorobjs", "selectorobj")
"""What the plugin itself, and its operator (without the s), write into a resource and nobody reads."""

_PCI = ("vendors", "devices", "drivers", "pciAddresses", "acpiIndexes", "numaNodes", "pciClasses")
_NET = ("pfNames", "rootDevices", "linkTypes", "isRdma", "needVhostNet", "netStates")
_SELECTOR_KEYS: Mapping[DeviceType, tuple[str, ...]] = {
    "netDevice": (*_PCI, *_NET, "ddpProfiles", "pKeys", "vdpaType"),
    "accelerator": _PCI,
    "auxNetDevice": ("vendors", "devices", "drivers", "acpiIndexes", "numaNodes", "auxTypes", *_NET),
}
_ALL_SELECTOR_KEYS = tuple(dict.fromkeys(key for keys in _SELECTOR_KEYS.values() for key in keys))
_LISTS = tuple(key for key in _ALL_SELECTOR_KEYS if key not in {"isRdma", "needVhostNet", "vdpaType"})
_VDPA = ("vhost", "virtio")
_VFIO = ("group", "cdev", "both")
_STATES = ("up", "down", "unknown", "dormant", "lowerlayerdown", "notpresent", "testing")


class RejectedError(ValueError):
    """A configuration with problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{path_of(problem.keys)}: {problem.text}" for problem in self.problems))


def path_of(keys: Keys) -> str:
    """Return keys as a person writes them.

    >>> path_of(("resourceList", 0, "selectors"))
    'resourceList[0].selectors'
    """
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".") or "the document"


def pools(data: object, default_prefix: str, at: Keys = ()) -> Pools:
    """Return the pools that a document asks for.

    Raises:
        RejectedError: it has problems; all of them are told.
    """
    return _Reading(default_prefix).document(data, at)


class _Reading(Reader):
    """One reading of one document, which notes what is wrong and goes on."""

    def __init__(self, default_prefix: str) -> None:
        super().__init__()
        self._prefix = default_prefix
        self._remarks: list[Problem] = []

    def document(self, data: object, at: Keys) -> Pools:
        section = self.mapping(data, at, ("resourceList",))
        found, keys = section.get("resourcelist", (None, (*at, "resourceList")))
        if isinstance(data, dict) and found is None:
            self.problem(keys, "it is missing; it lists the resources")
        resources = [self._resource(item, (*keys, n)) for n, item in enumerate(self.items(found, keys))]
        named: dict[str, int] = {}
        for n, resource in enumerate(resources):
            if resource is not None and named.setdefault(resource.full_name, n) != n:
                first = path_of((*keys, named[resource.full_name]))
                self.problem((*keys, n), f"a second resource {resource.full_name}; {first} is the first")
        if self.problems:
            raise RejectedError(self.problems)
        return Pools(resources=tuple(each for each in resources if each), remarks=tuple(self._remarks))

    def _resource(self, data: object, at: Keys) -> Resource | None:
        section = self.mapping(data, at, _RESOURCE_KEYS, _misplaced_selector, _INTERNAL)
        if not isinstance(data, dict):
            return None
        device_type = cast("DeviceType", self.one_of(section, "deviceType", get_args(DeviceType), "netDevice"))
        selectors = self._selectors(section.get("selectors"), device_type, (*at, "selectors"))
        resource = Resource(
            prefix=self._domain(section, at),
            name=self._name(section, at),
            device_type=device_type,
            selectors=selectors,
            exclude_topology=self.flag(section, "excludeTopology"),
            extra=self._extra(section.get("additionalinfo")),
            allow_in_use=self.flag(section, "allowInUse"),
            vfio=cast("Any", self.one_of(section, "vfio", _VFIO, "group")),
        )
        return resource if selectors else None

    def _name(self, section: Mapping[str, Found], at: Keys) -> str:
        name, keys = section.get("resourcename", ("", (*at, "resourceName")))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.problem(keys, f"{name!r} is no name: letters, digits, '-' and '_', and at least one")
        elif not _LEGAL.fullmatch(name):
            self.problem(keys, f"{name!r} is no name for Kubernetes: at most 63 characters, no '-' or '_' at an end")
        return str(name)

    def _domain(self, section: Mapping[str, Found], at: Keys) -> str:
        prefix, keys = section.get("resourceprefix", ("", at))
        prefix = prefix or self._prefix
        if not isinstance(prefix, str) or not _DOMAIN.fullmatch(prefix):
            self.problem(keys, f"{prefix!r} is no domain such as intel.com, in lower case")
        return str(prefix)

    def _selectors(self, found: Found | None, device_type: DeviceType, at: Keys) -> tuple[Selector, ...]:
        data, keys = found or (None, at)
        if data is None:
            self._remarks.append(Problem(keys, f"missing: every {device_type} is selected"))
            return (self._selector({}, keys, device_type),)
        if data == []:
            self._remarks.append(Problem(keys, "an empty list selects nothing: the resource is left out"))
            return ()
        if isinstance(data, list):
            return tuple(self._selector(item, (*keys, n), device_type) for n, item in enumerate(data))
        return (self._selector(data, keys, device_type),)

    def _selector(self, data: object, at: Keys, device_type: DeviceType) -> Selector:
        section = self.mapping(data, at, _SELECTOR_KEYS[device_type], _misplaced_in_selector(device_type))
        texts = {key.lower(): self.texts(section, key) for key in _LISTS}
        rdma, vdpa = self.flag(section, "isRdma"), self.one_of(section, "vdpaType", _VDPA, "")
        if rdma and vdpa:
            self.problem(section["vdpatype"][1], "vdpaType and isRdma exclude each other in one selector")
        if device_type == "auxNetDevice" and isinstance(data, dict):
            self._check_aux(texts["auxtypes"], section.get("auxtypes", (None, (*at, "auxTypes")))[1])
        return Selector(
            vendors=tuple(map(_hex, texts["vendors"])),
            devices=tuple(map(_hex, texts["devices"])),
            drivers=texts["drivers"],
            pci_addresses=tuple(map(_address, texts["pciaddresses"])),
            acpi_indexes=texts["acpiindexes"],
            pf_names=self._ranged(section, "pfNames", texts["pfnames"]),
            root_devices=self._ranged(section, "rootDevices", tuple(map(_address, texts["rootdevices"]))),
            link_types=texts["linktypes"],
            ddp_profiles=texts["ddpprofiles"],
            pkeys=texts["pkeys"],
            aux_types=texts["auxtypes"],
            numa_nodes=self._each(section, "numaNodes", texts["numanodes"], int, "the number of a NUMA node"),
            pci_classes=self._each(section, "pciClasses", texts["pciclasses"], _pci_class, "a PCI class such as 02"),
            net_states=self._each(section, "netStates", texts["netstates"], _state, f"one of {', '.join(_STATES)}"),
            rdma=rdma,
            vdpa=vdpa,
            vhost_net=self.flag(section, "needVhostNet"),
        )

    def _check_aux(self, types: Sequence[str], keys: Keys) -> None:
        if not types:
            self.problem(keys, 'auxNetDevice needs it; write "auxTypes": ["sf"]')
        for other in [each for each in types if each != "sf"]:
            self.problem(keys, f"{other!r} is no type of auxiliary device that can be offered; only 'sf' is")

    def _ranged(self, section: Mapping[str, Found], key: str, texts: Sequence[str]) -> tuple[ranges.Ranged, ...]:
        found: list[ranges.Ranged] = []
        for n, text in enumerate(texts):
            try:
                found.append(ranges.parse(text))
            except ValueError as error:
                self.problem((*section[key.lower()][1], n), str(error))
        return tuple(found)

    def _each(
        self, section: Mapping[str, Found], key: str, texts: Sequence[str], kind: Callable[[str], Any], what: str
    ) -> tuple[Any, ...]:
        found: list[Any] = []
        for n, text in enumerate(texts):
            try:
                found.append(kind(text))
            except ValueError:
                self.problem((*section[key.lower()][1], n), f"{text!r} is not {what}")
        return tuple(found)

    def _extra(self, found: Found | None) -> dict[str, dict[str, str]]:
        data, keys = found or (None, ())
        if data is None:
            return {}
        if not isinstance(data, dict) or not all(
            isinstance(entry, dict) and all(isinstance(value, str) for value in entry.values())
            for entry in data.values()
        ):
            # Its values may be secrets, and are not shown.
            self.problem(keys, 'it must read {"*" or a PCI address: {name: "text"}}')
            return {}
        return {str(place): {str(k): v for k, v in entry.items()} for place, entry in data.items()}


def _misplaced_selector(key: str) -> str:
    found = next((name for name in _ALL_SELECTOR_KEYS if name.lower() == key), "")
    return f'misplaced: it selects nothing here; write it into selectors: {{"{found}": …}}' if found else ""


def _misplaced_in_selector(device_type: DeviceType) -> Callable[[str], str]:
    def hint(key: str) -> str:
        resource_key = next((name for name in _RESOURCE_KEYS if name.lower() == key), "")
        if resource_key:
            return f"misplaced: {resource_key} belongs beside selectors, into the resource"
        types = [kind for kind, keys in _SELECTOR_KEYS.items() if key in map(str.lower, keys)]
        return f"a selector of {' and '.join(types)}, not of {device_type}" if types else ""

    return hint


def _hex(text: str) -> str:
    return text.lower().removeprefix("0x")


def _address(text: str) -> str:
    folded = text.lower()
    return f"0000:{folded}" if _SHORT_ADDRESS.match(folded) else folded


def _pci_class(text: str) -> str:
    if not _CLASS.fullmatch(_hex(text)):
        raise ValueError(text)
    return _hex(text)


def _state(text: str) -> str:
    if text.lower() not in _STATES:
        raise ValueError(text)
    return text.lower()
