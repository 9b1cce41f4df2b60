"""Counts as light, against the standard's own numbers."""

from __future__ import annotations

import numpy as np
import pytest

from grader.vision.light import DARK, light_of, linear_light, log_light, srgb_counts


def test_light_of_counts_follows_the_standards_curve() -> None:
    assert linear_light(np.array([0.0, 10.0, 127.5, 255.0])) == pytest.approx(
        [0.0, 10 / 255 / 12.92, 0.21404114, 1.0], rel=1e-6
    )


def test_light_of_a_picture_is_that_of_each_of_its_counts() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(2, 64, 2)
    assert light_of(picture) == pytest.approx(linear_light(picture.astype(float)), abs=1e-6)
    assert np.exp(log_light(picture)) == pytest.approx(light_of(picture) + DARK, rel=1e-5)
    out = np.empty((3, 4), np.float32)
    assert log_light(np.full((3, 4), 255, np.uint8), out=out) is out and out == pytest.approx(np.log(1 + DARK))


def test_srgb_counts_of_linear_counts_are_the_inverse_of_linear_light() -> None:
    table = srgb_counts()
    assert table.dtype == np.uint8 and table[0] == 0 and table[255] == 255
    # Half a count of sRGB is at most half a step of the curve: its slope is 12.92 in the dark, 0.44 in the light.
    light = linear_light(table.astype(float)) * 255.0
    assert np.abs(light - np.arange(256)).max() <= 0.5 / 0.44 + 0.01
