"""Recordings: what the line's devices said, in order, so that a station can be run on it again and decide the same.

The open form is a folder that any language, a spreadsheet and an image viewer can open; the packed form is one file
that is written at the speed of the line. Each converts to the other without loss.
"""

from grader.storage.recordings.conversion import convert
from grader.storage.recordings.creation import new_recording
from grader.storage.recordings.findings import Problem
from grader.storage.recordings.folder import FolderRecording, RecordingWriter
from grader.storage.recordings.opening import open_gradable, open_recording, read_truth, recording_sha256
from grader.storage.recordings.packed import PackedRecording, PackedWriter
from grader.storage.recordings.recording import Recording
from grader.storage.recordings.rows import FrameRow, IndexMark
from grader.storage.recordings.validation import validate
from grader.storage.recordings.writer import Writer

__all__ = [
    "FolderRecording",
    "FrameRow",
    "IndexMark",
    "PackedRecording",
    "PackedWriter",
    "Problem",
    "Recording",
    "RecordingWriter",
    "Writer",
    "convert",
    "new_recording",
    "open_gradable",
    "open_recording",
    "read_truth",
    "recording_sha256",
    "validate",
]
