"""Where the web is served, and from what: the settings and a subject, made into a server."""

from collections.abc import Mapping

from devbay.settings import WebSection
from devbay.web.routes import Routes
from devbay.web.server import Server
from devbay.web.witness import Subject, Witness

_POD = "KUBERNETES_SERVICE_HOST"
"""The variable that Kubernetes sets in every container of a pod."""


def site(section: WebSection, subject: Subject, environment: Mapping[str, str]) -> Server | None:
    """Return what serves `subject` as the settings say; None where nothing is. To be called on its loop."""
    address = section.address(in_pod=_POD in environment)
    return None if address is None else Server(address, Routes(Witness(subject), section))
