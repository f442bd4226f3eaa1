"""What a process in another network namespace says, as JSON: ``python -m tests.backends.sriov.inside`` with arguments.

``uses SYS PROC`` says why functions are not offered; ``hears SYS PROC COMMAND…`` runs a command, and says whether
`watch` woke the host.
"""

import json
import subprocess
import sys
import threading
from pathlib import Path

from devbay.api import Node
from devbay_sriov import watcher
from devbay_sriov.usage import Usage
from tests.backends.sriov import trees

_PATIENCE = 20.0


def uses(node: Node) -> dict[str, list[str]]:
    """Return what each function is used for, and under no name why that is not known."""
    usage = Usage(f"{node.sys}", f"{node.proc}")
    found = {name: list(usage(function)) for name, function in trees.scan(node, "02").items()}
    return found | {"": [usage.blindness] if usage.blindness else []}


def hears(node: Node, *command: str) -> bool:
    """Return whether `watch` wakes the host after a command."""
    woken, stop = threading.Event(), threading.Event()
    settings = trees.settings(device_info_dir="")
    thread = threading.Thread(target=watcher.watch, args=(node, settings, woken.set, stop))
    thread.start()
    heard = woken.wait(_PATIENCE)  # as soon as it listens, for what came before
    woken.clear()
    subprocess.run(command, check=True)
    heard = woken.wait(_PATIENCE) and heard
    stop.set()
    thread.join(_PATIENCE)
    return heard and not thread.is_alive()


def main(what: str, sys_root: str, proc_root: str, *command: str) -> None:
    """Print the answer."""
    node = Node(name="inside", sys=Path(sys_root), proc=Path(proc_root), dev=Path("/dev"))
    print(json.dumps(uses(node) if what == "uses" else hears(node, *command)))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
