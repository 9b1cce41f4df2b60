"""`grader` on the command line, and `python -m grader`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; what went wrong is said in a sentence, and the exit status is 1."""
    from grader.cli.main import run_command_line

    sys.exit(run_command_line())


if __name__ == "__main__":
    main()
