"""The process: from a command line to an exit code. The only place that exits."""

import contextlib
import os
import sys
from pathlib import Path

# Before anything imports it: grpc's C core writes its own lines to stderr, where ours are.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from devbay.cli import run_command_line


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we live
    code = run_command_line(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a reader that is gone, a disk that is full
            stream.flush()
    # Not sys.exit: a backend's call that hangs in C must not hold the end up.
    os._exit(code)


if __name__ == "__main__":
    main()
