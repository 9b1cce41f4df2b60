"""Pictures without a checksum: sound ones always come, and what can be told of damage is told."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import recordings_making as making
from numpy.typing import NDArray

from grader.storage.recordings import convert, open_recording, validate
from grader.storage.recordings.jpeg import jpeg_head, jpeg_pixels

FORMS = {
    "plain": [],
    "optimised": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
    "full colour": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
}
COUNTED = ["plain", "optimised", "full colour"]


def written(form: str, *, quality: int = 80, seed: int = 1, size: tuple[int, int] = (120, 200)) -> NDArray[np.uint8]:
    """A JPEG of smooth colours with some noise, as a belt with fruit has them."""
    noise = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    picture = cv2.addWeighted(cv2.GaussianBlur(noise, (0, 0), 6), 0.95, noise, 0.05, 0)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, *FORMS[form]])
    return np.asarray(data, np.uint8).ravel()


def code_of(data: NDArray[np.uint8]) -> int:
    """Where the code of the first scan begins."""
    at = data.tobytes().index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4].tobytes(), "big")


@pytest.mark.parametrize("form", FORMS)
def test_a_sound_picture_of_any_form_and_size_comes_as_it_always_did(form: str) -> None:
    for number in range(40):
        size = (8 + 7 * number, 8 + 13 * (number % 11))
        data = written(form, quality=5 + 2 * number, seed=number, size=size)
        pixels, expected = jpeg_pixels(data, cv2.IMREAD_COLOR), cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert pixels is not None and expected is not None and np.array_equal(pixels, expected), number


@pytest.mark.parametrize("form", FORMS)
def test_a_black_picture_is_no_hole(form: str) -> None:
    _, data = cv2.imencode(".jpg", np.zeros((610, 1280, 3), np.uint8), FORMS[form])
    assert jpeg_pixels(np.asarray(data, np.uint8).ravel(), cv2.IMREAD_COLOR) is not None


@pytest.mark.parametrize("padding", [b"\0", b"\0\0\0", b"\xff\xff", b"\0" * 60])
def test_filling_around_the_end_marker_is_no_damage(padding: bytes) -> None:
    data = written("plain").tobytes()
    for filled in (data[:-2] + padding + data[-2:], data + padding):
        if len(padding) < 60 or filled.startswith(data):
            assert jpeg_pixels(np.frombuffer(filled, np.uint8), cv2.IMREAD_COLOR) is not None


@pytest.mark.parametrize("form", COUNTED)
def test_code_that_does_not_come_out_even_is_damage(form: str) -> None:
    data = written(form)
    middle = (code_of(data) + data.size) // 2
    for spoilt in (np.delete(data, slice(middle, middle + 40)), np.insert(data, middle, data[middle - 40 : middle])):
        assert not isinstance(jpeg_head(spoilt), str)  # its structure shows nothing
        assert jpeg_pixels(spoilt, cv2.IMREAD_COLOR) is None


@pytest.mark.parametrize("form", ["plain", "restarts", "full colour"])
def test_a_hole_of_zeros_is_damage(form: str) -> None:
    data = written(form)
    data[data.size // 2 : -2] = 0
    assert jpeg_head(data) == "damaged"


@pytest.mark.parametrize("form", FORMS)
def test_a_marker_where_none_belongs_is_damage(form: str) -> None:
    data = written(form)
    for marker in (0xD8, 0xD9, 0x02, 0xC0, 0xD5, 0xE1):
        spoilt = data.copy()
        at = (code_of(data) + data.size) // 2
        spoilt[at : at + 2] = 0xFF, marker
        assert jpeg_head(spoilt) == "damaged", hex(marker)


def test_restarts_out_of_order_and_what_follows_the_end_are_damage_unless_it_is_a_second_picture() -> None:
    data = written("restarts").tobytes()
    first, second = data.index(b"\xff\xd1"), data.index(b"\xff\xd2")
    assert jpeg_head(np.frombuffer(data[:first] + data[second:], np.uint8)) == "damaged"
    assert jpeg_head(np.frombuffer(data + b"something else", np.uint8)) == "damaged"
    assert jpeg_head(np.frombuffer(data + data, np.uint8)) == jpeg_head(np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_cut_or_spoilt_anywhere_is_read_or_refused(form: str) -> None:
    data = written(form, size=(40, 60))
    generator = np.random.default_rng(4)
    for at in range(data.size):
        assert jpeg_head(data[:at]) in ("cut short", "damaged")
        spoilt = data.copy()
        spoilt[at] ^= generator.integers(1, 256, dtype=np.uint8)
        jpeg_pixels(spoilt, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("packed", [False, True])
def test_jpeg_pictures_are_read_and_said_to_be_without_a_checksum(tmp_path: Path, packed: bool) -> None:
    line = making.folder(tmp_path / "line")
    text = (line / "frames.csv").read_text()
    for name in ("000001", "000004"):  # pictures of the camera above
        _, data = cv2.imencode(".jpg", making.pixels(making.TOP, 1))
        (line / "frames" / f"{name}.jpg").write_bytes(data.tobytes())
        text = text.replace(f"{name}.png", f"{name}.jpg")
    (line / "frames.csv").write_text(text)
    if packed:
        (line, source) = (tmp_path / "line.packed", line)
        assert any("are JPEG" in warning for warning in convert(source, line))
    recording = open_recording(line)
    (warning,) = recording.warnings
    assert "frames.csv: 2 of 9 pictures are JPEG" in warning and "PNG" in warning
    assert any("are JPEG" in problem.text for problem in validate(line))


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_of_scans_without_end_is_damaged_before_it_is_decoded(form: str) -> None:
    data = written(form).tobytes()
    at = data.index(b"\xff\xda")
    scans = np.frombuffer(data[:at] + b"\xff\xda\x00\x02" * 30_000 + data[at:], np.uint8)
    assert jpeg_head(scans) == "damaged"
