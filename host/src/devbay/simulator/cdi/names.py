"""Names of CDI devices: ``vendor/class=name``. Pure.

Texts are the CDI library's (pkg/parser/parser.go:51-199, pkg/cdi/annotations.go:29,90-141).
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

PREFIX = "cdi.k8s.io/"
"""What the key of an annotation that asks for devices begins with."""

_KIND_START = re.compile(r"[A-Za-z]")
_KIND_MIDDLE = re.compile(r"[^A-Za-z0-9_.-]")
_NAME_MIDDLE = re.compile(r"[^A-Za-z0-9_.:-]")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]")


class InvalidName(ValueError):  # noqa: N818 - says what is wrong with what was read
    """A name that no runtime accepts; the text says why, in the CDI library's words."""


class QualifiedName(NamedTuple):
    """A device's name in its parts."""

    vendor: str
    class_name: str
    name: str

    def __str__(self) -> str:
        return f"{self.vendor}/{self.class_name}={self.name}"


def parse(text: str) -> QualifiedName:
    """Return the parts of a qualified name.

    Raises:
        InvalidName: it is not qualified, or a part of it is not valid.
    """
    before, equals, name = text.partition("=")
    vendor, class_name = split(before)
    if not equals or not before or not name or not vendor:
        raise InvalidName(f'unqualified device "{text}", missing vendor')
    try:
        check_kind(before)
        check_device(name)
    except InvalidName as error:
        raise InvalidName(f'invalid device "{text}": {error}') from error
    return QualifiedName(vendor, class_name, name)


def split(kind: str) -> tuple[str, str]:
    """Return vendor and class of ``vendor/class``; no vendor, and the whole as the class, where it is not one."""
    vendor, _, class_name = kind.partition("/")
    return (vendor, class_name) if vendor and class_name else ("", kind)


def check_kind(kind: str) -> None:
    """Raise `InvalidName` unless `kind` is a vendor and a class."""
    vendor, class_name = split(kind)
    for what, part in (("vendor", vendor), ("class", class_name)):
        if wrong := _wrong_part(part):
            raise InvalidName(f"invalid {what}. {wrong}")


def check_device(name: str) -> None:
    """Raise `InvalidName` unless `name` can be the last part of a qualified name."""
    if not name:
        raise InvalidName("invalid (empty) device name")
    if not _ALPHANUMERIC.match(name):
        raise InvalidName(f'invalid class "{name}", should start with a letter or digit')
    if wrong := _NAME_MIDDLE.search(name[1:-1]):
        raise InvalidName(f"invalid character '{wrong[0]}' in device name \"{name}\"")
    if not _ALPHANUMERIC.match(name[-1]):
        raise InvalidName(f'invalid name "{name}", should end with a letter or digit')


def requested(names: Iterable[str], annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that a container asks for: those of the field, then those of annotations, each once.

    containerd, internal/cri/opts/spec_linux.go:139-179. Names of the field are not checked: one that is none is
    merely never found. The order among annotations is random there, and that of their keys here.

    Raises:
        InvalidName: an annotation holds what is not a qualified name.
    """
    wanted = list(names)
    for _, value in sorted(item for item in annotations.items() if item[0].startswith(PREFIX)):
        for name in value.split(","):
            try:
                parse(name)
            except InvalidName as error:
                raise InvalidName(f'invalid CDI device name "{name}"') from error
            wanted.append(name)
    return tuple(dict.fromkeys(wanted))


def _wrong_part(part: str) -> str:
    """Return what is wrong with a vendor or a class, or nothing."""
    if not part:
        return "empty name"
    if not _KIND_START.match(part):
        return f'"{part}", should start with letter'
    if len(part) == 1:
        # parser.go:155 slices name[1:0]; later releases of the library accept the name.
        return f'"{part}", release 1.1.0 of the CDI library crashes on a name of one character'
    if wrong := _KIND_MIDDLE.search(part[1:-1]):
        return f"invalid character '{wrong[0]}' in name \"{part}\""
    if not _ALPHANUMERIC.match(part[-1]):
        return f'"{part}", should end with a letter or digit'
    return ""
