"""Session and board over good and bad cables, in told time: nothing is lost without a word."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from grader.domain.decisions import Result
from grader.errors import BoardLost
from grader.units import Pulse
from hardware import protocol as wire
from hardware.board_session import SILENCE_MS, Stage


class BadCable:
    """Loses, flips, repeats and inserts bytes now and then. The same seed does the same."""

    def __init__(self, seed: int, share: float) -> None:
        self._random, self._share = random.Random(seed), share

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            match self._random.random() / self._share:
                case roll if roll < 0.25:
                    pass
                case roll if roll < 0.5:
                    out.append(byte ^ 1 << self._random.randrange(8))
                case roll if roll < 0.75:
                    out += bytes([byte, byte])
                case roll if roll < 1.0:
                    out += bytes([byte, self._random.randrange(256)])
                case _:
                    out.append(byte)
        return bytes(out)


def test_a_command_fires_at_its_pulse_and_is_reported(talk, command):
    talk.connect()
    talk.submit(command(0, 1))
    talk.run_to(2200)
    (outcome,) = talk.outcomes
    assert (outcome.result, outcome.cup, outcome.reason) == (Result.FIRED, 0, "")
    # 30 ms of travel at 1152 pulses/s, half of it before the edge of the window.
    assert outcome.fired_pulse == pytest.approx(1952 - 17.28, abs=1.5)


@pytest.mark.parametrize("seed", range(4))
def test_on_a_bad_cable_every_command_ends_once_and_every_trigger_arrives(talk, command, seed):
    talk.connect()
    talk.to_board, talk.to_station = BadCable(seed, 0.004), BadCable(seed + 100, 0.004)
    commands = [command(cup, 1 + cup % 8, cup % 4) for cup in range(40)]
    for one in commands:
        talk.run_to(one.cup * 96 + 1500)
        talk.submit(one)
    talk.run_to(40 * 96 + 8000)
    talk.to_board = talk.to_station = bytes
    talk.run_ms(200)
    assert talk.session.counters.retries > 0
    assert talk.session.counters.crc_errors > 0
    ended = Counter(outcome.cup for outcome in talk.outcomes)
    assert ended == Counter(range(40))
    assert {outcome.result for outcome in talk.outcomes} == {Result.FIRED}
    assert sorted(trigger.number for trigger in talk.triggers) == list(range(len(talk.triggers)))
    assert all(trigger.pulse % 48 == 0 for trigger in talk.triggers)


def test_a_command_repeated_because_its_answer_was_lost_is_done_once(talk, command):
    talk.connect()
    talk.to_station = lambda data: b""
    talk.submit(command(0, 1))
    talk.run_ms(100)
    talk.to_station = bytes
    talk.run_to(2300)
    assert talk.session.counters.retries >= 4
    assert [outcome.result for outcome in talk.outcomes] == [Result.FIRED]
    assert len(talk.board.movements(0, 1)) == 1


def test_a_command_that_never_arrives_is_not_repeated_past_its_lead_and_ends_void(talk, command):
    talk.connect()
    talk.run_to(1800)
    talk.to_board = lambda data: b"" if len(data) > 12 else data  # heartbeats pass
    talk.submit(command(0, 1))
    talk.run_to(1952 - 60)
    retries = talk.session.counters.retries
    talk.run_to(4000)
    assert talk.session.counters.retries == retries
    assert [(o.result, o.reason) for o in talk.outcomes] == [(Result.VOID, "the board did not answer in time")]


def test_less_than_the_lead_is_refused_as_too_late(talk, command):
    talk.connect()
    talk.run_to(1952 - 59)
    talk.submit(command(0, 1))
    talk.run_ms(10)
    assert [(o.result, o.reason) for o in talk.outcomes] == [(Result.REFUSED, "too late")]
    assert talk.board.movements(0, 1) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lane": 4}, "unknown lane"),
        ({"lane": 40_000}, "unknown lane"),
        ({"lane": -1}, "unknown lane"),
        ({"outlet": 0}, "unknown outlet"),
        ({"outlet": 9}, "unknown outlet"),
        ({"close_pulse": 4000, "open_pulse": 4000}, "close before open"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_with_its_reason(talk, command, change, reason):
    talk.connect()
    good = command(20, 1)
    talk.submit(type(good)(**{**{name: getattr(good, name) for name in good.__struct_fields__}, **change}))
    talk.run_ms(10)
    assert [(o.result, o.reason) for o in talk.outcomes] == [(Result.REFUSED, reason)]


def test_more_commands_than_the_board_holds_are_refused_not_lost(talk, command):
    talk.connect()
    talk.submit(*(command(100 + cup, 1, lane) for cup in range(150) for lane in range(4)))
    talk.run_ms(50)
    talk.session.close_all(talk.now)
    assert {(o.result, o.reason) for o in talk.outcomes} == {(Result.REFUSED, "queue full")}
    assert len(talk.outcomes) == 600 - wire.MAX_PENDING


def test_a_board_that_restarts_voids_what_is_pending_and_is_lost_until_connected_again(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(1, 2))
    talk.run_ms(20)
    talk.board.restart()
    talk.run_ms(5)
    assert [(o.result, o.reason) for o in talk.outcomes] == [(Result.VOID, "the board restarted")] * 2
    with pytest.raises(BoardLost, match="restarted"):
        talk.session.status()
    with pytest.raises(BoardLost):
        talk.session.submit([command(5, 1)], talk.now)
    assert talk.session.counters.restarts == 1
    talk.connect(nonce=8)
    talk.submit(command(20, 1))
    talk.run_to(20 * 96 + 2200)
    assert talk.outcomes[-1].result is Result.FIRED
    assert talk.board.movements(0, 1)[-1].opening > 20 * 96 + 1900


def test_a_silent_board_is_lost_after_the_stated_time_and_everything_is_void(talk, command):
    talk.connect()
    talk.submit(command(0, 8))
    talk.run_ms(10)
    talk.to_station = lambda data: b""
    talk.run_ms(SILENCE_MS - 25)
    assert talk.session.stage is Stage.READY
    talk.run_ms(30)
    assert talk.session.stage is Stage.LOST
    assert [o.result for o in talk.outcomes] == [Result.VOID]


def test_a_board_that_hears_nothing_closes_its_gates_and_says_so_when_it_is_heard_again(talk, command):
    talk.connect()
    talk.submit(command(0, 8), msgspec.structs.replace(command(0, 1), close_pulse=Pulse(9000)))
    talk.run_to(2000)
    assert talk.board.gates[0, 1].told_open
    talk.to_board = lambda data: b""
    talk.run_ms(300)
    assert not talk.board.gates[0, 1].told_open
    results = {o.outlet: (o.result, o.fired_pulse is not None, o.reason) for o in talk.outcomes}
    assert results[8] == (Result.VOID, False, "host silent")
    assert results[1][:2] == (Result.VOID, True)
    assert results[1][2].startswith("host silent at pulse 22")


def test_close_all_voids_the_pending_and_is_repeated_until_it_is_answered(talk, command):
    talk.connect()
    talk.submit(command(0, 1))
    talk.run_to(2000)
    talk.submit(command(0, 8))
    talk.run_ms(5)
    talk.session.close_all(talk.now)  # lost on the way
    assert talk.session.closing
    talk.run_ms(60)
    assert not talk.session.closing
    assert not talk.board.gates[0, 1].told_open
    assert Counter(o.result for o in talk.outcomes) == {Result.VOID: 2}


def test_the_belt_is_told_between_reports_and_never_runs_back(talk):
    talk.connect()
    last = 0
    for _ in range(400):
        talk.run_ms(1)
        pulse = talk.session.pulse(talk.now)
        assert pulse >= last
        assert abs(pulse - talk.pulse) <= 3
        last = pulse
    talk.board.belt_running = False
    talk.run_ms(400)
    assert abs(talk.session.pulse(talk.now) - talk.pulse) <= 26  # no further than one heartbeat's way


def test_pulses_beyond_32_bits_come_back_whole(talk, command):
    talk.pulse = float(2**32 - 2600)
    talk.connect()
    start = int(talk.pulse) // 96
    one = command(start + 5, 2)
    assert talk.pulse < 2**32 < one.open_pulse
    talk.submit(one)
    talk.run_to(one.close_pulse + 100)
    (outcome,) = talk.outcomes
    assert outcome.result is Result.FIRED
    assert abs(outcome.fired_pulse - one.open_pulse) < 30


def test_a_board_of_another_version_is_not_talked_to(talk):
    talk.session.begin(9, talk.now)
    talk.session.receive(wire.Packer(4).pack(wire.Boot(wire.VERSION + 1, 9, 1)), talk.now)
    with pytest.raises(BoardLost, match="firmware"):
        talk.session.status()


def test_no_answer_at_all_ends_the_handshake_with_words(talk):
    talk.to_board = lambda data: b""
    talk.say(talk.session.begin(9, talk.now))
    talk.run_ms(2500, step_ms=10)
    with pytest.raises(BoardLost, match="powered"):
        talk.session.status()


def test_a_command_that_was_closed_for_never_opens_though_it_comes_late(talk, command):
    talk.connect()
    one = talk.session.submit([command(0, 1)], talk.now)
    talk.say(talk.session.close_all(talk.now))
    talk.say(one)  # the line doubled it, and its first copy was damaged
    talk.run_to(2300)
    assert talk.board.movements(0, 1) == []
    assert [o.result for o in talk.outcomes] == [Result.VOID]


@pytest.mark.parametrize("with_reset", [False, True])
def test_nothing_that_was_said_in_an_earlier_talk_opens_a_gate(talk, command, with_reset):
    earlier: list[bytes] = []
    talk.to_board = lambda data: earlier.append(data) or data
    talk.connect()
    talk.submit(*(command(cup, 1 + cup % 8, cup % 4) for cup in range(10)))
    talk.run_ms(50)
    talk.to_board = bytes
    talk.connect(nonce=8)
    for said in earlier[0 if with_reset else 1 :]:
        talk.board.receive(said)
    talk.run_to(9000)
    assert [one for gate in talk.board.gates for one in talk.board.movements(*gate)] == []
    assert [o.result for o in talk.outcomes] == [Result.VOID] * 10
    # An earlier reset is a reset all the same: the board forgets, the station notices, and both begin again.
    assert talk.session.stage is (Stage.LOST if with_reset else Stage.READY)


def test_what_the_board_said_in_an_earlier_talk_is_taken_for_nothing(talk, command):
    earlier: list[bytes] = []
    talk.to_station = lambda data: earlier.append(data) or data
    talk.connect()
    talk.submit(command(0, 1))
    talk.run_to(2300)
    talk.to_station = bytes
    taken = len(talk.outcomes), len(talk.triggers)
    talk.connect(nonce=8)
    talk.submit(command(30, 1))
    talk.session.receive(b"".join(earlier), talk.now)
    assert talk.session.stage is Stage.READY
    assert talk.session.counters.stale_packets > 10
    talk.run_ms(100)
    assert len(talk.outcomes) == taken[0]
    talk.run_to(30 * 96 + 2200)
    assert talk.outcomes[-1].result is Result.FIRED
    assert [t.number for t in talk.triggers[taken[1] :]] == list(range(len(talk.triggers) - taken[1]))


def replaced(talk, kind: type[wire.Message], change) -> None:
    """From now on the board says something else than it means."""
    decoder, packer, began_us = wire.Decoder(), wire.Packer(), int(talk.ms * 1000)

    def lie(data: bytes) -> bytes:
        out = []
        for packer.talk, message in decoder.feed(data):
            if isinstance(message, kind):
                fields = {name: getattr(message, name) for name in message.__struct_fields__}
                message = kind(**fields | change(message, began_us))
            out.append(packer.pack(message))
        return b"".join(out)

    talk.to_station = lie


LIES = {
    "an exposure between two multiples": (wire.Triggered, lambda m, _: {"pulse": m.pulse + 7}, "exposure"),
    "an exposure too many": (wire.Triggered, lambda m, _: {"number": m.number + 1}, "exposure"),
    "a count ahead of the exposures": (wire.Status, lambda m, _: {"pulse": m.pulse + 70}, "pulses on|last exposure"),
    "a count that ran back": (wire.Status, lambda m, _: {"pulse": m.pulse - 200}, "ran back"),
    "a belt too fast": (
        wire.Status,
        lambda m, began_us: {"tick": began_us + (m.tick - began_us) // 3},
        "in a second at most",
    ),
    "an index mark that is still to come": (wire.Status, lambda m, _: {"signals": 17, "index_pulse": 99_999}, "index"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_board_that_says_what_cannot_be_is_lost_with_the_reason_and_told_to_close_first(talk, command, name):
    kind, change, reason = LIES[name]
    talk.connect()
    talk.run_ms(200)
    talk.submit(command(0, 1), command(1, 1), command(1, 8))
    talk.run_to(1980)
    assert talk.board.gates[0, 1].told_open
    replaced(talk, kind, change)
    lost_at = talk.ms
    while talk.session.stage is Stage.READY and talk.ms < lost_at + 400:
        talk.run_ms(1)
    with pytest.raises(BoardLost, match=f"cannot be: .*({reason})"):
        talk.session.status()
    talk.run_ms(1)
    assert not any(gate.told_open for gate in talk.board.gates.values())
    assert talk.ms - lost_at < 100
    assert [o.result for o in talk.outcomes if o.cup == 1] == [Result.VOID] * 2


def test_an_honest_board_is_never_doubted_whatever_its_belt_does(talk):
    rng, furthest = random.Random(5), 0.0
    talk.connect()
    for _ in range(150):
        wanted = rng.choice([0, 3, 300, 1152, 1152, 2200])
        talk.board.belt_running = wanted > 0
        while abs(talk.pulses_per_s - wanted) > 1e-6:  # no motor changes its speed at a stroke
            talk.pulses_per_s += max(-13, min(13, wanted - talk.pulses_per_s))
            talk.run_ms(9, step_ms=rng.choice([1, 4, 9]))
        furthest = max(furthest, talk.pulse)
        if wanted == 0:
            talk.pulse = max(talk.pulse - rng.randrange(9), furthest - 8)
        talk.run_ms(rng.choice([5, 40, 300]), step_ms=rng.choice([1, 4, 9]))
    assert talk.session.stage is Stage.READY
    assert not talk.session.status().encoder_fault


def test_index_marks_come_each_once_and_the_latest_is_known_to_a_new_talk(talk):
    talk.connect()
    assert talk.session.latest_mark is None
    marks = []
    talk.to_board, talk.to_station = BadCable(3, 0.01), BadCable(4, 0.01)
    for _ in range(20):
        talk.run_ms(100)
        talk.board.index_passed(Pulse(int(talk.pulse)))
        marks.append(int(talk.pulse))
    talk.to_board = talk.to_station = bytes
    talk.run_ms(50)
    assert talk.session.take_marks() == marks
    assert talk.session.take_marks() == []
    talk.connect(nonce=8)
    assert talk.session.latest_mark == marks[-1]
    assert talk.session.take_marks() == []


def test_a_count_goes_on_over_a_reset_and_begins_anew_after_power_was_lost(talk):
    talk.connect()
    talk.connect(nonce=8)
    assert talk.session.counts == 1
    talk.board.restart()
    talk.run_ms(10)
    talk.connect(nonce=9)
    assert talk.session.counts == 2
    assert talk.session.pulse(talk.now) < talk.pulse - 300


@pytest.mark.parametrize("lie", [5000, -200])
def test_a_board_that_has_lied_is_believed_again_once_it_says_what_can_be(talk, command, lie):
    talk.connect()
    talk.board.lies_by = lie
    talk.run_ms(100)
    assert talk.session.stage is Stage.LOST
    talk.say(talk.session.begin(8, talk.now))
    talk.run_ms(300)
    assert talk.session.stage is Stage.LOST
    talk.board.lies_by = 0
    talk.connect(nonce=9)
    talk.submit(command(20, 1))
    talk.run_to(20 * 96 + 2200)
    assert talk.outcomes[-1].result is Result.FIRED


def test_a_board_that_refuses_says_so(talk, command):
    talk.connect()
    talk.board.refuses = True
    talk.submit(command(0, 1))
    talk.run_ms(20)
    assert [(o.result, o.reason) for o in talk.outcomes] == [(Result.REFUSED, "queue full")]


@pytest.mark.parametrize("seed", range(3))
def test_one_byte_in_a_hundred_damaged_for_a_minute_closes_no_gate_and_loses_no_board(talk, command, seed):
    talk.connect()
    talk.to_board, talk.to_station = BadCable(seed, 0.01), BadCable(seed + 50, 0.01)
    for cup in range(0, 720, 8):
        talk.run_to(cup * 96 + 1200)
        talk.submit(command(cup, 1 + cup // 8 % 8, cup // 8 % 4))
    talk.run_to(720 * 96 + 8000)
    assert talk.session.stage is Stage.READY
    assert Counter(o.result for o in talk.outcomes) == {Result.FIRED: 90}


@pytest.mark.parametrize(("newest", "oldest"), [(2**32 - 1, 0), (2**32 - 1, 2**32 - 1), (5, 2**32 - 1)])
def test_no_claim_of_a_board_makes_the_station_miss_more_reports_than_a_board_keeps(talk, newest, oldest):
    talk.connect()
    replaced(talk, wire.Status, lambda said, began_us: {"newest_report": newest, "oldest_report": oldest})
    asked: list[bytes] = []
    talk.to_board = lambda data: asked.append(data) or data
    talk.run_ms(150)
    said = wire.Decoder().feed(b"".join(asked))
    wanted = [one.message for one in said if isinstance(one.message, wire.Resend)]
    assert len(wanted) <= 10
    assert talk.session.counters.lost_reports <= newest
