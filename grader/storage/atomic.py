"""A file is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write the file so that a crash, a full disk or a reader never meets half of it. Raises OSError.

    The folder is made if it is missing. What stood there before stays until the new content is durable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its target, because a rename is only atomic within one disk.
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
