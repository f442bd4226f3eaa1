"""The driver's own library, through NVIDIA's binding. The only module that knows `pynvml`, imported when it is opened.

Each answer is a value of `devbay_nvidia.values`, each refusal an `NvmlError`. A driver that does not know a call, or
does not support it on a GPU, "does not say": that is None, except where nothing can be done without the answer.
"""

import contextlib
import ctypes
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from devbay_nvidia.events import Listening, refusals
from devbay_nvidia.profile import profile
from devbay_nvidia.values import SWITCH, Code, Condition, Events, Gpu, Mig, NvmlError, System

log = logging.getLogger(__name__)

SONAME = "libnvidia-ml.so.1"
PLACES = (
    "usr/lib64",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "lib64",
    "lib/x86_64-linux-gnu",
    "lib/aarch64-linux-gnu",
)
"""Where a driver's root has the library, in NVIDIA's order (their ``internal/lookup/root``)."""

_SILENT = (Code.NOT_SUPPORTED, Code.FUNCTION_NOT_FOUND, Code.NO_PERMISSION, Code.NOT_FOUND, Code.INVALID_ARGUMENT)
_DEAD = (
    Code.UNINITIALIZED,
    Code.DRIVER_NOT_LOADED,
    Code.GPU_IS_LOST,
    Code.RESET_REQUIRED,
    Code.LIB_RM_VERSION_MISMATCH,
)
_MIB = 1024**2


