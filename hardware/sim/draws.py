"""Chance that does not depend on the order of calls: every draw is keyed by what it is for."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def keyed(seed: int, purpose: str, *ids: int) -> np.random.Generator:
    """A generator for one purpose of one thing: the same key draws the same numbers, on any core, in any order.

    ids: whole numbers from 0, such as lane, cup, frame. Their count is part of the key: a seed sequence takes (1, 2)
    and (1, 2, 0) for the same.
    """
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([seed, crc32(purpose.encode()), len(ids), *ids]))
    )
