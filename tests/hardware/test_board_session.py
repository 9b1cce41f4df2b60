"""Session and board over good and bad cables, in told time: nothing is lost without a word."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from grader.domain.decisions import Result
from grader.errors import BoardLost
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
    talk.run_ms(SILENCE_MS - 150)
    assert talk.session.stage is Stage.READY
    talk.run_ms(300)
    assert talk.session.stage is Stage.LOST
    assert [o.result for o in talk.outcomes] == [Result.VOID]


def test_a_board_that_hears_nothing_closes_its_gates_and_says_so_when_it_is_heard_again(talk, command):
    talk.connect()
    talk.submit(command(0, 8), command(0, 1))
    talk.run_to(2000)
    assert talk.board.gates[0, 1].told_open
    talk.to_board = lambda data: b""
    talk.pulses_per_s = 1  # the belt creeps: the window stays open
    talk.run_ms(1300)
    assert not talk.board.gates[0, 1].told_open
    results = {o.outlet: (o.result, o.fired_pulse is not None, o.reason) for o in talk.outcomes}
    assert results[8] == (Result.VOID, False, "host silent")
    assert results[1][:2] == (Result.VOID, True)
    assert results[1][2].startswith("host silent at pulse 20")


def test_emergency_stop_closes_everything_and_a_stopped_belt_only_what_is_open(talk, command):
    talk.connect()
    talk.submit(command(0, 1), command(0, 2))
    talk.run_to(2000)
    talk.board.belt_running = False
    talk.run_ms(150)
    assert not talk.board.gates[0, 1].told_open
    assert talk.session.status().belt_running is False
    assert [o.outlet for o in talk.outcomes] == [1]
    talk.board.belt_running = True
    talk.run_to(2400)
    talk.board.emergency_stop = True
    talk.run_ms(150)
    assert talk.session.status().emergency_stop is True
    assert [(o.outlet, o.reason) for o in talk.outcomes[1:]] == [(2, "emergency stop")]
    talk.submit(command(9, 8))
    talk.run_ms(10)
    assert talk.outcomes[-1].reason == "not running"


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
    assert abs(talk.session.pulse(talk.now) - talk.pulse) <= 130  # no further than one heartbeat's way


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


@pytest.mark.parametrize(("newest", "oldest"), [(2**32 - 1, 0), (2**32 - 1, 2**32 - 1), (5, 2**32 - 1)])
def test_no_claim_of_a_board_makes_the_station_miss_more_reports_than_a_board_keeps(talk, newest, oldest):
    talk.connect()
    status = talk.session.status()
    claim = wire.Status(status.boot_id, status.config_crc, status.pulse, 0, 0, 1, newest, oldest, 0)
    talk.session.receive(wire.Packer().pack(claim), talk.now)
    wanted = [m for m in wire.Decoder().feed(talk.session.due(talk.now)) if isinstance(m, wire.Resend)]
    assert all(one.last - one.first < wire.REPORTS_KEPT for one in wanted)
    assert talk.session.counters.lost_reports <= newest
