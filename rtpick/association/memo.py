"""Results of pure functions, remembered because a replay asks for most of them again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Result = TypeVar("Result")


class Memo:
    """A bounded store of results by argument: the younger half stays when it is full.

    It makes repetition cheap and can never change a result.

    Examples
    --------
    >>> memo = Memo(8)
    >>> memo.recall("two", lambda: 2), memo.recall("two", lambda: 3)
    (2, 2)
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(capacity // 2, 1)
        self._young: dict[Hashable, Any] = {}
        self._old: dict[Hashable, Any] = {}

    def recall(self, key: Hashable, compute: Callable[[], Result]) -> Result:
        """Return the result remembered under a key, or compute and remember it."""
        if key in self._young:
            result: Result = self._young[key]
            return result
        result = self._old[key] if key in self._old else compute()
        if len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
        self._young[key] = result
        return result
