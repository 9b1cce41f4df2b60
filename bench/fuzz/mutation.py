"""Sound inputs spoilt: bytes, words, lines, and the parts of files whose checksums are put right again.

A mutator takes an input and gives another. The same seed gives the same ones.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

MOST_BYTES = 1 << 17
"""Of an input: long enough for what grows faster than its input."""

_MOST_COPIES = 5000
_TAIL_BYTES = 64

_NUMBERS = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 63)
_INTEGERS = tuple(
    struct.pack(order + size, number & (1 << 8 * struct.calcsize(size)) - 1)
    for number in _NUMBERS
    for size in "BHIQ"
    for order in "<>"
)
_WORDS = (
    *(b"0", b"-1", b"1", b"1e999", b"-1e308", b"nan", b"inf", b"-inf", b"1_0", b"0.5", b"12", b"255", b"65536"),
    *(b"2147483647", b"4294967296", b"9223372036854775807", b"-9223372036854775808", b"9" * 25, b"9" * 5000),
    *(b'""', b"''", b"[]", b"{}", b"[[]]", b"true", b"2026-01-01", b"null", b'"\\u0000"', b"a" * 300, b"../x"),
    *("富士".encode(), b"\xff", b"\0", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\r\n", b"=", b".", b"[", b"]"),
    *(
        b"{",
        b"}",
        b"#",
        b"\\",
        b'"""',
        b"\xef\xbb\xbf",
        b"\xc3",
        b" ",
        b"[" * 3000,
        b"a." * 3000,
        b'{"a":' * 3000,
        b"\x91" * 3000,
    ),
)
_WORD = re.compile(rb'"[^"\n]*"|[-+]?\d[\w.+-]*|\w+')


class Draws:
    """Chance, from a seed. others: inputs to take pieces of."""

    def __init__(self, seed: str, others: Sequence[bytes]) -> None:
        self._random, self._others = random.Random(seed).random, others

    def below(self, end: int) -> int:
        """A whole number from 0, below `end`, which is at least 1."""
        return int(self._random() * end)

    def one_of(self, items: Sequence[Item]) -> Item:
        """One of them, each as likely."""
        return items[int(self._random() * len(items))]

    def other(self) -> bytes:
        """An input, whole."""
        return self.one_of(self._others)

    def few(self) -> int:
        """1 as often as not, 2 half as often, and so on."""
        count = 1
        while count < 8 and self._random() < 0.5:
            count += 1
        return count

    def length(self, most: int) -> int:
        """0 to `most`, short ones more often: as likely below 4 as from 4 to 16."""
        return min(most, int(4 ** (self._random() * 8)))

    def copies(self) -> int:
        """One, mostly; once in a hundred times up to thousands, for what grows faster than its input."""
        return self.length(_MOST_COPIES) if self._random() < 0.01 else 1


Mutator = Callable[[bytes, Draws], bytes]


def spoilt_bytes(data: bytes, draws: Draws) -> bytes:
    """A few changes of bytes, wherever they lie."""
    for _ in range(draws.few()):
        at = draws.below(len(data) + 1)
        data = draws.one_of(_CHANGES)(data, at, draws)[:MOST_BYTES]
    return data


def _flipped(data: bytes, at: int, draws: Draws) -> bytes:
    return data[:at] + bytes((data[at] ^ 1 << draws.below(8),)) + data[at + 1 :] if at < len(data) else data


def _other_byte(data: bytes, at: int, draws: Draws) -> bytes:
    return data[:at] + bytes((draws.below(256),)) + data[at + 1 :]


def _integer_written(data: bytes, at: int, draws: Draws) -> bytes:
    integer = draws.one_of(_INTEGERS)
    return data[:at] + integer + data[at + len(integer) :]


def _word_put_in(data: bytes, at: int, draws: Draws) -> bytes:
    return data[:at] + draws.one_of(_WORDS) + data[at:]


def _cut_out(data: bytes, at: int, draws: Draws) -> bytes:
    return data[:at] + data[at + draws.length(len(data)) :]


def _cut_short(data: bytes, at: int, draws: Draws) -> bytes:
    return data[:at] if draws.below(2) else data[: max(0, len(data) - draws.below(_TAIL_BYTES))]


def _again_and_again(data: bytes, at: int, draws: Draws) -> bytes:
    piece = data[at : at + 1 + draws.length(len(data))]
    return data[:at] + piece * min(draws.copies(), MOST_BYTES // max(1, len(piece))) + data[at:]


def _spliced(data: bytes, at: int, draws: Draws) -> bytes:
    other = draws.other()
    begin = draws.below(len(other) + 1)
    return data[:at] + other[begin : begin + draws.length(len(other))] + data[at + draws.length(len(data)) :]


def _moved(data: bytes, at: int, draws: Draws) -> bytes:
    piece, rest = data[at : at + draws.length(len(data))], data[:at]
    to = draws.below(len(rest) + 1)
    return rest[:to] + piece + rest[to:] + data[at + len(piece) :]


_CHANGES = (
    *(_flipped, _flipped, _other_byte, _integer_written, _word_put_in, _cut_out),
    *(_cut_short, _again_and_again, _spliced, _moved),
)


def spoilt_words(data: bytes, draws: Draws) -> bytes:
    """A number, name or quoted text of a line put in another's place, or written strangely; now and then a byte."""
    words = list(_WORD.finditer(data))
    if not words or not draws.below(4):
        return spoilt_bytes(data, draws)
    word = draws.one_of(words)
    put = draws.one_of(_WORDS) if draws.below(2) else draws.one_of(words).group()
    return data[: word.start()] + put + data[word.end() :]


@dataclass(frozen=True)
class Parts:
    """Mutates an input as a list of parts: takes out, doubles, exchanges, borrows, or spoils one. One input in eight is
    spoilt byte by byte instead, with its checksums.

    split, join: the parts of an input, and such parts as an input again, checksums put right. split leaves out what is
    no part.
    """

    split: Callable[[bytes], list[bytes]]
    join: Callable[[list[bytes]], bytes]
    spoil: Mutator = spoilt_bytes

    def __call__(self, data: bytes, draws: Draws) -> bytes:
        """See `Mutator`."""
        parts = self.split(data) if draws.below(8) else []
        if not parts:
            return spoilt_bytes(data, draws)
        for _ in range(draws.few()):
            self._change(parts, draws)
        return self.join(parts)[:MOST_BYTES]

    def _change(self, parts: list[bytes], draws: Draws) -> None:
        at = draws.below(len(parts)) if parts else 0
        match draws.below(12) if parts else 0:
            case 0:
                parts[at:at] = self.split(draws.other())[: 1 + draws.below(3)]
            case 1:
                del parts[at]
            case 2:
                parts.insert(at, draws.one_of(parts))
            case 3:
                to = draws.below(len(parts))
                parts[at], parts[to] = parts[to], parts[at]
            case 4:
                parts[at:at] = [parts[at]] * min(draws.copies(), MOST_BYTES // (1 + len(parts[at])))
            case _:
                parts[at] = self.spoil(parts[at], draws)


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


spoilt_text = Parts(_lines, b"\n".join, spoilt_words)
"""Of TOML and CSV: lines and the words in them."""
