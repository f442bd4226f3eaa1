"""From the files in ``manifests/`` to the objects that an operator applies: a base, components, and changes to them.

The files are what kustomize reads, and so `deploy/` offers them; here is the part of kustomize that they use, for
those without it: resources, components, and patches that are merged as Kubernetes merges them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

import yaml

Object: TypeAlias = dict[str, Any]

_MANIFESTS = files("devbay") / "manifests"

_KEYS = ("name", "mountPath", "containerPort", "port")
"""What tells the items of a list from each other, where they are merged one by one."""

COMPONENTS = tuple(sorted(entry.name for entry in (_MANIFESTS / "components").iterdir() if entry.is_dir()))
"""The features that need more of a node or of the cluster than the base has."""


def compose(components: Iterable[str], patches: Iterable[Object] = ()) -> list[Object]:
    """Return the base with these components, and patches after them."""
    objects = list(_resources(_MANIFESTS / "base"))
    for name in components:
        folder = _MANIFESTS / "components" / name
        objects += _resources(folder)
        for entry in _kustomization(folder).get("patches", ()):
            objects = patched(objects, _read(folder / entry["path"]))
    return patched(objects, patches)


def patched(objects: Sequence[Object], patches: Iterable[Object]) -> list[Object]:
    """Return the objects with each patch merged into the one that it names.

    Raises:
        LookupError: there is no such object.
    """
    result = list(objects)
    for patch in patches:
        place = next((n for n, one in enumerate(result) if _identity(one) == _identity(patch)), None)
        if place is None:
            raise LookupError(f"no {' '.join(map(str, _identity(patch)))} to patch")
        result[place] = merge(result[place], patch)
    return result


def merge(value: Any, patch: Any) -> Any:
    """Return `value` with `patch` merged in: mappings by key, lists of named items by name, anything else replaced."""
    if isinstance(value, dict) and isinstance(patch, dict):
        merged = {key: merge(value[key], patch[key]) if key in patch else value[key] for key in value}
        return {**merged, **{key: item for key, item in patch.items() if key not in value}}
    if isinstance(value, list) and isinstance(patch, list) and (key := _key([*value, *patch])):
        by_name = {item[key]: item for item in patch}
        kept = [merge(item, by_name.pop(item[key])) if item[key] in by_name else item for item in value]
        return [*kept, *by_name.values()]
    return patch


def _key(items: Sequence[Any]) -> str | None:
    """Return what tells these items from each other; None if they are no named items."""
    return next((key for key in _KEYS if all(isinstance(item, dict) and key in item for item in items)), None)


def _resources(folder: Traversable) -> Iterator[Object]:
    for name in _kustomization(folder).get("resources", ()):
        yield from _read(folder / name)


def _kustomization(folder: Traversable) -> Mapping[str, Any]:
    (content,) = _read(folder / "kustomization.yaml")
    return content


def _read(file: Traversable) -> list[Object]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def _identity(one: Object) -> tuple[str, str, str]:
    metadata = one["metadata"]
    return one["kind"], metadata.get("namespace", ""), metadata["name"]
