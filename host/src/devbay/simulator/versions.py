"""What differs between Kubernetes releases, and how long the kubelet waits: plain values, nothing else.

A difference between releases is a field of `Behaviour`, named by what it does, so that no other module compares
version numbers.
"""

import re
from dataclasses import dataclass
from typing import Literal

from devbay.errors import ConfigError

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.\d+)?")
_NEWEST = (1, 37)
"""The newest release whose behaviour is known: its sources were read before it was made."""
_OLD = (1, 32)
_LAST_LEGACY = (1, 36)
_HEALTH = (1, 36)
_BEARING_NODES = (1, 36)
_ACTIVE_PODS = (1, 34)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How one Kubernetes release behaves where releases differ.

    Attributes:
        overlap: what the late end of an old stream does to a newer registration of the same resource. ``legacy``
            (to 1.36): it disconnects the newer one. ``keyed`` (later): clients are told apart by their socket.
        cleanup: what a starting kubelet deletes in its directory: ``sockets``, or (1.32) every ``files`` that is
            neither a directory nor its checkpoint.
        detached_registration: whether a registration goes on when the plugin's own Register call has ended (1.32).
        watcher_retries: whether a plugin that was found by its socket, and could not be registered, is tried again
            (not so in 1.32).
        panics_on_vanished: whether a device that leaves the list during its allocation would crash the kubelet.
        pod_resources_get: whether the pod-resources API has Get (alpha and off before 1.34).
        list_active_pods: whether its List leaves out pods that ended (from 1.34).
        resource_health: whether pods' statuses tell their devices' health (alpha and off before 1.36).
        hints_on_all_nodes: whether topology hints are made for all NUMA nodes of the machine, not only for those on
            which a resource has devices (before 1.36; Kubernetes pull request 138244).
        health_by_resource: whether a pod whose device changed is found by resource and id; to 1.36 by the id alone.
    """

    overlap: Literal["legacy", "keyed"] = "legacy"
    cleanup: Literal["sockets", "files"] = "sockets"
    detached_registration: bool = False
    watcher_retries: bool = True
    panics_on_vanished: bool = True
    pod_resources_get: bool = True
    list_active_pods: bool = True
    resource_health: bool = True
    hints_on_all_nodes: bool = False
    health_by_resource: bool = False

    @classmethod
    def of(cls, version: str) -> "Behaviour":
        """Return the behaviour of a Kubernetes release such as ``1.36``, ``v1.36.2`` or ``1.32``."""
        match = _VERSION.fullmatch(version)
        if match is None:
            raise ConfigError(f"{version!r} is not a Kubernetes version; write it as 1.36")
        release = (int(match[1]), int(match[2]))
        if release[0] != 1 or release > _NEWEST:
            raise ConfigError(
                f"how Kubernetes {version} behaves is not known; the newest release that is simulated is "
                f"{_NEWEST[0]}.{_NEWEST[1]}"
            )
        old = release <= _OLD
        return cls(
            overlap="legacy" if release <= _LAST_LEGACY else "keyed",
            cleanup="files" if old else "sockets",
            detached_registration=old,
            watcher_retries=not old,
            panics_on_vanished=not old,
            pod_resources_get=release >= _ACTIVE_PODS,
            list_active_pods=release >= _ACTIVE_PODS,
            resource_health=release >= _HEALTH,
            hints_on_all_nodes=release < _BEARING_NODES,
            health_by_resource=release > _LAST_LEGACY,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the kubelet waits, in seconds. The defaults are the kubelet's own.

    Attributes:
        dial: how long a Register call tries to reach the plugin's socket (DMP/client.go:132).
        pre_start: how long PreStartContainer may take (DM/endpoint.go:118).
        grace: how long a resource without a stream keeps its capacity (DM/types.go:125).
        watcher: how often ``plugins_registry`` is looked through (PM/plugin_manager.go:50).
        pod_sync: how often a pod's status is made anew without a reason (KL, syncFrequency; a kubelet waits up to
            half as long again).
        pod_retry: how long after a failed start of a container the pod is tried again (KL/kubelet.go, backOffPeriod).
        watchdog: after how long an unanswered allocation call is reported as a finding. It is never cut off, since
            the kubelet does not (DM/manager.go:369).
    """

    dial: float = 10.0
    pre_start: float = 30.0
    grace: float = 300.0
    watcher: float = 1.0
    pod_sync: float = 60.0
    pod_retry: float = 10.0
    watchdog: float = 5.0

    def dial_for(self, remaining: float | None) -> float:
        """Return how long a dial may take whose caller waits so many seconds more, None for ever (behaviour 8)."""
        return self.dial if remaining is None else min(self.dial, remaining)
