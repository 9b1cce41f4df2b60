"""The hot path: one frame of 80 fruit, as a ratio to one BGR to HSV conversion of the same frame in the same run.

Bodies are measured, and the places of their portraits; tracking copies those (`portraits`, not in the sum). Skin is
measured once per fruit, not once per frame: see `skin_map`.

    python -m bench.hot_path

Every stage is timed by itself in the same rounds. Beside it stands the same work done with scikit-image: a mask, label,
regionprops; its results are compared with those of the hot path before either is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.frames import SEED, BenchFrame, full_frame
from bench.timing import interleaved
from grader.domain.views import Occupancy, ViewFeatures
from grader.vision.eye import SHRINK, Eye
from grader.vision.geometry import cups_in_view
from grader.vision.size import sizes


def measure(seconds: float = 5.0) -> dict[str, float]:
    """hot_path_x_hsv and its parts, milliseconds, and how many times slower scikit-image is (if it is installed).

    Raises AssertionError when a timed result is wrong.
    """
    cv2.setNumThreads(1)
    frame = full_frame()
    eye = Eye(frame.installation.cameras["top"], frame.installation.line)
    views, _ = eye.look(frame.pixels, frame.pulse)
    in_view = int(np.isin(views.occupancy, (Occupancy.ONE, Occupancy.TOUCHING, Occupancy.OVERSIZE)).sum())
    assert in_view >= 70, f"only {in_view} fruit were found in the frame"
    hsv = np.empty_like(frame.pixels)
    times = interleaved(
        {
            "hsv": lambda: cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2HSV, dst=hsv),
            "look": lambda: eye.look(frame.pixels, frame.pulse),
            **_stages(eye, frame),
        },
        seconds,
    )
    _assert_same(views, eye.look(frame.pixels, frame.pulse)[0])
    unit_ms = float(np.median(times["hsv"]))
    ratios = times["look"] / times["hsv"]
    numbers = {
        "hot_path_x_hsv": float(np.median(times["look"])) / unit_ms,
        "hot_path_x_hsv_p99": float(np.percentile(ratios, 99)),
        "hot_path_x_hsv_worst": float(ratios.max()),
        "hot_path_ms": float(np.median(times["look"])),
        "hot_path_fruit_in_view": float(in_view),
        "hsv_ms": unit_ms,
    }
    for name, taken in times.items():
        if name not in ("hsv", "look"):
            numbers[f"hot_path_{name}_x_hsv"] = float(np.median(taken)) / unit_ms
    return numbers | _scikit_image(frame, views, float(np.median(times["look"])))


def _stages(eye: Eye, frame: BenchFrame) -> dict[str, Callable[[], object]]:
    """The stages of `Eye.look` one by one, each on what the one before left."""
    cups = cups_in_view(eye.camera, eye.line, frame.pulse)
    eye.shrink(frame.pixels)
    outlines = eye.outline(eye.distance_from_belt(), cups)
    return {
        "shrink": lambda: eye.shrink(frame.pixels),
        "belt": eye.distance_from_belt,
        "outline": lambda: eye.outline(eye._belt.counts, cups),
        "size": lambda: sizes(outlines, eye.camera, SHRINK),
        "portraits": lambda: eye.portraits(outlines).portraits(),
        "rows": lambda: eye.laid_into_cups(cups_in_view(eye.camera, eye.line, frame.pulse), outlines),
    }


def _assert_same(first: ViewFeatures, second: ViewFeatures) -> None:
    """The timed calls gave what the first call gave."""
    assert (first.occupancy == second.occupancy).all(), "a second look found other fruit"
    assert np.array_equal(first.widest_mm, second.widest_mm, equal_nan=True), "a second look measured other sizes"


def _scikit_image(frame: BenchFrame, views: ViewFeatures, hot_path_ms: float) -> dict[str, float]:
    """The same measures by scikit-image, three times; nothing when it is not installed."""
    try:
        import skimage  # noqa: F401  a library for developers only
    except ImportError:
        return {}
    taken = []
    for _ in range(3):
        before = time.perf_counter()
        rows = _regionprops(frame)
        taken.append((time.perf_counter() - before) * 1e3)
    _assert_alike(rows, views, frame)
    return {"skimage_ms": float(np.median(taken)), "skimage_x_hot_path": float(np.median(taken)) / hot_path_ms}


def _regionprops(frame: BenchFrame) -> NDArray[np.float64]:
    """Per region: centre x and y (px), area (px), longer and shorter axis (px).

    As one would write it with the library: a threshold, `label`, `regionprops`.
    """
    from skimage.color import rgb2hsv
    from skimage.measure import label, regionprops
    from skimage.morphology import disk, opening

    rgb = frame.pixels[:, :, ::-1]
    hsv = rgb2hsv(rgb)
    mask = opening((hsv[:, :, 1] > 0.25) & (hsv[:, :, 2] > 0.25) | (hsv[:, :, 2] > 0.5), disk(4))
    rows = []
    for region in regionprops(label(mask)):
        if region.area_filled < 1500:
            continue
        rows.append(
            (
                region.centroid[1],
                region.centroid[0],
                region.area_filled,
                region.axis_major_length,
                region.axis_minor_length,
            )
        )
    return np.array(rows)


def _assert_alike(rows: NDArray[np.float64], views: ViewFeatures, frame: BenchFrame) -> None:
    """Both ways saw the same fruit: as many of them, as large, to what the plainer method can do."""
    camera = frame.installation.cameras["top"]
    cups = cups_in_view(camera, frame.installation.line, frame.pulse)
    one = np.flatnonzero(views.occupancy == Occupancy.ONE)
    distance = np.hypot(rows[:, 0][:, None] - cups.x_px[one], rows[:, 1][:, None] - cups.y_px[one])
    pairs = [(region, one[cup]) for cup, region in enumerate(distance.argmin(axis=0)) if distance[region, cup] < 25]
    assert len(pairs) >= 0.9 * len(one), f"scikit-image found {len(pairs)} of {len(one)} fruit"
    region, cup = np.array(pairs).T
    area_ratio = rows[region, 2] * camera.mm_per_px**2 / views.area_mm2[cup]
    assert 0.95 < np.median(area_ratio) < 1.1, f"areas differ: {np.median(area_ratio):.3f}"
    wider = rows[region, 3] * camera.mm_per_px / views.widest_mm[cup]
    assert 0.95 < np.median(wider) < 1.05, f"widths differ: {np.median(wider):.3f}"


if __name__ == "__main__":
    print(f"seed {SEED}")
    for key, value in measure().items():
        print(f"{key:<32} {value:10.4g}")
