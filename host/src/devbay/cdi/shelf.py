"""What each specification file of ours must hold, and how a file on disk is brought to that.

Blocking, and for one thread: `directory` calls it. Entries are kept by name until `prune` drops them, those found in
files of ours at the start included: a pod may hold a device that is gone. A file that somebody else changed is brought
back; what is added by another devbay (two overlap in a rolling update) is taken over and not fought about.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from devbay.cdi import delivery, document, files, names
from devbay.errors import DeliveryError
from devbay.model import ContainerEdits

_CALM = 60.0
"""Seconds without a change by anybody else, after which the next is no quarrel."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a look found about one file.

    Attributes:
        file: its name.
        what: what was done about it.
        reason: why.
    """

    file: str
    what: Literal["repaired", "contested", "refused", "unreadable", "swept", "doubled"]
    reason: str


@dataclass(slots=True)
class _Kept:
    """One file of ours.

    Attributes:
        kind: of its devices.
        devices: what it must hold, by name.
        seen: the file on disk that held just this, when it was last looked at.
        due: when it may be repaired again at the earliest.
        pauses: how long until the next repair, and the next.
    """

    kind: str
    devices: dict[str, document.Device] = field(default_factory=dict)
    seen: files.FileId | None = None
    due: float = 0.0
    pauses: Iterator[float] | None = None

    @property
    def specification(self) -> document.Specification:
        return delivery.specification(self.kind, self.devices.values())

    @property
    def text(self) -> str:
        return document.encode(self.specification)


class Shelf:
    """The specification files of ours in one directory."""

    def __init__(self, path: Path, locate: Callable[[str], Path], pauses: Iterable[float]) -> None:
        self._path = path
        self._locate = locate
        self._pauses = pauses
        self._kept: dict[str, _Kept] | None = None
        self._noticed: list[Noticed] = []
        self._others: dict[Path, tuple[files.FileId | None, str]] = {}

    def ensure(self, resource: str, edits: Mapping[str, ContainerEdits]) -> None:
        """Return when the file of `resource` holds an entry for each of these devices.

        Raises:
            DeliveryError: it cannot be; the others' entries are there all the same, if a device's own is at fault.
        """
        file = names.file_name(kind := names.kind_of(resource))
        kept = self._all().get(file) or _Kept(kind)
        entries = [delivery.entry(id_, one, self._real) for id_, one in edits.items()]
        news = [entry for entry in entries if entry and entry != kept.devices.get(entry.name)]
        problems = {entry.name: problem for entry in news if (problem := delivery.entry_problem(entry))}
        good = {entry.name: entry for entry in news if entry.name not in problems}
        if devices := {**kept.devices, **good}:
            self._settle(file, kept, devices)
        for name, problem in problems.items():
            raise DeliveryError(f"device {name} of {resource} cannot be put into a CDI specification: {problem}")

    def prune(self, resource: str, keep: Collection[str]) -> tuple[str, ...]:
        """Drop the entries of devices that are not in `keep`; return their names. A file without entries goes."""
        file = names.file_name(names.kind_of(resource))
        if (kept := self._all().get(file)) is None:
            return ()
        self._take_over(file, kept)
        wanted = {names.device_name(id_) for id_ in keep}
        gone = tuple(sorted(kept.devices.keys() - wanted))
        if gone:
            self._settle(file, kept, {name: one for name, one in kept.devices.items() if name in wanted}, merge=False)
        return gone

    def retire(self, resources: Collection[str]) -> tuple[str, ...]:
        """Remove the files of every resource that is not among these; return their names."""
        wanted = {names.file_name(names.kind_of(resource)) for resource in resources}
        gone = tuple(sorted(self._all().keys() - wanted))
        for file in gone:
            self._settle(file, self._all()[file], {}, merge=False)
        return gone

    def remove_all(self) -> tuple[str, ...]:
        """Remove every file of ours, temporary ones included; return their names."""
        self._kept = {}
        found = [path for path in files.own(self._path) if not self._is_anothers(path)]
        for path in found:
            files.remove(path)
        return tuple(path.name for path in (*found, *files.sweep(self._path, all_of_them=True)))

    def look(self, now: float) -> list[Noticed]:
        """Bring back what somebody changed, unless it was brought back just now; return what was noticed."""
        for file, kept in list(self._all().items()):
            if not self._is_as_seen(file, kept):
                self._repair(file, kept, now)
        self._sweep()
        self._look_beside()
        noticed, self._noticed = self._noticed, []
        return noticed

    def _sweep(self) -> None:
        self._noticed += [Noticed(p.name, "swept", "a crash left it") for p in files.sweep(self._path)]

    def _look_beside(self) -> None:
        """Notice files of others with a kind of ours: to runtimes a device that is in two files is in conflict."""
        kinds = {kept.kind for kept in self._all().values()}
        before, self._others = self._others, {}
        for path in files.others(self._path) if kinds else ():
            identity, kind = before.get(path, (None, ""))
            if identity is None or files.file_id(path) != identity:
                identity, kind = files.file_id(path), _kind(path)
            self._others[path] = identity, kind
            if kind in kinds:
                reason = f"it holds {kind} too, so that no runtime knows which to take; remove it"
                self._noticed.append(Noticed(path.name, "doubled", reason))

    def _repair(self, file: str, kept: _Kept, now: float) -> None:
        reason = self._take_over(file, kept)
        if not reason or now < kept.due:
            return
        if kept.pauses is None or now > kept.due + _CALM:
            kept.pauses, quarrel = iter(self._pauses), False
        else:
            quarrel = True
        kept.due = now + next(kept.pauses)
        try:
            kept.seen = files.write(self._path / file, kept.text)
        except DeliveryError as error:
            self._noticed.append(Noticed(file, "refused", str(error)))
        else:
            self._noticed.append(Noticed(file, "contested" if quarrel else "repaired", reason))

    def _settle(self, file: str, kept: _Kept, devices: dict[str, document.Device], *, merge: bool = True) -> None:
        """Have a file hold these devices; it is written only if it does not, and goes if there are none."""
        if not devices:
            files.remove(self._path / file)
            self._all().pop(file, None)
            return
        self._all()[file] = kept
        if kept.devices != devices:
            kept.devices, kept.seen = devices, None
        if not self._is_as_seen(file, kept) and (not merge or self._take_over(file, kept)):
            kept.seen = files.write(self._path / file, kept.text)

    def _is_as_seen(self, file: str, kept: _Kept) -> bool:
        return kept.seen is not None and files.file_id(self._path / file) == kept.seen

    def _take_over(self, file: str, kept: _Kept) -> str:
        """Add what a file on disk holds besides; return why it must be written, empty if it need not be."""
        identity, text = files.read(self._path / file)
        if identity is None:
            return "it was deleted"
        try:
            found = _decoded(text)
            kept.devices = {**_devices(found, kept.kind), **kept.devices}
        except document.NotASpecification as error:
            return f"it was damaged: {error}"
        if found == kept.specification:  # not its text: another version's may have another form
            kept.seen = identity
            return ""
        return "it was changed" if kept.seen else "it is not as this version writes it"

    def _all(self) -> dict[str, _Kept]:
        if self._kept is None:
            self._kept = {}
            self._sweep()
            for path in files.own(self._path):
                self._load(path)
        return self._kept

    def _load(self, path: Path) -> None:
        identity, text = files.read(path)
        try:
            found = _decoded(text)
            _check_place(found.kind, path.name)
            kept = _Kept(found.kind, _devices(found, found.kind))
        except document.NotASpecification as error:
            self._noticed.append(Noticed(path.name, "unreadable", str(error)))
            return
        kept.seen = identity if kept.specification == found else None
        self._all()[path.name] = kept

    def _is_anothers(self, path: Path) -> bool:
        """Whether a file that is called like ours can be read and holds something that is not ours."""
        _, text = files.read(path)
        try:
            return text is not None and not document.decode(text).kind.startswith(names.OWN_VENDORS)
        except document.NotASpecification:
            return False

    def _real(self, path: str) -> str:
        return files.real_path(path, self._locate)


def _kind(path: Path) -> str:
    try:
        return _decoded(files.read(path)[1]).kind
    except document.NotASpecification:
        return ""


def _decoded(text: str | None) -> document.Specification:
    if text is None:
        raise document.NotASpecification("it is no plain file that can be read")
    return document.decode(text)


def _check_place(kind: str, file: str) -> None:
    if names.file_name(kind) != file:
        raise document.NotASpecification(f"it holds {kind!r}, which does not belong into it")


def _devices(found: document.Specification, kind: str) -> dict[str, document.Device]:
    """Return the devices that can be kept. Entries of hooks are made anew from those of devices."""
    if found.kind != kind:
        raise document.NotASpecification(f"it holds {found.kind!r} instead of {kind!r}")
    return {
        device.name: device
        for device in found.devices
        if not device.name.startswith(names.HOOK) and delivery.entry_problem(device) is None
    }
