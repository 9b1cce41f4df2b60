"""The portraits of cups on their way, until somebody else maps the skin of what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from grader.domain.skin import PORTRAIT_PX, Portraits, Sighting
from grader.vision.rays import N_RAYS

Index = NDArray[np.int64]


@dataclass(slots=True)
class Skins:
    """portraits: (lanes, slots, views) of them, where the views are kept, too. mapped: (lanes, slots) bool, the map of
    the cup's fruit is joined. sightings: of fruit that have left the picture, since they were last taken. undecided: by
    (lane, cup), of all that are not decided about."""

    portraits: Portraits
    mapped: NDArray[np.bool_]
    sightings: list[Sighting] = field(default_factory=list)
    undecided: dict[tuple[int, int], Sighting] = field(default_factory=dict)

    @classmethod
    def of(cls, lanes: int, slots: int, views: int) -> Skins:
        """Room for so many, all of it taken at once: a belt that crawls shows fruit in many more views than usual, and
        then a line shall neither grow nor wait for memory."""
        shape = (lanes, slots, views)
        kept = Portraits(
            np.full((*shape, PORTRAIT_PX, PORTRAIT_PX, 3), 0, np.uint8),
            np.full((*shape, 2), 0, np.float32),
            np.full((*shape, N_RAYS), 0, np.float32),
        )
        return cls(kept, np.zeros((lanes, slots), bool))

    def keep(self, lane: Index, slot: Index, place: Index, portraits: Portraits) -> None:
        """Portraits of as many views."""
        self.portraits.pixels[lane, slot, place] = portraits.pixels
        self.portraits.centre_px[lane, slot, place] = portraits.centre_px
        self.portraits.radius_px[lane, slot, place] = portraits.radius_px

    def sight(
        self, lane: int, slot: int, cup: int, views: NDArray[np.float32], pulses: Index, whole: NDArray[np.bool_]
    ) -> None:
        """A fruit is to be mapped: by its views (v, VIEW_WIDTH) at pulses (v,), those that count (v,)."""
        kept = self.portraits
        of_fruit = Portraits(
            kept.pixels[lane, slot][whole], kept.centre_px[lane, slot][whole], kept.radius_px[lane, slot][whole]
        )
        sighting = Sighting(lane, cup, pulses[whole], views[whole], of_fruit)
        self.sightings.append(sighting)
        self.undecided[lane, cup] = sighting
