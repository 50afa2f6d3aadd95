"""Work handed to a thread of its own."""

from __future__ import annotations

import threading

import pytest

from rtpick.runtime.background import Background


def test_work_is_done_in_order_while_the_giver_goes_on():
    background, may_go_on, seen = Background("test"), threading.Event(), []
    first = background.submit(lambda: (may_go_on.wait(5), seen.append("first")))
    second = background.submit(lambda: seen.append("second") or len(seen))
    assert not first.done()
    assert not second.done()
    may_go_on.set()
    assert second.result() == 2
    assert first.done()
    assert seen == ["first", "second"]
    background.close()


def test_what_goes_wrong_is_raised_to_whoever_asks_and_the_thread_lives_on():
    background = Background("test")
    bad, good = background.submit(lambda: 1 / 0), background.submit(lambda: 7)
    assert good.result() == 7
    with pytest.raises(ZeroDivisionError):
        bad.result()
    background.close()
