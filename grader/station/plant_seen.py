"""What changes at the plant: the belt, the emergency stop, full outlets; in words for the journal."""

from __future__ import annotations

from grader.domain.decisions import BoardStatus


class PlantSeen:
    """What the plant said last, to tell what has changed."""

    def __init__(self) -> None:
        self._before: BoardStatus | None = None

    def changes(self, status: BoardStatus) -> list[str]:
        """In words, since the last call."""
        before, self._before = self._before, status
        if before is None or before is status:
            return []
        said = [
            words[now]
            for was, now, words in (
                (before.belt_running, status.belt_running, ("the belt stopped", "the belt runs")),
                (before.jogging, status.jogging, ("the belt is not jogged any more", "the belt is jogged")),
                (
                    before.emergency_stop,
                    status.emergency_stop,
                    ("the emergency stop is released", "the emergency stop is pressed"),
                ),
            )
            if was is not now
        ]
        said += [f"outlet {outlet} is full" for outlet in sorted(status.outlets_full - before.outlets_full)]
        said += [f"outlet {outlet} has room again" for outlet in sorted(before.outlets_full - status.outlets_full)]
        return said
