"""The wire: the page's example, every message, and whatever noise does to it."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import hardware.protocol as wire

PAGE = Path(wire.__file__).with_name("protocol.md").read_text(encoding="utf-8")

CONFIG = wire.Configure(1, 2, 96, 60, 48, 100, 1000, ((300, 300), (300, 250)))
EXAMPLE = {
    "RESET": wire.Reset(0x1234),
    "CONFIG": CONFIG,
    "COMMAND": wire.Command(1, CONFIG.crc & 0xFFFF, 0, 2, 2552, 2648, 0),
    "HEARTBEAT": wire.HostHeartbeat(),
    "BOOT": wire.Boot(7, 1, 0x1234),
    "STATUS": wire.Status(7, CONFIG.crc, 2430, 2_109_375, 0, 1, 50, 1, 0),
    "ANSWER": wire.Answered(1, 0),
    "TRIGGER": wire.Triggered(51, 50, 2448),
    "OUTCOME": wire.Outcome(52, 1, wire.Ending.FIRED, wire.Cause.NONE, 2534, 2633),
}

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
counts = st.integers(1, 2**16 - 1)


@st.composite
def configurations(draw: st.DrawFn) -> wire.Configure:
    lanes, outlets = draw(st.integers(1, 12)), draw(st.integers(1, 16))
    travel = draw(st.lists(st.tuples(u16, u16), min_size=lanes * outlets, max_size=lanes * outlets))
    return wire.Configure(lanes, outlets, *(draw(counts) for _ in range(5)), tuple(travel))


messages = st.one_of(
    st.builds(wire.Reset, u32),
    configurations(),
    st.builds(wire.Command, u32, u16, u8, u8, u32, u32, u32),
    st.builds(wire.CloseAll, u32),
    st.builds(wire.HostHeartbeat),
    st.builds(wire.Resend, u32, u32),
    st.builds(wire.Boot, u32, u8, u32),
    st.builds(wire.Status, u32, u32, u32, u32, u16, u8, u32, u32, st.integers(0, 2**96 - 1)),
    st.builds(wire.Answered, u32, u8),
    st.builds(wire.Outcome, u32, u32, u8, u8, u32, u32),
    st.builds(wire.Triggered, u32, u32, u32),
)
bounded = settings(max_examples=60, derandomize=True, deadline=None)


def page_bytes() -> dict[str, bytes]:
    lines = re.findall(r"^    ([A-Z]+) +((?:[0-9a-f]{2} ?)+)$", PAGE, re.MULTILINE)
    return {name: bytes.fromhex(digits) for name, digits in lines}


def test_the_example_of_the_page_is_what_the_code_says_and_hears() -> None:
    page = page_bytes()
    assert page.keys() == EXAMPLE.keys()
    station, board = wire.Packer(), wire.Packer()
    for name, message in EXAMPLE.items():
        packer = station if message.TYPE < 0x80 else board
        assert packer.pack(message) == page[name], name
    decoder = wire.Decoder()
    assert decoder.feed(b"".join(page.values())[:-1]) == list(EXAMPLE.values())[:-1]
    assert decoder.feed(b"\0") == [EXAMPLE["OUTCOME"]]


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
    assert body[-4:] == zlib.crc32(body[:-4]).to_bytes(4, "little")
    assert int.from_bytes(body[11:15], "little") == 2552
    assert int.from_bytes(body[15:19], "little") == 2648


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
    packer, decoder = wire.Packer(), wire.Decoder()
    data = b"".join(map(packer.pack, said))
    heard = [message for at in range(0, len(data), cut) for message in decoder.feed(data[at : at + cut])]
    assert heard == said
    assert (decoder.bad_packets, decoder.garbage_bytes, decoder.lost_packets) == (0, 0, 0)


@bounded
@given(st.lists(st.binary(max_size=1500), max_size=4), messages)
def test_noise_never_raises_and_the_next_message_is_heard(noise: list[bytes], message: wire.Message) -> None:
    decoder = wire.Decoder()
    for piece in noise:
        decoder.feed(piece)
    assert decoder.feed(wire.Packer().pack(message))[-1:] == [message]


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
    assert all(message in said for message in heard)


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
    decoder.feed(wire.Packer().pack(wire.Boot(2, 1, 0)))
    assert decoder.lost_packets == 3


def test_a_whole_packet_of_another_version_is_counted_not_raised() -> None:
    decoder = wire.Decoder()
    for body in (b"\x77\x00\x00", b"\x03\x00\x00short", b"\x02\x00\x00" + bytes(12)):
        decoder.feed(b"\0" + wire.stuffed(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0")
    assert decoder.bad_packets == 3
