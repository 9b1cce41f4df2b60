"""The rays from the middle of a fruit along which its outline is told."""

from __future__ import annotations

import numpy as np

N_RAYS = 48
"""Rays per outline: at 50 px radius the outline bulges 0.1 px over the chord between two of them."""

RAY_ANGLES = (np.arange(N_RAYS) * (2 * np.pi / N_RAYS)).astype(np.float32)
RAYS = np.stack([np.cos(RAY_ANGLES), np.sin(RAY_ANGLES)]).astype(np.float32)  # (2, N_RAYS)
