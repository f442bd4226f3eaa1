"""The kubelet's rule for the name of an extended resource. Pure."""

import re

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_QUOTA = "requests."
_LONGEST_DOMAIN = 253
_LONGEST_NAME = 63


def is_extended_resource(name: str) -> bool:
    """Say whether a kubelet accepts `name` as a resource a plugin may register.

    pkg/apis/core/v1/helper/helpers.go:39-63: not a native resource (no domain, or kubernetes.io/ anywhere in it), not
    a quota's name, and a qualified name when ``requests.`` is put before it, as quotas do.
    """
    if "/" not in name or "kubernetes.io/" in name or name.startswith(_QUOTA):
        return False
    domain, _, rest = (_QUOTA + name).partition("/")
    return (
        len(domain) <= _LONGEST_DOMAIN
        and _LABEL.fullmatch(domain) is not None
        and len(rest) <= _LONGEST_NAME
        and _NAME.fullmatch(rest) is not None
    )
