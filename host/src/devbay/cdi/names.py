"""CDI names: the kind of a resource, the name of a device, and what files and annotations are called.

Pure. A device is called ``vendor/class=name`` (``devbay.example.com/widget=w0``). The vendor is one of our own, so that
no file of a vendor's tool is ever met. What a resource or an id may contain and CDI may not is replaced, and a hash is
added, so that no two become the same.
"""

import hashlib
import re
from typing import NamedTuple

OWN_VENDORS = "devbay."
"""What every vendor of ours begins with, and so does every file of ours."""

HOOK = "hook::"
"""What the name of an entry begins with that holds one hook and no device. No id of a device has ``::`` in it."""

ANNOTATIONS = "cdi.k8s.io/"
"""What an annotation's key begins with for a container runtime to look for CDI names in it (annotations.go:29)."""

_MAX_FILE = 255
_MAX_CLASS = 63
_MAX_KEY = 63
_HASH = 8
_LOOKS_HASHED = re.compile(rf"-[0-9a-f]{{{_HASH}}}$")
_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_-]*[A-Za-z0-9]")  # without '.', which needs version 0.6.0
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?")
_PART = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]")
_OWN_FILE = re.compile(r"devbay\.[^/]+\.json")
_OWN_TEMPORARY = re.compile(r"spec\.devbay\.[0-9a-f]+\.tmp")


class Qualified(NamedTuple):
    """A device's full name, in its parts."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}={self.name}"


def kind_of(resource: str) -> str:
    """Return the kind of a resource's devices.

    >>> kind_of("example.com/widget"), kind_of("nvidia.com/mig-1g.5gb")
    ('devbay.example.com/widget', 'devbay.nvidia.com/mig-1g-5gb-d5797425')
    """
    domain, _, kind = resource.partition("/")
    if not _CLASS.fullmatch(kind) or _LOOKS_HASHED.search(kind):
        kind = _hashed(kind, re.sub(r"[^A-Za-z0-9_-]", "-", kind), _MAX_CLASS)
        kind = kind if kind[0].isalpha() else f"x{kind[1:] if len(kind) == _MAX_CLASS else kind}"
    return f"{OWN_VENDORS}{domain}/{kind}"


def device_name(device_id: str) -> str:
    """Return what a device is called within its kind: its id, if that can be.

    >>> device_name("0000:3b:00.0"), device_name("slot/3")
    ('0000:3b:00.0', 'slot-3-559aeb1f')
    """
    if _NAME.fullmatch(device_id) and not _LOOKS_HASHED.search(device_id):
        return device_id
    return _hashed(device_id, re.sub(r"[^A-Za-z0-9_.:-]", "-", device_id))


def qualified(resource: str, device_id: str) -> str:
    """Return the full name of a resource's device."""
    return str(Qualified(kind_of(resource), device_name(device_id)))


def hook_name(content: bytes) -> str:
    """Return the name of the entry that holds one hook."""
    return f"{HOOK}{_digest(content, 16)}"


def file_name(kind: str) -> str:
    """Return what the file of a kind of ours is called.

    The library joins vendor and class with a ``-``, which both may contain; ``_`` no vendor does, so that two kinds
    never meet in one file.
    """
    name = f"{kind.replace('/', '_')}.json"
    return name if len(name) <= _MAX_FILE else f"{OWN_VENDORS}{_digest(kind.encode(), 32)}.json"


def temporary_name(token: str) -> str:
    """Return what a file is called until it is whole; runtimes read ``.json`` and ``.yaml`` only."""
    return f"spec.devbay.{token}.tmp"


def is_own_file(name: str) -> bool:
    """Whether a file is ours by its name."""
    return _OWN_FILE.fullmatch(name) is not None


def is_own_temporary(name: str) -> bool:
    """Whether a file is one of ours that was never finished."""
    return _OWN_TEMPORARY.fullmatch(name) is not None


def annotation_key(resource: str) -> str:
    """Return the key of the annotation that names a resource's devices: another one for each resource.

    >>> annotation_key("example.com/widget")
    'cdi.k8s.io/devbay_example.com_widget'
    """
    domain, _, kind = resource.partition("/")
    name = f"devbay_{domain}_{kind}"
    return ANNOTATIONS + (name if len(name) <= _MAX_KEY else f"devbay_{_digest(resource.encode(), 32)}")


def parse(text: str) -> Qualified | None:
    """Return a full name in its parts, or None if it is none (parser.go:51-75)."""
    kind, equals, name = text.partition("=")
    vendor, slash, class_ = kind.partition("/")
    if not equals or not slash or part_problem("vendor", vendor) or part_problem("class", class_) or name_problem(name):
        return None
    return Qualified(kind, name)


def part_problem(what: str, text: str) -> str | None:
    """Return why a vendor or a class cannot be called so, or None (parser.go:145-169)."""
    if _PART.fullmatch(text):
        return None
    return (
        f"the {what} {text!r} must have two characters or more: letters, digits, '_', '-' and '.', beginning with a "
        "letter and ending with a letter or digit"
    )


def name_problem(text: str) -> str | None:
    """Return why a device cannot be called so, or None (parser.go:176-199)."""
    if _NAME.fullmatch(text):
        return None
    return f"{text!r} must be letters, digits, '_', '-', '.' and ':', beginning and ending with a letter or digit"


def _hashed(original: str, readable: str, most: int | None = None) -> str:
    """Return a readable form made unlike any other one's by a hash; it begins and ends with a letter or digit."""
    mark = f"-{_digest(original.encode(), _HASH)}"
    readable = readable.strip("-_.:") or "x"
    return (readable[: most - len(mark)] if most else readable) + mark


def _digest(content: bytes, length: int) -> str:
    return hashlib.sha256(content).hexdigest()[:length]
