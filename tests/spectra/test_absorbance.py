"""Absorbance and standard normal variate against numbers worked out by hand."""

import numpy as np
import pytest

from grader.spectra.absorbance import absorbance, standard_normal_variate


def test_a_tenth_of_the_light_is_absorbance_one_whatever_the_dark_counts() -> None:
    white, dark = np.array([1100.0, 2200.0, 300.0]), np.array([100.0, 200.0, 200.0])
    counts = dark + (white - dark) * np.array([[0.1, 1.0, 0.01], [0.5, 2.0, 10.0]])
    expected = [[1.0, 0.0, 2.0], [0.30103, -0.30103, -1.0]]
    assert absorbance(counts, white, dark) == pytest.approx(np.array(expected), abs=1e-5)


def test_float32_counts_keep_the_precision_of_sixteen_bits() -> None:
    counts = np.array([[30000.0, 30001.0]], np.float32)
    found = absorbance(counts, np.full(2, 60000.0, np.float32), np.zeros(2, np.float32))
    assert found.dtype == np.float64
    assert found[0, 0] - found[0, 1] == pytest.approx(np.log10(30001 / 30000), rel=1e-9)


def test_no_light_above_dark_is_nan_not_a_large_number() -> None:
    counts = np.array([[10.0, 5.0, np.nan, 20.0]])
    found = absorbance(counts, np.array([50.0, 50.0, 50.0, 10.0]), np.full(4, 10.0))
    assert np.isnan(found).all()


def test_standard_normal_variate_takes_out_offset_and_path_length() -> None:
    spectrum = np.array([[0.2, 0.5, 0.1, 0.9]])
    found = standard_normal_variate(np.vstack([spectrum, 3.0 * spectrum + 0.4]))
    assert found[0] == pytest.approx(found[1], abs=1e-12)
    assert found.mean(axis=1) == pytest.approx([0.0, 0.0], abs=1e-12)
    assert found.std(axis=1) == pytest.approx([1.0, 1.0])


def test_a_spectrum_without_any_spread_or_with_a_hole_has_no_variate() -> None:
    found = standard_normal_variate(np.array([[0.5, 0.5, 0.5], [0.1, np.nan, 0.3], [0.1, 0.2, 0.3]]))
    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]
