"""`grader` on the command line, and `python -m grader`."""

from __future__ import annotations

import io
import os
import sys


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
    from grader.cli.main import run_command_line

    sys.exit(run_command_line())


if __name__ == "__main__":
    main()
