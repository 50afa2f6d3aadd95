"""Tell systemd how the daemon is (sd_notify protocol: one datagram a message)."""

from __future__ import annotations

import os
import socket


class Notifier:
    """Send states to the socket that systemd named in the environment, or nowhere without one.

    References
    ----------
    sd_notify(3): NOTIFY_SOCKET is a path, or an abstract name that begins with ``@``.
    """

    def __init__(self, environment: os._Environ[str] | dict[str, str] = os.environ) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        interval_us = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s: float | None = int(interval_us) / 1e6 if interval_us.isdigit() else None

    def ready(self) -> None:
        """Start-up is over."""
        self._send("READY=1")

    def reloading(self, monotonic_us: int) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """Shut-down has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1.0)
            try:
                channel.sendto(message.encode(), self._address)
            except OSError:
                # The listener may be gone or slow; the watchdog of systemd is the judge of that.
                return
