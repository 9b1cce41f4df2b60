"""Those who work something out beside the line, on another core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grader.domain.skin import MappedSkin, Sighting


class SkinMaps(Protocol):
    """Maps the skin of fruit."""

    def ask(self, sightings: Sequence[Sighting]) -> None:
        """Have fruit mapped. Never blocks: where there are too many, some are not mapped. Raises DeviceError when it is
        gone."""
        ...

    def made(self) -> list[MappedSkin]:
        """Maps since the last call, in any order. Never blocks. Raises DeviceError when it is gone."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
