"""A bounded link between two workers, with a declared rule for when it is full.

End of stream and failure are values that travel behind the items, so that a producer that dies
never leaves its consumer waiting.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from rtpick.runtime.clock import monotonic_s

Item = TypeVar("Item")


class Edge(Generic[Item]):
    """Hand items from one or more producers to one consumer.

    Parameters
    ----------
    name : str
        ``"pick->archive"``; the label of its metrics.
    capacity : int
        Most items held.
    producers : int
        The edge ends once `close` was called this often.

    Notes
    -----
    `put` blocks while the edge is full; `offer` never blocks; `displace` drops the oldest.
    """

    def __init__(self, name: str, capacity: int, producers: int = 1) -> None:
        self.name = name
        self.capacity = capacity
        self._open_producers = producers
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._abandoned = False
        self._never = threading.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def ended(self) -> bool:
        """Whether every producer has closed and nothing is left."""
        with self._changed:
            return self._open_producers <= 0 and not self._items

    def offer(self, item: Item) -> bool:
        """Put `item` if there is room; say whether it was taken."""
        with self._changed:
            if len(self._items) >= self.capacity and not self._abandoned:
                return False
            self._append(item)
            return True

    def put(self, item: Item, timeout_s: float | None = None) -> bool:
        """Put `item`, waiting for room; False if there was none in time."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout_s):
                return False
            self._append(item)
            return True

    def displace(self, item: Item, may_leave: Callable[[Item], bool] = lambda _: True) -> Item | None:
        """Put `item` at once; where the edge is full the oldest that may leave does, and is returned."""
        with self._changed:
            leaving = None
            if len(self._items) >= self.capacity:
                leaving = next((waiting for waiting in self._items if may_leave(waiting)), None)
            if leaving is not None:
                self._items.remove(leaving)
            self._append(item)
            return leaving

    def take(self, maximum: int, timeout_s: float, linger_s: float = 0.0) -> Sequence[Item]:
        """Take up to `maximum` items, waiting at most `timeout_s` for the first.

        One that had to wait then lingers for `linger_s`, so that others gather: two workers that hand
        items over one by one wake each other more than they work.
        """
        deadline_s = monotonic_s() + timeout_s
        with self._changed:
            waited = not self._items
            while not self._items and self._open_producers > 0:
                remaining_s = deadline_s - monotonic_s()
                if remaining_s <= 0:
                    return ()
                self._changed.wait(remaining_s)
        if waited and linger_s > 0:
            self._never.wait(linger_s)
        with self._changed:
            taken = [self._items.popleft() for _ in range(min(maximum, len(self._items)))]
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """One producer has put its last item."""
        with self._changed:
            self._open_producers -= 1
            self._changed.notify_all()

    def abandon(self) -> None:
        """The consumer is gone: what is put from now on is dropped, so that no producer hangs."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return len(self._items) < self.capacity or self._abandoned

    def _append(self, item: Item) -> None:
        if self._abandoned:
            return
        self._items.append(item)
        self._changed.notify_all()
