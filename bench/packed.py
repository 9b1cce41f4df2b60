"""How long the packed form takes for a frame, each way: `python -m bench.packed`.

One thread, 1280 x 1210 BGR, encode to a file and decode from it, everything included. The picture is a belt of rollers
with round fruit and sensor noise of SD 1.5 counts (seeded), which compresses as recorded fruit do: by about 1.8.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grader.domain.frames import Frame
from grader.domain.installation import CameraPlace, Installation, Line
from grader.storage.recordings.findings import Findings
from grader.storage.recordings.packed import PackedRecording, PackedWriter
from grader.storage.recordings.slots import Slot
from grader.units import HostNs, Pulse

WIDTH_PX, HEIGHT_PX = 1280, 1210
BUDGET_MS = 9.0
FRAMES_PER_ROUND = 8
NOISE_SD = 1.5


def measure(seconds: float) -> dict[str, float]:
    """packed_encode_ms, packed_decode_ms (medians), their 95 % quantiles and packed_ratio (raw over packed bytes).

    Every frame is compared with what was written. Raises ValueError when one differs.
    """
    pictures = [belt_picture(seed) for seed in range(4)]
    installation = _installation()
    encode_ms: list[float] = []
    decode_ms: list[float] = []
    size = 0
    end = time.perf_counter() + seconds
    with tempfile.TemporaryDirectory(prefix="packed-") as folder:
        while not decode_ms or time.perf_counter() < end:
            path = Path(folder) / "line.packed"
            encode_ms += _encode(path, pictures, installation)
            size = path.stat().st_size
            decode_ms += _decode(path, pictures)
            path.unlink()
    return {
        "packed_encode_ms": float(np.median(encode_ms)),
        "packed_encode_ms_p95": float(np.quantile(encode_ms, 0.95)),
        "packed_decode_ms": float(np.median(decode_ms)),
        "packed_decode_ms_p95": float(np.quantile(decode_ms, 0.95)),
        "packed_ratio": FRAMES_PER_ROUND * pictures[0].size / size,
    }


def belt_picture(seed: int) -> NDArray[np.uint8]:
    """(1210, 1280, 3) uint8 BGR: 80 shaded red and yellow discs on dark rollers, with noise."""
    rng = np.random.default_rng(seed)
    across, along = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    roller = 30 + 12 * np.cos(2 * np.pi * along / 120) ** 6
    picture = roller[..., None] * np.array([1.05, 1.0, 0.93], np.float32)
    wear = cv2.GaussianBlur(rng.normal(0, 60, (HEIGHT_PX, WIDTH_PX)).astype(np.float32), (0, 0), 9)
    picture += wear[..., None]
    for lane in range(8):
        for cup in range(10):
            x, y, radius = 60 + 120 * cup + rng.normal(0, 4), 80 + 150 * lane + rng.normal(0, 4), rng.uniform(42, 54)
            box = np.s_[max(int(y) - 60, 0) : int(y) + 60, max(int(x) - 60, 0) : int(x) + 60]
            height = 1 - ((along[box] - x) ** 2 + (across[box] - y) ** 2) / radius**2
            shade = np.sqrt(np.clip(height, 0, 1))[..., None]
            blush = 0.5 + 0.5 * np.sin(along[box] / 9 + rng.uniform(0, 6))[..., None]
            skin = blush * np.array([40.0, 45.0, 170.0]) + (1 - blush) * np.array([70.0, 170.0, 190.0])
            picture[box] = np.where(height[..., None] > 0, 30 + skin * shade, picture[box])
    picture += rng.normal(0, NOISE_SD, picture.shape)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _encode(path: Path, pictures: list[NDArray[np.uint8]], installation: Installation) -> list[float]:
    taken_ms = []
    with PackedWriter(path, installation) as writer:
        for number in range(FRAMES_PER_ROUND):
            frame = Frame("top", number, Pulse(48 * number), HostNs(number), pictures[number % len(pictures)])
            start = time.perf_counter()
            writer.write_frame(frame)
            taken_ms.append((time.perf_counter() - start) * 1e3)
    return taken_ms


def _decode(path: Path, pictures: list[NDArray[np.uint8]]) -> list[float]:
    """One frame after the other in this thread: the background threads of a reader would share the work."""
    taken_ms = []
    recording = PackedRecording(path, Findings())
    slot = Slot()
    for number, row in enumerate(recording.frame_rows):
        start = time.perf_counter()
        frame = recording.decoded(row, slot)
        taken_ms.append((time.perf_counter() - start) * 1e3)
        if frame.pixels is None or not np.array_equal(frame.pixels, pictures[number % len(pictures)]):
            raise ValueError(f"frame {number} came back changed")
    return taken_ms


def _installation() -> Installation:
    camera = CameraPlace(
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        bands=("blue", "green", "red"),
        mm_per_px=0.8,
        cup_zero_px=(0.0, 80.0),
        lane_pitch_px=150.0,
        pulses_per_frame=48,
    )
    line = Line(lanes=8, pulses_per_cup=96, mm_per_pulse=1.0, cups_per_second=15.0)
    return Installation(fruit="apple", line=line, cameras={"top": camera})


def main() -> None:
    """Print the figures; fail above the budget."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("--seconds", type=float, default=5.0)
    figures = measure(ask.parse_args().seconds)
    for name, value in figures.items():
        print(f"{name:24s} {value:8.2f}")
    if max(figures["packed_encode_ms"], figures["packed_decode_ms"]) > BUDGET_MS:
        raise SystemExit(f"above the budget of {BUDGET_MS} ms")


if __name__ == "__main__":
    main()
