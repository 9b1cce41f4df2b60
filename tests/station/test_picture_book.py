"""Pictures of fruit: the right cup, once, from its clearest view; and never in the way of anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from small_line import PER_FRAME, PITCH, camera, installation

from grader.domain.decisions import FruitRecord
from grader.domain.frames import Frame
from grader.domain.skin import MappedSkin
from grader.station.pictures import FLAGGED_TIMES, MOST_WAITING, PictureBook, PictureSettings
from grader.units import NS_PER_S, HostNs, Pulse
from grader.vision.geometry import cups_in_view

LANES = 2
FIRST = 20
"""Pulse of the first frame: half way through the view, a cup is a little behind the middle, then far beyond it."""
CAMERA, PLACE = camera(LANES), installation(LANES)


class ToldClock:
    """It is ten seconds later whenever one asks."""

    def __init__(self) -> None:
        self._now = 0

    def now(self) -> HostNs:
        self._now += 10 * NS_PER_S
        return HostNs(self._now)


class Kept:
    """A keeper: what it was given, by (lane, cup). fails: with this; holds: until it is let go."""

    def __init__(self) -> None:
        self.pixels: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self.skins: dict[tuple[int, int], bytes] = {}
        self.fails: Exception | None = None
        self.free = threading.Event()
        self.free.set()

    def keep(self, lane: int, cup: int, pixels: NDArray[np.uint8]) -> None:
        assert self.free.wait(30)
        if self.fails is not None:
            raise self.fails
        assert (lane, cup) not in self.pixels, "each once"
        self.pixels[lane, cup] = pixels

    def keep_skin(self, lane: int, cup: int, jpeg: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.skins[lane, cup] = jpeg


@pytest.fixture
def kept() -> Iterator[Kept]:
    keeper = Kept()
    yield keeper
    keeper.free.set()


def picture(pulse: int) -> Frame:
    """Every cup is painted in colours that say which it is."""
    pixels = np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8)
    cups = cups_in_view(CAMERA, PLACE.line, Pulse(pulse))
    for lane, cup, x, y in zip(cups.lane, cups.cup, cups.x_px, cups.y_px, strict=True):
        left, top = round(float(x)), round(float(y))
        pixels[top - 60 : top + 60, max(0, left - 50) : left + 50] = (lane + 1, cup % 200 + 1, round(float(x)) // 8)
    return Frame("top", pulse // PER_FRAME, Pulse(pulse), HostNs(0), pixels)


def decided(lane: int, cup: int, flags: int = 0) -> FruitRecord:
    return FruitRecord(lane=lane, cup=cup, lot="a", values={}, grade="", size="", outlet=0, reasons=(), flags=flags)


def run(book: PictureBook, cups: int, *, lost: frozenset[int] = frozenset(), behind: bool = False) -> None:
    """The belt runs; each cup is decided 1,500 pulses after its zero. lost: frames that have no picture."""
    for number, pulse in enumerate(range(FIRST, cups * PITCH + FIRST + 1500, PER_FRAME)):
        if number not in lost:
            book.see(picture(pulse))
        due = pulse - 1500 - FIRST
        if due >= 0 and due % PITCH < PER_FRAME and due // PITCH < cups:
            cup = due // PITCH
            book.decided([decided(lane, cup, flags=cup % 7 == 3) for lane in range(LANES)], journal_behind=behind)


def until(found: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def a_book(keeper: Kept, every: int) -> PictureBook:
    return PictureBook(PLACE, CAMERA, keeper, PictureSettings(every=every), ToldClock())


def test_every_so_many_fruit_and_the_flagged_ones_are_kept_and_each_shows_its_own_cup_half_way_through_the_view(
    kept: Kept,
) -> None:
    book = a_book(kept, every=5)
    run(book, 100)
    book.close()
    wanted = {(lane, cup) for lane in range(LANES) for cup in range(100) if cup % 5 == lane % 5 or cup % 7 == 3}
    assert kept.pixels.keys() == wanted
    for (lane, cup), pixels in kept.pixels.items():
        height, width = pixels.shape[:2]
        said_lane, said_cup, x = pixels[height // 2, width // 2].tolist()
        assert (said_lane, said_cup) == (lane + 1, cup % 200 + 1)
        assert abs(8 * x - CAMERA.width_px / 2) <= PER_FRAME / CAMERA.mm_per_px / 2 + 8
    assert (book.health().kept, book.health().dropped) == (len(wanted), 0)


def test_where_every_fruit_is_flagged_only_some_are_kept(kept: Kept) -> None:
    book = a_book(kept, every=50)
    for pulse in range(0, 300 * PITCH, PER_FRAME):
        book.see(picture(pulse))
        if pulse % PITCH == 0 and pulse >= 1536:
            book.decided([decided(0, (pulse - 1536) // PITCH, flags=1)], journal_behind=False)
    book.close()
    assert 300 / 10 - 3 < len(kept.pixels) <= 300 * (1 + FLAGGED_TIMES) / 50


def test_a_frame_that_is_lost_half_way_takes_no_picture_away(kept: Kept) -> None:
    book = a_book(kept, every=1)
    run(book, 40, lost=frozenset(range(1, 200, 4)))
    book.close()
    assert len(kept.pixels) == 40 * LANES
    assert {pixels[60, 60, 0] for (lane, _), pixels in kept.pixels.items() if lane == 1} == {2}


def test_a_fruit_that_no_frame_showed_half_way_has_no_picture_and_not_that_of_another(kept: Kept) -> None:
    book = a_book(kept, every=1)
    gap = range(60, 100)
    run(book, 90, lost=frozenset(gap))
    book.close()
    missing = {cup for lane, cup in {(0, cup) for cup in range(90)} - kept.pixels.keys()}
    assert 15 <= len(missing) <= 20
    for (lane, cup), pixels in kept.pixels.items():
        assert pixels[75, 72, :2].tolist() == [lane + 1, cup % 200 + 1]


def test_while_the_journal_is_behind_pictures_are_dropped_and_counted(kept: Kept) -> None:
    book = a_book(kept, every=1)
    run(book, 20, behind=True)
    book.close()
    assert (kept.pixels, book.health().dropped) == ({}, 20 * LANES)


def test_a_disk_that_hangs_holds_nobody_up(kept: Kept) -> None:
    book = a_book(kept, every=1)
    kept.free.clear()
    run(book, MOST_WAITING)
    assert book.health().dropped >= MOST_WAITING * LANES - MOST_WAITING - 1
    assert "faster than the disk" in book.health().trouble
    kept.free.set()
    book.close()
    assert len(kept.pixels) + book.health().dropped == MOST_WAITING * LANES
    assert book.health().trouble == ""


def test_a_disk_that_takes_some_is_in_trouble_until_it_has_taken_all_for_a_while(kept: Kept) -> None:
    clock = SimpleNamespace(now=lambda: HostNs(1))
    book = PictureBook(PLACE, CAMERA, kept, PictureSettings(every=1), clock)
    kept.fails = OSError(28, "No space left on device")
    run(book, 1)
    until(lambda: book.health().dropped == LANES)
    kept.fails, clock.now = None, lambda: HostNs(4 * NS_PER_S)
    run(book, 2)
    until(lambda: book.health().kept == 2 * LANES)
    assert book.health().trouble
    clock.now = lambda: HostNs(7 * NS_PER_S)
    kept.pixels.clear()
    run(book, 2)
    book.close()
    assert not book.health().trouble


def test_a_disk_that_takes_none_is_told_until_it_takes_one(kept: Kept) -> None:
    book = a_book(kept, every=1)
    kept.fails = OSError(28, "No space left on device")
    run(book, 10)
    book.close()
    assert (book.health().kept, book.health().dropped) == (0, 10 * LANES)
    assert book.health().trouble == "pictures are not kept: No space left on device"


def test_whatever_goes_wrong_with_one_picture_the_next_is_kept(kept: Kept) -> None:
    book = a_book(kept, every=1)
    kept.fails = MemoryError()
    run(book, 10)
    until(lambda: book.health().dropped == 10 * LANES)
    assert "MemoryError" in book.health().trouble
    kept.fails = None
    run(book, 30)
    book.close()
    assert book.health().kept == 30 * LANES and not book.health().trouble


def test_none_are_cut_out_where_none_are_wanted(kept: Kept) -> None:
    book = a_book(kept, every=0)
    run(book, 10)
    book.close()
    assert (kept.pixels, book.health().dropped) == ({}, 0)


def test_maps_that_were_drawn_are_kept_and_those_of_sampled_cups_alone_are_to_be(kept: Kept) -> None:
    book = PictureBook(PLACE, CAMERA, kept, PictureSettings(every=10), ToldClock())
    sampled = [(lane, cup) for lane in range(LANES) for cup in range(40) if book.samples(lane, cup)]
    assert sampled == [(0, 0), (0, 10), (0, 20), (0, 30), (1, 1), (1, 11), (1, 21), (1, 31)]
    book.mapped([MappedSkin(0, 10, None, drawn=b"a map"), MappedSkin(0, 11, None)], journal_behind=False)
    book.mapped([MappedSkin(1, 11, None, drawn=b"another")], journal_behind=True)
    until(lambda: bool(kept.skins))
    book.close()
    assert kept.skins == {(0, 10): b"a map"}
    assert book.health().dropped == 1
    none = PictureBook(PLACE, CAMERA, kept, PictureSettings(every=0), ToldClock())
    assert not none.samples(0, 0)
    none.close()
