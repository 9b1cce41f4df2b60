"""The belt under the fruit: dark rollers between the cups, wear, and by level dirt, drops, leaves and labels."""

from __future__ import annotations

import cv2
import numpy as np

from hardware.sim.draws import keyed
from hardware.sim.levels import Level
from hardware.sim.render import Lens
from hardware.sim.skin import Grid
from hardware.sim.varieties import linear

BELOW_MM = 42.0  # the belt lies so far below the widest section of a fruit of 80 mm
STRIP_MM_PER_PX = 0.8

LEAF = (0.02, 0.06, 0.04, 0.5)
DRY_LEAF = (0.03, 0.07, 0.11, 0.5)
LABELS = ((0.6, 0.62, 0.63, 0.75), (0.35, 0.2, 0.06, 0.7), (0.08, 0.3, 0.55, 0.7))
DIRT = (0.022, 0.032, 0.045, 0.1)


class Belt:
    """A strip of belt, joined end to end, that moves with the encoder.

    `behind_mm` is how far a point of the belt lies behind cup zero's cup 0: the centre of cup k is at k * pitch_mm.
    """

    def __init__(
        self, level: Level, seed: int, *, lanes: int, lane_pitch_mm: float, pitch_mm: float, cups: int, bands: int
    ) -> None:
        self._length_px = round(cups * pitch_mm / STRIP_MM_PER_PX)
        height_px = round((lanes * lane_pitch_mm + 80.0) / STRIP_MM_PER_PX)
        strip = _rollers(self._length_px, height_px, pitch_mm / STRIP_MM_PER_PX, lane_pitch_mm / STRIP_MM_PER_PX, lanes)
        if level.belt_dirt:
            _wear(strip, keyed(seed, "wear"))
            _litter(strip, keyed(seed, "litter"), cups * lanes)
        self._strip: Grid = np.ascontiguousarray(strip[..., :bands])

    def draw_into(self, canvas: Grid, lens: Lens, pulse_mm: float, cup_zero_mm: tuple[float, float]) -> None:
        """Fills a picture (h, w, bands) with the belt's linear light. cup_zero_mm: world place of cup zero, lane 0."""
        scale = (lens.above_mm + BELOW_MM) / lens.above_mm * lens.mm_per_px / STRIP_MM_PER_PX
        # Strip column of pixel x: the belt's points run backwards as x grows.
        first = (pulse_mm + cup_zero_mm[0]) / STRIP_MM_PER_PX + lens.foot_px[0] * scale
        needed = int(canvas.shape[1] * scale) + 3
        left = int(np.floor(first - needed))
        window = self._strip.take(range(left, left + needed + 3), axis=1, mode="wrap")
        top = self._strip.shape[0] / 2.0 - lens.foot_px[1] * scale
        place = np.array([[-scale, 0.0, first - left], [0.0, scale, top]])
        cv2.warpAffine(
            window,
            place,
            (canvas.shape[1], canvas.shape[0]),
            dst=canvas,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def _rollers(length_px: int, height_px: int, pitch_px: float, lane_px: float, lanes: int) -> Grid:
    along = np.arange(length_px, dtype=np.float32) / pitch_px
    across = (np.arange(height_px, dtype=np.float32) - height_px / 2.0) / lane_px + lanes / 2.0
    roller = 0.009 + 0.014 * np.cos(2.0 * np.pi * (along + 0.5)).clip(0.0) ** 5
    roller += 0.003 * np.cos(6.0 * np.pi * along)
    rail = 0.012 * np.exp(-(((across + 0.5) % 1.0 - 0.5) ** 2) / 0.0012)
    grey = np.maximum(
        roller[None] * (0.75 + 0.25 * np.cos(2.0 * np.pi * (across - 0.5)))[:, None] + rail[:, None], 0.004
    )
    return np.asarray(grey[..., None] * linear((1.08, 1.0, 0.93, 1.3)), np.float32)


def _wear(strip: Grid, rng: np.random.Generator) -> None:
    """Scratches and films of grime, closed end to end."""
    height, length = strip.shape[:2]
    coarse = rng.standard_normal((height // 8 + 1, length // 8)).astype(np.float32)
    film = cv2.GaussianBlur(np.concatenate([coarse] * 3, axis=1), (0, 0), 2.0)[:, length // 8 : 2 * (length // 8)]
    film = cv2.resize(film, (length, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.standard_normal((height, length)).astype(np.float32)
    strip *= np.clip(1.0 + 1.6 * np.asarray(film, np.float32) + 0.12 * fine, 0.35, 2.2)[..., None]


def _litter(strip: Grid, rng: np.random.Generator, places: int) -> None:
    """Patches of dirt, drops, leaves and labels, a few in a hundred cups each; a loop over the few things there are."""
    height, length = strip.shape[:2]

    def lay(
        count: float,
        size_mm: tuple[float, float],
        longer: tuple[float, float],
        colours: tuple[tuple[float, ...], ...],
        cover: float,
    ) -> None:
        for _ in range(int(rng.poisson(count * places / 100.0))):
            centre = (float(rng.uniform(0, length)), float(rng.uniform(0, height)))
            half = rng.uniform(*size_mm) / STRIP_MM_PER_PX / 2.0
            long = half * float(rng.uniform(*longer))
            colour = linear(colours[int(rng.integers(len(colours)))]) * float(rng.uniform(0.8, 1.2))
            lean = float(rng.uniform(0.0, 180.0))
            reach = int(long) + 3
            x0, y0 = int(centre[0]) - reach, int(centre[1]) - reach
            y, x = np.mgrid[y0 : y0 + 2 * reach, x0 : x0 + 2 * reach].astype(np.float32)
            c, s = np.cos(np.radians(lean)), np.sin(np.radians(lean))
            u, v = (x - centre[0]) * c + (y - centre[1]) * s, (y - centre[1]) * c - (x - centre[0]) * s
            inside = (1.0 - np.hypot(u / long, v / half)) * half
            share = cover * np.clip(0.5 + inside, 0.0, 1.0)[..., None]
            rows, columns = np.clip(y[:, 0].astype(int), 0, height - 1), x[0].astype(int) % length
            spot = np.ix_(rows, columns)
            strip[spot] = strip[spot] + share * (colour - strip[spot])

    lay(60.0, (3.0, 25.0), (1.0, 2.5), (DIRT,), 0.6)
    lay(40.0, (1.5, 5.0), (1.0, 1.4), ((0.06, 0.06, 0.06, 0.02), (0.25, 0.25, 0.25, 0.1)), 0.7)
    lay(3.0, (14.0, 24.0), (1.6, 2.4), (LEAF, DRY_LEAF), 0.95)
    lay(2.0, (16.0, 22.0), (1.0, 1.3), LABELS, 0.98)
