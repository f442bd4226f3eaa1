"""What a check found: a value that says what, where, why it matters, and what to do."""

import shlex
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How grave a finding is, by who need act."""

    OK = 0
    """As it should be."""
    NOTE = 1
    """Good to know: nobody need act, or it could not be looked at."""
    WARNING = 2
    """Works now, and will not always."""
    PROBLEM = 3
    """Devices are not offered, or containers with them do not start, until somebody acts."""

    @property
    def word(self) -> str:
        """Its name as a person reads it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found.

    Attributes:
        check: the check's name; `docs/troubleshooting.md` has a section for each.
        severity: how grave it is.
        what: it, in a sentence.
        where: the file, socket, backend or resource it is about.
        why: what comes of it; empty where all is well.
        remedy: what to do about it.
        command: the same to copy, where a command does it; several lines are several commands.
    """

    check: str
    severity: Severity
    what: str
    where: str = ""
    why: str = ""
    remedy: str = ""
    command: str = ""

    def plain(self) -> dict[str, str]:
        """Return it for programs."""
        return {
            "check": self.check,
            "severity": self.severity.word,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "remedy": self.remedy,
            "command": self.command,
        }


def typed(*words: object) -> str:
    """Return a command as one types it: a file's name may be chosen by anybody, and is copied into a root's shell."""
    return shlex.join(str(word) for word in words)


class Findings:
    """Makes the findings of one check: its name is said once."""

    def __init__(self, check: str) -> None:
        self._check = check

    def ok(self, what: str, where: object = "") -> Finding:
        """Return that something is as it should be."""
        return Finding(check=self._check, severity=Severity.OK, what=what, where=str(where))

    def note(self, what: str, where: object = "", *, why: str = "", remedy: str = "", command: str = "") -> Finding:
        """Return what is good to know."""
        return self._make(Severity.NOTE, what, where, why, remedy, command)

    def warning(self, what: str, where: object, *, why: str, remedy: str, command: str = "") -> Finding:
        """Return what will go wrong one day; it says what comes of it and what to do."""
        return self._make(Severity.WARNING, what, where, why, remedy, command)

    def problem(self, what: str, where: object, *, why: str, remedy: str, command: str = "") -> Finding:
        """Return what is wrong; it says what comes of it and what to do."""
        return self._make(Severity.PROBLEM, what, where, why, remedy, command)

    def _make(  # noqa: PLR0913, PLR0917 - a finding's parts, in order
        self, severity: Severity, what: str, where: object, why: str, remedy: str, command: str
    ) -> Finding:
        return Finding(
            check=self._check, severity=severity, what=what, where=str(where), why=why, remedy=remedy, command=command
        )
