"""The counters a kubelet keeps about device plugins, under its own metric names (KL/metrics/metrics.go:85-92)."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field


@dataclass(slots=True)
class Metrics:
    """Counters by resource name.

    Attributes:
        device_plugin_registration_total: Register calls, refused ones too (DMP/server.go:162, behaviour 4).
        device_plugin_alloc_duration_seconds: how long every Allocate took, failed ones too (DM/manager.go:905,
            behaviour 41).
        admission_rejections_total: rejected pods by reason.
    """

    device_plugin_registration_total: Counter[str] = field(default_factory=Counter)
    device_plugin_alloc_duration_seconds: defaultdict[str, list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    admission_rejections_total: Counter[str] = field(default_factory=Counter)
