"""A file is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write the file so that a crash, a full disk or a reader never meets half of it. Raises OSError.

    The folder is made if it is missing. What stood there before stays until the new content is durable.
    """
    replace_file_by_lines(path, [content])


def replace_file_by_lines(path: Path, lines: Iterable[bytes]) -> None:
    """`replace_file` for what is made line by line and need not fit into memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its target, because a rename is only atomic within one disk.
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as problem:
        problem.filename = str(path)  # a full disk does not say of which file
        raise
    finally:
        draft.unlink(missing_ok=True)
