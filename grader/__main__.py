"""`grader` on the command line, and `python -m grader`."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def main() -> None:
    """Run the command line; what went wrong is said in a sentence, and the exit status is 1."""
    # The station spreads its work over processes itself; threads of a matrix library only get in its way. It reads
    # these when numpy is loaded.
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(library, "1")
    # A terminal that has no ✓ shows a question mark; it does not end the station.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    _when_asked_to_stop(_end_at_once)  # nothing is begun yet, and libraries that are half loaded make many words
    from grader.cli.main import run_command_line

    _when_asked_to_stop(signal.default_int_handler)  # KeyboardInterrupt: what is begun is put away first
    status = run_command_line()
    _when_asked_to_stop(signal.SIG_DFL)
    sys.exit(status)


def _when_asked_to_stop(then: Callable[[int, FrameType | None], Any] | signal.Handlers) -> None:
    """What a Ctrl-C and a polite kill do, unless whoever started this process wanted it deaf to them."""
    for asked in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(asked) is not signal.SIG_IGN:
            signal.signal(asked, then)


def _end_at_once(asked: int, frame: FrameType | None) -> None:
    print("✗ stopped", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    main()
