"""Draws the pictures of README.md anew: python docs/images/draw.py (chromium and Noto CJK fonts are needed).

page-en.png, page-zh.png: the terminal page of a live run. frame.jpg: a frame of the simulated line, with what is seen.
skin.jpg: one of its fruit, by `grader explain`. blush.jpg: skins by `grader calibrate blush`.
"""

from __future__ import annotations

import html
import io
import re
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from rich.cells import cell_len
from rich.console import Console

from grader.app.calibrating import find_blush, write_blush_picture
from grader.app.explaining import explain
from grader.app.live import started
from grader.app.simulated_line import SimulatedRun
from grader.app.simulating import write_simulated
from grader.cli.page import render
from grader.cli.words import LANGUAGES
from grader.domain.snapshot import Snapshot
from grader.domain.views import Occupancy
from grader.storage.recordings import read_truth
from grader.vision.eye import SHRINK, Eye
from grader.vision.geometry import cups_in_view
from grader.vision.rays import RAYS
from grader.vision.skin_map.picture import picture_of
from hardware.sim.levels import LEVELS
from hardware.sim.line import LineSettings, SimulatedLine

HERE = Path(__file__).parent
RUN_S = 90.0
COLUMNS, ROWS = 96, 24
STRIP_PX = 492
"""One skin with its caption."""
COLOURS = {Occupancy.ONE: (90, 220, 90), Occupancy.TOUCHING: (0, 170, 255), Occupancy.OVERSIZE: (0, 0, 255)}


def draw_pages() -> None:
    """The page as it stands after a minute and a half of a real run, in both languages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        started(SimulatedRun(Path(folder), lot="2026-11-22/1", grower="Orchard 7")) as live,
    ):
        end = time.monotonic() + RUN_S
        while time.monotonic() < end:
            time.sleep(0.25)
            snapshot = live.tick()
    for language in LANGUAGES:
        _photograph(_drawn(snapshot, language), HERE / f"page-{language}.png")


def _drawn(snapshot: Snapshot, language: str) -> str:
    console = Console(record=True, width=COLUMNS, height=ROWS, file=io.StringIO(), force_terminal=True)
    console.print(render(snapshot, language, keys=True))
    svg = console.export_svg(title="grader run")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no fonts from elsewhere
    svg = svg.replace("Fira Code", "DejaVu Sans Mono, Noto Sans Mono CJK SC")
    # rich gives a text the length of its characters; a Chinese one is two cells wide.
    return re.sub(r'textLength="([\d.]+)"([^>]*)>([^<]*)<', _as_wide_as_its_cells, svg)


def _as_wide_as_its_cells(text: re.Match[str]) -> str:
    length, between, words = float(text[1]), text[2], text[3]
    shown = html.unescape(words)
    return f'textLength="{length / len(shown) * cell_len(shown):.1f}"{between}>{words}<'


def _photograph(svg: str, png: Path) -> None:
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(f"<body style='margin:0'>{svg}</body>", encoding="utf-8")
        window = f"--window-size={round(float(width))},{round(float(height))}"
        chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", window]
        subprocess.run([*chromium, f"--screenshot={png}", page.as_uri()], check=True, capture_output=True)


def draw_frame() -> None:
    """One frame of the simulated line: outlines as the eye has them, and the widest calliper of this view."""
    line = SimulatedLine(LineSettings(level=LEVELS["changing"], seed=4, lanes=4, loop_cups=12))
    camera = line.installation.cameras["top"]
    sequence = 48
    pixels = np.empty((camera.height_px, camera.width_px, 3), np.uint8)
    line.render_into(sequence, pixels)
    pulse = line.pulse_of_frame(sequence)
    eye = Eye(camera, line.installation.line)
    cups = cups_in_view(camera, line.installation.line, pulse)
    views, _ = eye.look(pixels, pulse)
    outlines = eye.outline(eye.distance_from_belt(), cups)
    for row, centre, radius in zip(outlines.row, outlines.centre.T, outlines.radius, strict=True):
        edge = (centre[:, None] + RAYS * radius + 0.5) * SHRINK
        colour = COLOURS.get(Occupancy(int(views.occupancy[row])), (160, 160, 160))
        cv2.polylines(pixels, [np.rint(edge.T * 8).astype(np.int32)], True, colour, 1, cv2.LINE_AA, 3)
        if views.occupancy[row] == Occupancy.ONE:
            where = np.rint(centre * SHRINK + (-18, 74)).astype(int)
            words = f"{views.widest_mm[row]:.0f} mm"
            cv2.putText(pixels, words, where.tolist(), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    cv2.imwrite(str(HERE / "frame.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 82])


def _simulated(recording: Path, fruit: int, seed: int, variety: str) -> Path:
    write_simulated(
        recording,
        fruit=fruit,
        seed=seed,
        level="changing",
        lanes=4,
        variety=variety,
        passes=1,
        cups_per_second=12.0,
        nir=False,
        progress=lambda share: None,
    )
    return recording


def draw_blush() -> None:
    """Three of the skins that somebody marked, who says tenths and is never far off: by the truth."""
    with tempfile.TemporaryDirectory() as folder:
        recording = _simulated(Path(folder) / "line", 30, 3, "Gala")
        marked, skins = Path(folder) / "marked.csv", Path(folder) / "skins.png"
        rows = [f"{row['lane']},{row['cup']},{float(row['blush_fraction']):.1f}" for row in read_truth(recording)]
        marked.write_text("\n".join(["lane,cup,blush_fraction", *rows[:20], ""]))
        write_blush_picture(find_blush(recording, marked), skins)
        drawn = cv2.imread(str(skins))
    smaller = cv2.resize(drawn[: 3 * STRIP_PX], None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(HERE / "blush.jpg"), smaller, [cv2.IMWRITE_JPEG_QUALITY, 82])


def draw_skin() -> None:
    """A fruit with two lesions and a blush in stripes."""
    with tempfile.TemporaryDirectory() as folder:
        found = explain(_simulated(Path(folder) / "line", 100, 40, "Fuji"), 2, 0)
    picture = picture_of(found.sighting.portraits, found.skin_map, found.spots, found.ends)
    cv2.imwrite(str(HERE / "skin.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    draw_frame()
    draw_skin()
    draw_blush()
    draw_pages()
