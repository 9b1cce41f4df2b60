"""Counts become pulses: in step with the chain, on from the journal's last serial, and no serial twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.domain.decisions import Rephased
from grader.units import Pulse
from hardware.chain_phase import JITTER_PULSES, ChainPhase

CUP, CUPS = 96, 20
CHAIN = CUP * CUPS
bounded = settings(max_examples=150, derandomize=True, deadline=None)


def phase(not_before: int = 0, chain: int | None = CHAIN, gap: int = 0) -> ChainPhase:
    return ChainPhase(chain, Pulse(not_before), pulses_per_cup=CUP, gap_pulses=gap)


def test_a_chain_without_a_mark_goes_on_from_the_boards_count_or_from_the_journal() -> None:
    one = phase(chain=None)
    assert one.begin(5000, None) is None
    assert (one.advance(5010), one.known, one.offset) == (5010, True, 0)
    other = phase(not_before=9000, chain=None)
    other.begin(5000, None)
    assert (other.advance(5010), other.offset) == (9010, 4000)
    assert other.mark(5020, 5030) is None


def test_the_first_mark_that_is_known_gives_the_smallest_pulse_after_the_journal() -> None:
    one = phase(not_before=100_000)
    assert one.begin(3_000_000_000, 2_999_999_000) is None
    pulse = one.advance(3_000_000_000)
    assert (pulse - 1000) % CHAIN == 0
    assert 100_000 <= pulse < 100_000 + CHAIN
    assert one.known


def test_before_the_mark_is_known_the_pulses_go_on_and_nothing_is_in_step() -> None:
    one = phase(not_before=700)
    one.begin(50, None)
    assert (one.advance(60), one.known) == (710, False)
    rephased = one.mark(1000, 1020)
    assert one.known
    assert rephased == Rephased(at=one.advance(1020), by_pulses=one.offset - 650, slip_pulses=None)
    assert one.pulse_of(1020) == rephased.at
    assert (1000 + one.offset) % CHAIN == 0
    assert rephased.at // CUP > (1019 + 650) // CUP


@pytest.mark.parametrize(
    ("slip", "corrected"), [(0, False), (2, False), (-2, False), (3, True), (-3, True), (9, True), (-9, True)]
)
def test_jitter_is_left_and_drift_is_corrected_without_a_word(slip: int, corrected: bool) -> None:
    one = phase()
    one.begin(0, 0)
    one.advance(CHAIN)
    assert one.mark(CHAIN + slip, CHAIN + slip + 30) is None
    assert one.offset == (-slip if corrected else 0)
    assert one.pulse_of(CHAIN) == CHAIN  # what was counted before the mark keeps its pulse
    assert one.pulse_of(2 * CHAIN) == 2 * CHAIN + one.offset


@pytest.mark.parametrize("slip", [10, -10, 100, -100, CHAIN // 3, -CHAIN // 3, CHAIN // 2])
def test_a_slip_makes_everything_before_it_void_and_no_serial_runs_back(slip: int) -> None:
    one = phase()
    one.begin(0, 0)
    given_before = one.advance(CHAIN + slip + 30)
    rephased = one.mark(CHAIN + slip, CHAIN + slip + 30)
    assert rephased is not None and rephased.slip_pulses is not None
    assert (rephased.slip_pulses - slip) % CHAIN == 0
    assert (CHAIN + slip + one.offset) % CHAIN == 0
    assert rephased.at == one.advance(CHAIN + slip + 30)
    assert given_before // CUP < rephased.at // CUP
    assert rephased.at - given_before <= CHAIN + CUP
    assert rephased.by_pulses == one.offset


def test_a_count_that_was_lost_begins_anew_beyond_every_serial_and_leaves_the_gap() -> None:
    one = phase(gap=7000)
    one.begin(40_000, 39_000)
    last = one.advance(50_000)
    rephased = one.begin(0, None)
    assert not one.known
    assert rephased is not None and rephased.at == one.advance(0)
    assert rephased.at >= (last // CUP + 1) * CUP + 7000
    again = one.mark(500, 520)
    assert again is not None and again.at >= one.pulse_of(519) + 7000
    lost = phase(chain=None)
    lost.begin(40_000, None)
    lost.advance(40_100)
    assert lost.begin(0, None) == Rephased(at=Pulse((40_100 // CUP + 1) * CUP), by_pulses=(40_100 // CUP + 1) * CUP)


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 3 * CHAIN)),
        st.tuples(st.just("slip"), st.integers(-2 * CHAIN, 2 * CHAIN)),
        st.tuples(st.just("slip"), st.integers(-12, 12)),
        st.tuples(st.just("lost"), st.integers(0, 10**6)),
    ),
    max_size=25,
)


@bounded
@given(
    happenings, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([0, CUP, 5 * CHAIN])
)
def test_whatever_slips_the_mark_is_under_a_multiple_of_the_chain_and_no_serial_comes_twice(
    happening: list[tuple[str, int]], start: int, not_before: int, late: int, gap: int
) -> None:
    """The belt truly is at `true`, the board counts `ahead` more. A mark is told `late` pulses after it passed."""
    one = phase(not_before=not_before, gap=gap)
    true, ahead = start, 0
    assert one.begin(true, None) is None
    given = one.advance(true)
    assert given >= not_before

    def go_to(pulse: int) -> None:
        nonlocal true, given
        true, before = pulse, given
        given = one.advance(true + ahead)
        assert given >= before

    def note(rephased: Rephased | None) -> None:
        nonlocal given
        if rephased is not None:
            assert rephased.at // CUP > given // CUP
            assert rephased.at >= given + gap
            assert one.advance(true + ahead) == rephased.at
            given = rephased.at

    for what, size in happening:
        match what:
            case "run":
                end = true + size
                for mark in range(-(-(true + 1) // CHAIN) * CHAIN, end + 1, CHAIN):
                    go_to(mark + late)
                    note(one.mark(mark + ahead, true + ahead))
                    assert one.known
                    under = mark + ahead + one.offset
                    assert abs((under + CHAIN // 2) % CHAIN - CHAIN // 2) <= JITTER_PULSES
                    assert round(under / CUP) % CUPS == 0
                go_to(max(true, end))
            case "slip" if true + ahead + size > 0:
                ahead += size
            case "lost":
                ahead = size - true
                note(one.begin(size, None))
                assert not one.known
