"""Changes that other threads want made to what one worker owns."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Owned = TypeVar("Owned")


class Orders(Generic[Owned]):
    """Orders wait until the owner has a moment for them.

    Examples
    --------
    >>> orders = Orders[list[int]]()
    >>> orders.give(lambda numbers: numbers.append(1))
    >>> numbers = []
    >>> orders.obey(numbers)
    >>> numbers
    [1]
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[Owned], None]] = SimpleQueue()

    def give(self, change: Callable[[Owned], None]) -> None:
        """Ask for a change; any thread may."""
        self._waiting.put(change)

    def obey(self, owned: Owned) -> None:
        """Make the changes that were asked for, in order; the owner's thread alone may."""
        while True:
            try:
                change = self._waiting.get_nowait()
            except Empty:
                return
            change(owned)
