"""A status as programs read it: one JSON document, at ``/status.json``. Times are seconds since the epoch."""

import json
from typing import Any

import msgspec

from devbay.chronicle import Entry
from devbay.holders import Container
from devbay.status import BackendStatus, DeviceView, ResourceStatus, Status
from devbay.tally import Durations


def encode(status: Status, *, late: bool) -> bytes:
    """Return the document of a status; `late` tells that a newer one could not be had."""
    document = _document(status, late=late)
    try:
        return msgspec.json.encode(document)  # ten times as quick, and nothing else of the process runs meanwhile
    except UnicodeEncodeError:  # a path that is no text, say
        return json.dumps(document).encode()


def _document(status: Status, *, late: bool) -> dict[str, Any]:
    missing = status.missing()
    return {
        "at": status.at,
        "late": late,
        "node": status.node,
        "version": status.version,
        "started_at": status.started_at,
        "ready": not missing and not late,
        "missing": missing,
        "notes": status.notes(),
        "configuration": {
            "good": status.configuration.good,
            "problem": status.configuration.problem,
            "loaded_at": status.configuration.loaded_at,
            "waiting": status.configuration.waiting,
        },
        "loading": status.loading,
        "backends": [_backend(backend) for backend in status.backends],
        "resources": [_resource(status, resource) for resource in status.resources],
        "holders": {"known": status.holders is not None, "reason": status.holders_reason},
        "loop_lag": status.loop_lag,
        "rivals": status.rivals,
        "events": [_event(event) for event in status.events],
    }


def _backend(backend: BackendStatus) -> dict[str, Any]:
    return {
        "name": backend.name,
        "distribution": backend.distribution,
        "version": backend.version,
        "state": backend.state,
        "reason": backend.reason,
        "looked_at": backend.looked_at,
        "stuck": backend.stuck,
        "abandoned": backend.abandoned,
        "calls": {hook: {**_durations(did.seconds), "failures": did.failures} for hook, did in backend.calls.items()},
    }


def _durations(durations: Durations) -> dict[str, Any]:
    return {"count": durations.count, "seconds": durations.total, "last_seconds": durations.last}


def _resource(status: Status, resource: ResourceStatus) -> dict[str, Any]:
    counts = resource.counts
    return {
        "name": resource.name,
        "source": resource.offer.source,
        "backend": resource.offer.backend,
        "delivery": resource.offer.delivery,
        "policy": resource.offer.policy,
        "registration": {
            "state": resource.state.value,
            "reason": resource.reason,
            "streams": resource.streams,
            "socket": resource.socket,
            "registrations": counts.registrations,
            "refusals": counts.refusals,
            "restarts": counts.restarts,
        },
        "allocations": {
            "containers": counts.containers,
            "failures": counts.failures,
            "preferred": counts.preferred,
            **_durations(counts.allocations),
        },
        "advertised": resource.advertised,
        "devices": [_device(view) for view in status.devices(resource)],
    }


def _device(view: DeviceView) -> dict[str, Any]:
    device = view.device
    return {
        "id": device.id,
        "healthy": view.health.healthy,
        "reason": view.health.reason,
        "numa_nodes": device.numa_nodes,
        "parent": device.parent,
        "paths": device.paths,
        "attributes": dict(device.attributes),
        "ids": [{"id": share.id, "holder": _container(share.holder)} for share in view.shares],
    }


def _container(container: Container | None) -> dict[str, str] | None:
    return None if container is None else container._asdict()


def _event(event: Entry) -> dict[str, Any]:
    return {
        "at": event.at,
        "level": event.level,
        "event": event.text,
        "backend": event.backend,
        "resource": event.resource,
        "device": event.device,
        "details": dict(event.details),
    }
