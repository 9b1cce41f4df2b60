"""Who writes things down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from grader.domain.decisions import FruitRecord, GateOutcome
from grader.domain.events import Event


class Journal(Protocol):
    """Keeps every decision, every outcome and every event. Called from one thread."""

    def commit(
        self, records: Sequence[FruitRecord], outcomes: Sequence[GateOutcome], events: Sequence[Event] = ()
    ) -> None:
        """Write all of it and return when it is durable.

        Raises JournalError; then nothing was written. JournalStalled, a kind of it, says that another try may do.
        """
        ...

    def remember(self, name: str, value: object) -> None:
        """Keep a small thing to go on with after a restart, in place of what had this name. Raises JournalError."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...


class PictureKeeper(Protocol):
    """Keeps pictures of fruit. Called from one thread, which nothing waits for."""

    def keep(self, lane: int, cup: int, pixels: NDArray[np.uint8]) -> None:
        """pixels: (height, width, n_bands). Raises OSError; then there is none, and no part of one."""
        ...

    def keep_skin(self, lane: int, cup: int, jpeg: bytes) -> None:
        """A fruit's views and the map of its skin, drawn. Raises OSError as `keep` does."""
        ...
