"""Whole messages between two processes over a local socket. Never blocks, never unpickles, bounded."""

from __future__ import annotations

import contextlib
import socket
import struct

import msgspec

_LENGTH = struct.Struct("<I")
_CHUNK = 65_536

MOST_WAITING = 1 << 20
"""Bytes that wait to be sent before messages are turned away."""

MOST_MESSAGE = 1 << 20
"""Bytes of one message; a longer one means that the other end is not ours."""

_MOST_INCOMING = 2 * MOST_MESSAGE

NO_MESSAGE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises on bytes that are no message of ours: of another type, no UTF-8, nested without end."""


class MessageLink:
    """One end of a connection, which it owns from now on."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(None)  # with a time-out set, Python waits even where it is told not to
        self._socket = end
        self._outgoing, self._incoming = bytearray(), bytearray()
        self.closed = False  # the other end is gone, or this one was closed

    @classmethod
    def pair(cls) -> tuple[MessageLink, MessageLink]:
        """Two ends: keep one, hand the other to a child and close it here."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    def fileno(self) -> int:
        """For select; -1 once closed."""
        return self._socket.fileno()

    def send(self, message: bytes) -> bool:
        """Send now or as soon as the other end reads. False: it is gone, or too far behind to be told."""
        if self.closed or len(self._outgoing) + len(message) > MOST_WAITING:
            self.flush()
            return False
        self._outgoing += _LENGTH.pack(len(message)) + message
        self.flush()
        return True

    def flush(self) -> bool:
        """Send what still waits, as far as it goes. True: nothing waits any more."""
        while self._outgoing and not self.closed:
            try:
                sent = self._socket.send(self._outgoing, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return False
            except OSError:
                self.closed = True
            else:
                del self._outgoing[:sent]
        return True

    def receive(self) -> list[bytes]:
        """Whole messages that have come, oldest first: all, unless the other end sends faster than this reads."""
        while not self.closed and len(self._incoming) < _MOST_INCOMING:
            try:
                data = self._socket.recv(_CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
            self._incoming += data
        return self._whole_messages()

    def handed_on(self) -> socket.socket:
        """The connection itself, for another kind of talk on it. The link is of no use after that."""
        self.closed = True
        return self._socket

    def close(self) -> None:
        """Idempotent."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.close()

    def _whole_messages(self) -> list[bytes]:
        messages, at = [], 0
        while len(self._incoming) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._incoming, at)
            if length > MOST_MESSAGE:
                self.closed, at = True, len(self._incoming)
                break
            end = at + _LENGTH.size + length
            if end > len(self._incoming):
                break
            messages.append(bytes(self._incoming[at + _LENGTH.size : end]))
            at = end
        del self._incoming[:at]
        return messages
