"""The events of the driver's library, and its refusals, through a binding that is handed in: none is imported here."""

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from devbay_nvidia.values import Code, Event, NvmlError

_WHOLE = 0xFFFFFFFF  # an event's instance that means none in particular


@contextlib.contextmanager
def refusals(pynvml: ModuleType) -> Iterator[None]:
    """Turn what the binding raises into NvmlError."""
    try:
        yield
    except pynvml.NVMLError as error:
        raise NvmlError(int(getattr(error, "value", Code.UNKNOWN)), str(error)) from None


class Listening:
    """An event set of the library; `devbay_nvidia.values.Events`."""

    def __init__(self, ml: Any) -> None:
        self._ml = ml
        with refusals(ml):
            self._set = ml.nvmlEventSetCreate()

    def add(self, handle: object) -> None:
        """Listen to a GPU too. Raises NvmlError."""
        ml = self._ml
        wanted = ml.nvmlEventTypeXidCriticalError | ml.nvmlEventTypeDoubleBitEccError
        with refusals(ml):
            wanted &= ml.nvmlDeviceGetSupportedEventTypes(handle)
            if wanted:
                ml.nvmlDeviceRegisterEvents(handle, wanted, self._set)

    def wait(self, seconds: float) -> Event | None:
        """Return the next event; None if none came. Raises NvmlError."""
        try:
            with refusals(self._ml):
                data = self._ml.nvmlEventSetWait_v2(self._set, int(seconds * 1000))
        except NvmlError as error:
            if error.code == Code.TIMEOUT:
                return None
            raise
        try:
            with refusals(self._ml):
                uuid = str(self._ml.nvmlDeviceGetUUID(data.device))
        except NvmlError:
            uuid = ""  # it cannot be asked any more; whose event it is shows when each GPU is looked at
        return Event(
            uuid=uuid,
            xid=int(data.eventData) if data.eventType == self._ml.nvmlEventTypeXidCriticalError else None,
            gi=None if data.gpuInstanceId == _WHOLE else int(data.gpuInstanceId),
            ci=None if data.computeInstanceId == _WHOLE else int(data.computeInstanceId),
        )

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(self._ml.NVMLError):
            self._ml.nvmlEventSetFree(self._set)
