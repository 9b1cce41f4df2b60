"""What a service manager is told: that the station is ready, how it stands, that its threads turn, that it stops.

systemd names a datagram socket in NOTIFY_SOCKET; without it nothing is said. The same lines work with every manager
that keeps to it.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


class ServiceManager:
    """Told by one thread. What it does not take, busy or gone, is not repeated: the next line comes soon."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._status = ""

    def tell(self, *lines: str) -> None:
        """One message of these lines."""
        if not self._address:
            return
        # A name that begins with @ is of Linux' own, without a file: there a zero byte stands for it.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            end.connect(address)
            end.send("\n".join(lines).encode())

    def show(self, status: str) -> None:
        """The line that `systemctl status` shows, when it has changed."""
        if status != self._status:
            self._status = status
            self.tell(f"STATUS={status.replace(chr(10), ' ')}")
