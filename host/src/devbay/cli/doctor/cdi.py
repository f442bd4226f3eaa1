"""Checks of the CDI directory: whether specifications can be written, and whether those that are there can be used."""

import os
from collections.abc import Iterator
from pathlib import Path

from devbay.cdi import catalog, names
from devbay.cdi.catalog import Catalog
from devbay.cli.doctor.findings import Finding, Findings, typed
from devbay.cli.doctor.scene import Scene
from devbay.cli.doctor.sight import is_directory, is_there

_STATIC = "/etc/cdi"
_SHOWN = 5
_cdi = Findings("cdi-directory")


def directory(scene: Scene) -> Iterator[Finding]:
    """Whether specifications can be written where they are configured to be."""
    path = scene.place.cdi
    if not scene.delivers_through_cdi:
        yield _cdi.ok("not needed: every resource here is delivered directly", path)
        return
    why = "where a specification cannot be written, pods that ask for its device fail"
    mount = f"mount the node's {scene.settings.cdi.directory} into the pod, writable"
    if not is_there(path):
        parent = next(above for above in path.parents if is_there(above))
        if os.access(parent, os.W_OK | os.X_OK):
            yield _cdi.ok("it is not there yet, and can be made", path)
        elif scene.euid:
            yield _unseen(scene, parent)
        else:
            yield _cdi.problem("it is not there, and cannot be made", path, why=why, remedy=mount)
    elif not is_directory(path):
        yield _cdi.problem("it is no directory", path, why=why, remedy=f"remove it, and {mount}")
    elif os.statvfs(path).f_flag & os.ST_RDONLY:
        yield _cdi.problem(
            "it is on a read-only file system", path, why=why, remedy=mount, command=typed("findmnt", "-T", path)
        )
    elif os.access(path, os.W_OK | os.X_OK):
        yield _cdi.ok("specifications can be written", path)
    elif scene.euid:
        yield _unseen(scene, path)
    else:
        yield _cdi.problem(
            "uid 0 cannot make files in it", path, why=why, remedy=mount, command=typed("ls", "-ldZ", path)
        )


def _unseen(scene: Scene, path: Path) -> Finding:
    return _cdi.note(
        f"uid {scene.euid} cannot make files in it; uid 0 perhaps can",
        path,
        remedy="run devbay doctor as root",
        command="sudo devbay doctor",
    )


def files(scene: Scene) -> Iterator[Finding]:
    """Whether the files that container runtimes read can be used, whoever wrote them."""
    directories = (scene.place.on_node(_STATIC), scene.place.cdi)
    found = catalog.catalog(directories)
    wrong = [*_broken(found), *_conflicts(found), *_leftovers(scene, found)]
    if found.devices and not wrong:
        yield _cdi.ok(f"{len(found.devices)} devices can be named", " and ".join(map(str, directories)))
    yield from wrong


def _broken(found: Catalog) -> Iterator[Finding]:
    for file in found.broken:
        mine = names.is_own_file(file.path.name)
        yield _cdi.warning(
            f"runtimes pass over it: {file.problems[0]}",
            file.path,
            why="a container that asks for one of its devices fails as unresolvable",
            remedy="devbay writes it anew within a second while it runs; else remove it"
            if mine
            else "have the tool that wrote it write it anew, or remove it",
            command=typed("devbay", "cdi", "validate", file.path),
        )


def _conflicts(found: Catalog) -> Iterator[Finding]:
    spoilt = [one for one in found.devices if one.trouble.endswith("nobody gets it")]
    if spoilt:
        shown = ", ".join(dict.fromkeys(one.name for one in spoilt[:_SHOWN]))
        yield _cdi.warning(
            f"two files of one directory have the same devices, so that nobody gets them: {shown}",
            " ".join(dict.fromkeys(str(one.path) for one in spoilt)),
            why="a container that asks for one of them fails as unresolvable",
            remedy="remove one of the files",
            command="devbay cdi list",
        )


def _leftovers(scene: Scene, found: Catalog) -> Iterator[Finding]:
    kinds = {names.kind_of(offer.source) for offer in scene.offers.values() if offer.delivery != "direct"}
    ours = {one.path for one in found.devices if one.is_ours and names.Qualified(*_split(one.name)).kind not in kinds}
    if ours and scene.seen is not None:
        yield _cdi.note(
            f"files of devbay for what is not delivered through CDI here now: {', '.join(sorted(map(str, ours)))}",
            scene.place.cdi,
            why="a container that holds such a device needs them to start again; else they are left over",
            remedy="once no pod needs them and no devbay runs, remove them",
            command="devbay cleanup",
        )


def _split(name: str) -> tuple[str, str]:
    kind, _, device = name.partition("=")
    return kind, device
