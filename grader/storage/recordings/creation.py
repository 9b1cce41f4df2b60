"""A new recording that gets its name once it is whole: nothing that was broken off can be taken for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.domain.installation import Installation
from grader.errors import BadRecording
from grader.storage.recordings.folder import RecordingWriter
from grader.storage.recordings.packed import SUFFIX, PackedWriter
from grader.storage.recordings.writer import Writer, disk_errors


def is_packed_name(path: Path) -> bool:
    """Whether a new recording of this name is to be in the packed form."""
    return path.suffix == SUFFIX


@contextmanager
def new_recording(path: Path, installation: Installation) -> Iterator[Writer]:
    """A writer of the form that the name asks for. See `whole_or_not_at_all`."""
    kind = PackedWriter if is_packed_name(path) else RecordingWriter
    with whole_or_not_at_all(path) as part, kind(part, installation) as writer:
        yield writer


@contextmanager
def whole_or_not_at_all(target: Path) -> Iterator[Path]:
    """Where to write: NAME.part, which gets the name of `target` when the block ends, and is removed when it fails.

    A process that is killed leaves NAME.part behind. Raises BadRecording, before any work is done, when there is
    something under either name; a recording in the open form may take the place of an empty folder.
    """
    target = target.resolve()
    part = target.with_name(f"{target.name}.part") if target.name else target
    if target.exists() and (is_packed_name(target) or not _is_empty_folder(target)):
        raise BadRecording(target, "is there already", remedy="name a new file or folder")
    if target.is_mount() or target == Path.cwd():
        raise BadRecording(target, "cannot be replaced by a recording", remedy="name a new folder in it")
    if part.exists():
        raise BadRecording(part, "was left by a command that did not end", remedy="remove it, unless one still writes")
    try:
        yield part
        with disk_errors(target):
            part.rename(target)
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
