"""The wire: the page's example, every message, and whatever noise does to it."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import hardware.protocol as wire

PAGE = Path(wire.__file__).with_name("protocol.md").read_text(encoding="utf-8")

CONFIG = wire.Configure(1, 2, 96, 60, 48, 20, 200, 2304, 300, 300, ((0, 2, 300, 250),))
NONCE, BOOT_ID = 0x1234, 7
EXAMPLE = {
    "RESET": wire.Reset(),
    "CONFIG": CONFIG,
    "COMMAND": wire.Command(1, 0, 2, 2552, 2648, 0),
    "HEARTBEAT": wire.HostHeartbeat(wire.HostHeartbeat.READY | wire.HostHeartbeat.LAMPS),
    "BOOT": wire.Boot(wire.VERSION, NONCE, 5),
    "CONFIGURED": wire.Configured(CONFIG.crc),
    "STATUS": wire.Status(2430, 2_109_375, 17, 2, 1308, 51, 1, 0, 0),
    "ANSWER": wire.Answered(1, 0),
    "TRIGGER": wire.Triggered(52, 50, 2448),
    "INDEX": wire.Indexed(53, 2460),
    "OUTCOME": wire.Outcome(54, 1, wire.Ending.FIRED, wire.Cause.NONE, 2534, 2633),
}

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
counts = st.integers(1, 2**16 - 1)


@st.composite
def configurations(draw: st.DrawFn) -> wire.Configure:
    lanes, outlets = draw(st.integers(1, 12)), draw(st.integers(1, 16))
    gate = st.tuples(st.integers(0, lanes - 1), st.integers(1, outlets), u16, u16)
    unlike = draw(st.lists(gate, max_size=lanes * outlets))
    return wire.Configure(lanes, outlets, *(draw(counts) for _ in range(8)), tuple(unlike))


messages = st.one_of(
    st.builds(wire.Reset),
    configurations(),
    st.builds(wire.Command, u32, u8, u8, u32, u32, u32),
    st.builds(wire.CloseAll, u32),
    st.builds(wire.HostHeartbeat, u8),
    st.builds(wire.Resend, u32, u32),
    st.builds(wire.Boot, st.just(wire.VERSION), u32, u32),
    st.builds(wire.Status, u32, u32, u8, u16, u32, u32, u32, u16, st.integers(0, 2**192 - 1)),
    st.builds(wire.Answered, u32, u8),
    st.builds(wire.Outcome, u32, u32, u8, u8, u32, u32),
    st.builds(wire.Triggered, u32, u32, u32),
    st.builds(wire.Indexed, u32, u32),
    st.builds(wire.Configured, u32),
)
bounded = settings(max_examples=60, derandomize=True, deadline=None)


def page_bytes() -> dict[str, bytes]:
    lines = re.findall(r"^    ([A-Z]+) +((?:[0-9a-f]{2} ?)+)$", PAGE, re.MULTILINE)
    return {name: bytes.fromhex(digits) for name, digits in lines}


def test_the_example_of_the_page_is_what_the_code_says_and_hears() -> None:
    page = page_bytes()
    assert page.keys() == EXAMPLE.keys()
    station, board = wire.Packer(NONCE), wire.Packer(BOOT_ID)
    said = []
    for name, message in EXAMPLE.items():
        packer = station if message.TYPE < 0x80 else board
        said.append(wire.Said(packer.talk, message))
        assert packer.pack(message) == page[name], name
        station.talk = BOOT_ID
    decoder = wire.Decoder()
    assert decoder.feed(b"".join(page.values())[:-1]) == said[:-1]
    assert decoder.feed(b"\0") == said[-1:]


def test_the_example_holds_by_the_pages_own_words() -> None:
    """Unstuffed and cut by hand as the page says, without the code under test."""
    packet = page_bytes()["COMMAND"][1:-1]
    body, at = bytearray(), 0
    while at < len(packet):
        body += packet[at + 1 : at + packet[at]] + b"\0"
        at += packet[at]
    body.pop()
    assert body[0] == 0x03
    assert body[1:3] == (2).to_bytes(2, "little")
    assert body[3:7] == (7).to_bytes(4, "little")
    assert body[-4:] == zlib.crc32(body[:-4]).to_bytes(4, "little")
    assert int.from_bytes(body[13:17], "little") == 2552
    assert int.from_bytes(body[17:21], "little") == 2648


def test_every_answer_ending_and_type_is_on_the_page() -> None:
    answers, endings, causes = (
        {int(code) for code in re.findall(r"(?:^|·\s)(\d+) ", re.search(rf"{word}[^:]*: ([^.]*)\.", PAGE)[1])}
        for word in ("Answers", "Endings", "Causes")
    )
    assert answers == set(wire.Answer)
    assert endings == set(wire.Ending)
    assert causes == set(wire.Cause) - {wire.Cause.NONE}
    assert set(re.findall(r"^\| ([0-9a-f]{2}) \|", PAGE, re.MULTILINE)) == {
        f"{m.TYPE:02x}" for m in EXAMPLE.values()
    } | {
        f"{wire.CloseAll.TYPE:02x}",
        f"{wire.Resend.TYPE:02x}",
    }


@bounded
@given(st.lists(messages, max_size=6), st.integers(1, 40))
def test_messages_come_back_however_the_bytes_are_cut(said: list[wire.Message], cut: int) -> None:
    packer, decoder = wire.Packer(9), wire.Decoder()
    data = b"".join(map(packer.pack, said))
    heard = [message for at in range(0, len(data), cut) for message in decoder.feed(data[at : at + cut])]
    assert heard == [wire.Said(9, message) for message in said]
    assert (decoder.bad_packets, decoder.garbage_bytes, decoder.lost_packets) == (0, 0, 0)


@bounded
@given(st.lists(st.binary(max_size=1500), max_size=4), messages)
def test_noise_never_raises_and_the_next_message_is_heard(noise: list[bytes], message: wire.Message) -> None:
    decoder = wire.Decoder()
    for piece in noise:
        decoder.feed(piece)
    assert decoder.feed(wire.Packer(3).pack(message))[-1:] == [wire.Said(3, message)]


@bounded
@given(st.lists(messages, min_size=1, max_size=5), st.data())
def test_a_garbled_stream_gives_no_message_that_was_not_said(said: list[wire.Message], data: st.DataObject) -> None:
    packer, decoder = wire.Packer(), wire.Decoder()
    stream = bytearray(b"".join(map(packer.pack, said)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream) - 1))
        match data.draw(st.sampled_from(["flip", "drop", "repeat", "insert"])):
            case "flip":
                stream[at] ^= 1 << data.draw(st.integers(0, 7))
            case "drop":
                del stream[at : at + 3]
                stream = stream or bytearray(b"\0")
            case "repeat":
                stream[at:at] = stream[at : at + 30]
            case "insert":
                stream[at:at] = data.draw(st.binary(max_size=8))
    heard = decoder.feed(bytes(stream))
    assert all(one.talk == 0 and one.message in said for one in heard)


@bounded
@given(st.lists(st.sampled_from([b"\0", b"\1", b"\xff", b"a" * 253, b"b" * 254, b"c" * 255, b"d" * 508]), max_size=5))
def test_stuffing_leaves_no_zero_and_loses_nothing(runs: list[bytes]) -> None:
    body = b"".join(runs)
    packed = wire.stuffed(body)
    assert 0 not in packed
    assert wire.unstuffed(packed) == body


def test_a_gap_in_the_numbers_is_counted_and_a_restart_is_none() -> None:
    packer, decoder = wire.Packer(), wire.Decoder()
    packets = [packer.pack(wire.Answered(n, 0)) for n in range(6)]
    decoder.feed(packets[0] + packets[3] + packets[3] + packets[5])
    assert decoder.lost_packets == 3
    decoder.feed(wire.Packer(2).pack(wire.Boot(wire.VERSION, 0, 1)))
    assert decoder.lost_packets == 3


def test_a_whole_packet_of_another_version_is_counted_not_raised() -> None:
    decoder = wire.Decoder()
    for body in (b"\x77" + bytes(6), b"\x03" + bytes(6) + b"short", b"\x02" + bytes(6) + bytes(20), b"\x05\0"):
        decoder.feed(b"\0" + wire.stuffed(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0")
    assert decoder.bad_packets == 4


def test_a_board_of_the_first_version_is_told_by_what_it_says() -> None:
    boot = bytes.fromhex("00 02 81 01 02 07 01 01 04 01 34 12 01 05 71 b9 5d b9 00")
    assert wire.Decoder().feed(boot) == [wire.Said(7, wire.Boot(1, NONCE, 0))]
    reset = bytes.fromhex("00 02 01 01 03 34 12 01 05 22 cc f0 5b 00")
    assert wire.Packer(NONCE).pack(wire.Reset()) == reset


@bounded
@given(u32, u32)
def test_a_request_names_the_reports_that_are_wanted(first: int, others: int) -> None:
    wanted = wire.Resend(first, others).wanted()
    assert wanted[0] == first
    assert sum(1 << number - first - 1 for number in wanted[1:]) == others
    assert len(wanted) <= wire.REPORTS_PER_RESEND
