"""One thread that does the work it is given, in order, while others go on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Task(Generic[Result]):
    """A piece of work that was handed over."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._ended = threading.Event()
        self._result: list[Result] = []
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Do the work; what it raises is kept for whoever asks for the result."""
        try:
            self._result.append(self._work())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ended.set()

    def done(self) -> bool:
        """Whether the result, or the failure, is there."""
        return self._ended.is_set()

    def result(self) -> Result:
        """Wait for the result, and raise what went wrong."""
        self._ended.wait()
        if self._failure is not None:
            raise self._failure
        return self._result[0]


class Background:
    """Does one piece of work after the other.

    Parameters
    ----------
    name : str
        Of the thread.

    Notes
    -----
    Who submits sees to it that not too much waits. The thread dies with the process.
    """

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[Task[object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Result]) -> Task[Result]:
        """Hand over a piece of work."""
        task: Task[Result] = Task(work)
        self._tasks.put(task)  # type: ignore[arg-type]
        return task

    def close(self) -> None:
        """Finish what was handed over, and end."""
        self._tasks.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task.run()
