"""Who writes things down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grader.domain.decisions import FruitRecord, GateOutcome


class Journal(Protocol):
    """Keeps every decision and every outcome. Called from one thread."""

    def commit(self, records: Sequence[FruitRecord], outcomes: Sequence[GateOutcome]) -> None:
        """Write all of it and return when it is durable. Raises JournalError; then nothing was written."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
