"""Whoever can reach the socket may say anything to it: the desk answers in words and goes on."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from grader.app.orders import SOCKET, OrderDesk, give_order
from grader.domain.orders import Done, Show
from hardware.local_socket import connect
from hardware.message_link import MessageLink

FOREIGN = {
    "nothing": b"",
    "no JSON": b"\x00\xff",
    "a byte that is no UTF-8": b'{"type":"close\xdflot"}',
    "another type": b'{"type":"explode"}',
    "nested without end": b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b',"type":"show"}',
    "a lone surrogate": b'{"type":"open_lot","name":"\\ud800"}',
}


@pytest.mark.parametrize("said", FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_order_is_answered_and_the_next_order_is_carried_out(tmp_path: Path, said: bytes) -> None:
    desk = OrderDesk(tmp_path)
    talk = MessageLink(connect(tmp_path / SOCKET))
    try:
        talk.send(said)
        select.select([talk], [], [], 10)
        assert len(talk.receive()) == 1
        with desk.serving(lambda order: Done()):
            assert give_order(tmp_path, Show()) == Done()
    finally:
        talk.close()
        desk.close()
