"""CDI files read and applied as container runtimes do it: the other side of what a device plugin writes.

Written from the behaviour of the CDI library 1.1.0, on which containerd, CRI-O, docker and podman rest, and sharing
nothing with a writer of such files. Useful alone, as a reader that a test holds against a writer:

    registry = Registry([Path("/etc/cdi"), Path("/var/run/cdi")])  # a later directory wins
    registry.errors                                                # by file: why a runtime passes it over
    registry.resolve(["vendor.com/class=name"])                    # what a container with this device gets

Comments cite the CDI library's sources, and containerd's where they say so.
"""

from devbay.simulator.cdi.application import Inapplicable
from devbay.simulator.cdi.names import InvalidName, QualifiedName, requested
from devbay.simulator.cdi.names import parse as parse_name
from devbay.simulator.cdi.registry import Found, Registry, Unresolvable
from devbay.simulator.cdi.specification import Edits, Malformed, Specification
from devbay.simulator.cdi.specification import parse as parse_file
from devbay.simulator.cdi.validation import Invalid
from devbay.simulator.cdi.validation import check as check_file
from devbay.simulator.cdi.versions import minimum as minimum_version

__all__ = [
    "Edits",
    "Found",
    "Inapplicable",
    "Invalid",
    "InvalidName",
    "Malformed",
    "QualifiedName",
    "Registry",
    "Specification",
    "Unresolvable",
    "check_file",
    "minimum_version",
    "parse_file",
    "parse_name",
    "requested",
]
