"""The process: from a command line to an exit code. The only place that exits."""

import contextlib
import os
import sys
import traceback
from pathlib import Path

# Before anything imports it: grpc's C core writes its own lines to stderr, where ours are.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# structlog loads rich wherever that is installed, for tracebacks that no log of ours has: 4 MiB of every node.
sys.modules["rich"] = None  # type: ignore[assignment]  # what makes an import fail
import structlog  # noqa: E402, F401 - now, while it finds no rich

del sys.modules["rich"]

from devbay.cli import Exit, run_command_line, writing  # noqa: E402 - it imports structlog


def main() -> None:
    """Run the command that was typed, and end the process with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we live
    try:
        code = run_command_line(sys.argv[1:])
    except Exception:  # noqa: BLE001 - a mistake of ours: its traceback goes the way of the log, which may be stuck
        writing.last_words(sys.stderr, traceback.format_exc())
        code = Exit.FAILED
    writing.drain()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # a reader that is gone, a disk that is full
            stream.flush()
    # Not sys.exit: a backend's call that hangs in C must not hold the end up.
    os._exit(code)


if __name__ == "__main__":
    main()
