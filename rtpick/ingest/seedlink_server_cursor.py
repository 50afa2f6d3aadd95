"""One client's reading place in the ring: which records it still gets, and when it has them all."""

from __future__ import annotations

from collections.abc import Sequence

from rtpick.ingest.seedlink_server_frames import frame_record
from rtpick.ingest.seedlink_server_position import first_sequence
from rtpick.ingest.seedlink_server_ring import HeldRecord, Ring
from rtpick.ingest.seedlink_server_selection import StationRequest
from rtpick.vocabulary.codes import ChannelId

_LOOK_COUNT = 512  # records looked at in one go, so that no client holds the loop


class Cursor:
    """Walks the ring for one client.

    Parameters
    ----------
    ring : Ring
    requests : sequence of StationRequest
        A record that any of them wants is sent once.
    version : int
        3 or 4.

    Notes
    -----
    A cursor that the ring has overtaken goes on with the oldest record held; `missed` counts
    what was lost to it.
    """

    def __init__(self, ring: Ring, requests: Sequence[StationRequest], version: int) -> None:
        self._ring = ring
        self._version = version
        self._requests = [(request, first_sequence(ring, request, version)) for request in requests]
        self._wanted_by: dict[ChannelId, list[tuple[StationRequest, int]]] = {}
        self._snapshot = ring.next_sequence
        self.position = min(first for _, first in self._requests)
        self.sent = 0
        self.missed = 0

    def take(self, maximum_bytes: int) -> list[bytes]:
        """Look at some records and frame the wanted ones, up to about `maximum_bytes`."""
        frames: list[bytes] = []
        size = 0
        for held in self._ring.read(self.position, _LOOK_COUNT):
            self._move_to(held.sequence)
            if self._wants(held):
                frames.append(frame_record(self._version, held.sequence, held.raw))
                size += len(frames[-1])
                if size >= maximum_bytes:
                    break
        self.sent += len(frames)
        return frames

    @property
    def is_level(self) -> bool:
        """Whether every record held has been looked at."""
        return self.position >= self._ring.next_sequence or len(self._ring) == 0

    def is_finished(self, *, nothing_follows: bool) -> bool:
        """Whether the client has all that it asked for.

        Parameters
        ----------
        nothing_follows : bool
            The server has no further record to expect.
        """
        if nothing_follows and self.is_level:
            return True
        return all(self._is_done(request) for request, _ in self._requests)

    def _is_done(self, request: StationRequest) -> bool:
        if request.finite and self.position >= self._snapshot:
            return True
        if request.end_ns is None or not self.is_level:
            return False
        wanted = [channel for channel in self._ring.channels() if request.wants(channel)]
        return bool(wanted) and all(self._ring.newest_end_ns(item) >= request.end_ns for item in wanted)

    def _move_to(self, sequence: int) -> None:
        self.missed += max(0, sequence - self.position)
        self.position = sequence + 1

    def _wants(self, held: HeldRecord) -> bool:
        candidates = self._wanted_by.get(held.raw.channel)
        if candidates is None:
            candidates = [item for item in self._requests if item[0].wants(held.raw.channel)]
            self._wanted_by[held.raw.channel] = candidates
        return any(self._is_due(held, request, first) for request, first in candidates)

    def _is_due(self, held: HeldRecord, request: StationRequest, first: int) -> bool:
        if held.sequence < first or (request.finite and held.sequence >= self._snapshot):
            return False
        return request.covers(held.raw.start_ns, held.raw.end_ns)
