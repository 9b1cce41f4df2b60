"""Who feeds the belt: gaps lie between the cups that were told, and nothing is fed after the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hardware.sim.feed import Feed


def test_a_belt_is_fed_from_its_first_cup_on() -> None:
    feed = Feed(5)
    assert [cup for cup in range(10) if feed.holds(cup)] == [5, 6, 7, 8, 9]
    assert feed.end_cup is None and list(feed.stretches(0, 9)) == [(5, 9)]


def test_a_gap_has_two_ends_and_the_end_only_one() -> None:
    feed = Feed(0)
    feed.stop(10)
    feed.stop(12)
    assert feed.end_cup == 10
    feed.go_on(30)
    feed.go_on(31)
    feed.end(50)
    feed.go_on(60)
    assert feed.end_cup == 50 and feed.is_over
    assert list(feed.stretches(0, 100)) == [(0, 10), (30, 50)]
    assert list(feed.stretches(9, 31)) == [(9, 10), (30, 31)]
    assert list(feed.stretches(10, 30)) == []


def test_the_end_within_a_gap_is_where_the_gap_began() -> None:
    feed = Feed(0)
    feed.stop(10)
    feed.end(20)
    assert feed.end_cup == 10
    assert not any(feed.holds(cup) for cup in range(10, 40))


@given(st.lists(st.tuples(st.sampled_from(["stop", "go_on", "end"]), st.integers(0, 60)), max_size=8))
def test_stretches_are_the_cups_that_hold_fruit(told: list[tuple[str, int]]) -> None:
    feed, cup = Feed(3), 0
    for what, further in told:
        cup += further
        getattr(feed, what)(cup)
    inside = [each for begin, end in feed.stretches(0, 500) for each in range(begin, end)]
    assert inside == [each for each in range(500) if feed.holds(each)]