class Driver:
    """The library of one driver; an `Nvml`. Opened and closed in one thread, asked from any."""

    def __init__(self, root: Path) -> None:
        """Take the library below `root`, the driver's installation; the system's own where there is none."""
        self._root = root
        self._pynvml: Any = None
        self._loaded: ctypes.CDLL | None = None

    def open(self) -> None:
        """Load and initialise the library."""
        import pynvml  # type: ignore[import-untyped]  # NVIDIA publishes none  # noqa: PLC0415 - a driver may be absent

        self.close()
        path = next((path for place in PLACES if (path := self._root / place / SONAME).exists()), None)
        if path is not None:
            # Loaded first by its path: the binding asks for the soname, and is given what is loaded under it.
            with contextlib.suppress(OSError):
                self._loaded = ctypes.CDLL(str(path.resolve()))
        try:
            with refusals(pynvml):
                pynvml.nvmlInit()
        except NvmlError:
            self._unload(pynvml)  # what is installed next may be another library
            raise
        self._pynvml = pynvml

    def close(self) -> None:
        """End it and unload it: after an upgrade the next `open` must find the new file."""
        pynvml, self._pynvml = self._pynvml, None
        if pynvml is None:
            return
        try:
            pynvml.nvmlShutdown()
        except pynvml.NVMLError as error:
            log.debug("nvmlShutdown: %s", error)
        self._unload(pynvml)

    def system(self) -> System:
        """Return the driver's versions."""
        version = self._hint("nvmlSystemGetCudaDriverVersion_v2")
        return System(
            driver_version=str(self._ask("nvmlSystemGetDriverVersion")),
            cuda_version="" if version is None else f"{version // 1000}.{version % 1000 // 10}",
        )

    def count(self) -> int:
        """Return how many GPUs there are."""
        return int(self._ask("nvmlDeviceGetCount"))

    def gpu(self, index: int) -> Gpu:
        """Return a GPU with its MIG devices."""
        handle = self._ask("nvmlDeviceGetHandleByIndex", index)
        memory = self._hint("nvmlDeviceGetMemoryInfo", handle)
        total = 0 if memory is None else int(memory.total)
        capability = self._hint("nvmlDeviceGetCudaComputeCapability", handle)
        mode = self._say("nvmlDeviceGetMigMode", handle)
        enabled = bool(mode and mode[0])
        return Gpu(
            index=index,
            uuid=str(self._ask("nvmlDeviceGetUUID", handle)),
            product=str(self._ask("nvmlDeviceGetName", handle)),
            pci_address=_address(self._ask("nvmlDeviceGetPciInfo", handle)),
            minor=int(self._ask("nvmlDeviceGetMinorNumber", handle)),
            memory=total,
            compute_capability="" if capability is None else f"{capability[0]}.{capability[1]}",
            mig_enabled=enabled,
            mig=tuple(self._mig(handle, total)) if enabled else (),
        )

    def condition(self, uuid: str, *, links: bool) -> Condition:
        """Return how a GPU is; its links too if wanted."""
        ml, handle = self._library, self._ask("nvmlDeviceGetHandleByUUID", uuid)
        self._say("nvmlDeviceGetMemoryInfo", handle)  # a GPU that fails at this is not well, whatever it says else
        rows = self._hint("nvmlDeviceGetRemappedRows", handle)
        pending = self._hint("nvmlDeviceGetRetiredPagesPendingStatus", handle)
        ecc = self._hint(
            "nvmlDeviceGetTotalEccErrors", handle, ml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, ml.NVML_VOLATILE_ECC
        )
        return Condition(
            ecc_uncorrected=ecc,
            remap_pending=None if rows is None else bool(rows[2]),
            remap_failed=None if rows is None else bool(rows[3]),
            retirement_pending=None if pending is None else bool(pending),
            recovery=self._field(handle, ml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION),
            temperature=self._hint("nvmlDeviceGetTemperature", handle, ml.NVML_TEMPERATURE_GPU),
            slowdown=self._hint("nvmlDeviceGetTemperatureThreshold", handle, ml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN),
            links_down=tuple(link for link, up in self._link_states(handle) if not up) if links else (),
            fabric=self._fabric(handle),
        )

    def links(self, uuid: str) -> tuple[str, ...]:
        """Return where each active NVLink leads."""
        handle = self._ask("nvmlDeviceGetHandleByUUID", uuid)
        return tuple(self._remote(handle, link) for link, up in self._link_states(handle) if up)

    def ancestor(self, a: str, b: str) -> int:
        """Return at which level two GPUs meet on PCIe."""
        one, other = (self._ask("nvmlDeviceGetHandleByUUID", uuid) for uuid in (a, b))
        return int(self._ask("nvmlDeviceGetTopologyCommonAncestor", one, other))

    def events(self, uuids: Sequence[str]) -> Events:
        """Listen to the critical events of these GPUs; one that supports none, or is lost, is left out."""
        listening = Listening(self._library)
        for uuid in uuids:
            try:
                listening.add(self._ask("nvmlDeviceGetHandleByUUID", uuid))
            except NvmlError as error:
                log.debug("no events of %s: %s", uuid, error)
        return listening

    def _unload(self, pynvml: Any) -> None:
        """Make the binding forget the library, and the linker too where nobody else holds it.

        The binding has no call for it; what it remembers is in these two names.
        """
        held, self._loaded, pynvml.nvmlLib = (pynvml.nvmlLib, self._loaded), None, None
        pynvml._nvmlGetFunctionPointer_cache.clear()  # noqa: SLF001 - see above
        for library in held:
            if library is not None:
                _dlclose(library._handle)  # noqa: SLF001 - ctypes has no other name for it

    @property
    def _library(self) -> Any:
        if self._pynvml is None:
            raise NvmlError(Code.UNINITIALIZED, "the driver's library is not open")
        return self._pynvml

    def _ask(self, name: str, *arguments: object) -> Any:
        ml = self._library
        with refusals(ml):
            return getattr(ml, name)(*arguments)

    def _say(self, name: str, *arguments: object) -> Any:
        """Return an answer, or None where the driver does not say."""
        try:
            return self._ask(name, *arguments)
        except NvmlError as error:
            if error.code in _SILENT:
                return None
            raise

    def _hint(self, name: str, *arguments: object) -> Any:
        """Return an answer that can be done without; None after any error but those of a GPU that is gone."""
        try:
            return self._ask(name, *arguments)
        except NvmlError as error:
            if error.code in _DEAD:
                raise
            return None

    def _mig(self, handle: object, total: int) -> Iterator[Mig]:
        for number in range(int(self._say("nvmlDeviceGetMaxMigDeviceCount", handle) or 0)):
            slice_ = self._say("nvmlDeviceGetMigDeviceHandleByIndex", handle, number)
            if slice_ is None:
                continue
            facts = self._ask("nvmlDeviceGetAttributes", slice_)
            memory = int(facts.memorySizeMB) * _MIB
            yield Mig(
                uuid=str(self._ask("nvmlDeviceGetUUID", slice_)),
                number=number,
                gi=int(self._ask("nvmlDeviceGetGpuInstanceId", slice_)),
                ci=int(self._ask("nvmlDeviceGetComputeInstanceId", slice_)),
                memory=memory,
                profile=profile(
                    gi_slices=int(facts.gpuInstanceSliceCount),
                    ci_slices=int(facts.computeInstanceSliceCount),
                    memory=memory,
                    total=total,
                    product=str(self._say("nvmlDeviceGetName", slice_) or ""),
                ),
            )

    def _link_states(self, handle: object) -> Iterator[tuple[int, bool]]:
        """Yield each NVLink that the GPU has, and whether it is up; it answers for no more than it has."""
        for link in range(self._library.NVML_NVLINK_MAX_LINKS):
            state = self._hint("nvmlDeviceGetNvLinkState", handle, link)
            if state is None:
                return
            yield link, bool(state)

    def _remote(self, handle: object, link: int) -> str:
        kind = self._hint("nvmlDeviceGetNvLinkRemoteDeviceType", handle, link)
        if kind == self._library.NVML_NVLINK_DEVICE_TYPE_SWITCH:
            return SWITCH
        remote = self._hint("nvmlDeviceGetNvLinkRemotePciInfo", handle, link)
        return "" if remote is None else _address(remote)

    def _field(self, handle: object, field: int) -> int | None:
        values = self._hint("nvmlDeviceGetFieldValues", handle, [field])
        if values is None or values[0].nvmlReturn != 0:
            return None
        return int(values[0].value.uiVal)

    def _fabric(self, handle: object) -> str:
        ml = self._library
        info = ml.c_nvmlGpuFabricInfo_t()
        if self._hint("nvmlDeviceGetGpuFabricInfo", handle, ctypes.byref(info)) is None:
            return ""
        if info.state == ml.NVML_GPU_FABRIC_STATE_COMPLETED and info.status != 0:
            return f"joining the NVLink fabric failed with error {info.status}"
        if info.state in (ml.NVML_GPU_FABRIC_STATE_NOT_STARTED, ml.NVML_GPU_FABRIC_STATE_IN_PROGRESS):
            return "it has not joined the NVLink fabric yet; the fabric manager does that"
        return ""


def _dlclose(handle: int) -> None:
    import _ctypes  # noqa: PLC0415 - where `ctypes` itself has it from; needed when a driver goes

    with contextlib.suppress(OSError):
        _ctypes.dlclose(handle)


def _address(pci: Any) -> str:
    """Return a PCI address as the kernel writes it, from the library's, whose domain has eight digits."""
    domain, _, rest = str(pci.busId).lower().partition(":")
    return f"{int(domain or '0', 16):04x}:{rest}"
