"""Returns what are not devices, or not legal ones: the setting `case` chooses, and a good neighbour comes along.

In every case that is a list, `neighbour` is a healthy device of ``example.com/odd`` beside the odd ones (P13).
"""

from collections.abc import Iterator

from devbay.api import BackendSettings, ContainerEdits, Device, hookimpl

RESOURCE = "example.com/odd"
NEIGHBOUR = Device(id="neighbour", resource=RESOURCE)
LEGAL_LENGTH = 63


def broken_off() -> Iterator[Device]:
    """Yield the neighbour, then raise."""
    yield NEIGHBOUR
    raise OSError("the third register does not answer")


CASES: dict[str, object] = {
    "not-a-list": 42,
    "text": "neighbour",
    "not-devices": ["odd-0", {"id": "odd-1"}, None, NEIGHBOUR],
    "twins": [
        Device(id="twin", resource=RESOURCE, paths=("/dev/null",)),
        Device(id="twin", resource=RESOURCE, paths=("/dev/zero",)),
        NEIGHBOUR,
    ],
    "illegal-resource": [
        *(
            Device(id=f"resource-{number}", resource=resource)
            for number, resource in enumerate(
                ["", "odd", "/odd", "example.com/", "example.com/a b", "example.com/odd/more", "kubernetes.io/odd"]
            )
        ),
        NEIGHBOUR,
    ],
    "illegal-id": [
        *(
            Device(id=identity, resource=RESOURCE)
            for identity in ["", "two words", "a,b", "a::1", "tab\t", "größe", "x" * (LEGAL_LENGTH + 1)]
        ),
        NEIGHBOUR,
    ],
    "wrong-types": [
        Device(id=7, resource=RESOURCE),
        Device(id="paths", resource=RESOURCE, paths="/dev/null"),
        Device(id="relative", resource=RESOURCE, paths=("dev/null",)),
        Device(id="numa", resource=RESOURCE, numa_nodes=("0",)),
        Device(id="attributes", resource=RESOURCE, attributes=["memory"]),
        NEIGHBOUR,
    ],
}


class Settings(BackendSettings, frozen=True):
    """Which of `CASES` is returned, or ``broken-off``."""

    case: str = "not-a-list"


class Backend:
    """Returns the chosen case."""

    @hookimpl
    def settings(self) -> type[Settings]:
        """Return the type of the section ``odd``."""
        return Settings

    @hookimpl
    def discover(self, settings: Settings) -> object:
        """Return the chosen case."""
        return broken_off() if settings.case == "broken-off" else CASES[settings.case]

    @hookimpl
    def edit(self) -> ContainerEdits:
        """Return nothing special."""
        return ContainerEdits()
