"""The inbox: in order, bounded in bytes, and patient."""

from __future__ import annotations

import asyncio

from rtpick.ingest.zeromq_inbox import Inbox, Received


def mail(number: int, size: int = 10) -> Received:
    return Received([bytes(size - 1), b"x"], number)


def test_messages_come_in_order_and_no_more_wait_than_fit() -> None:
    async def scene() -> None:
        inbox, highest, taken = Inbox(35), 0, []

        async def fill() -> None:
            nonlocal highest
            for number in range(50):
                await inbox.put(mail(number))
                highest = max(highest, inbox.byte_count)

        filling = asyncio.create_task(fill())
        while len(taken) < 50:
            message = await inbox.get(1.0)
            assert message is not None
            taken.append(message.at_ns)
        await filling
        assert taken == list(range(50))
        assert highest == 30
        assert inbox.byte_count == 0

    asyncio.run(scene())


def test_a_message_larger_than_the_inbox_is_taken_alone() -> None:
    async def scene() -> None:
        inbox = Inbox(5)
        await inbox.put(mail(0))
        second = asyncio.create_task(inbox.put(mail(1)))
        await asyncio.sleep(0)
        assert not second.done()
        assert [(await inbox.get(1.0)).at_ns for _ in range(2)] == [0, 1]  # type: ignore[union-attr]
        await second

    asyncio.run(scene())


def test_patience_ends() -> None:
    async def scene() -> None:
        inbox = Inbox(5)
        assert await inbox.get(0.01) is None
        waiting = asyncio.create_task(inbox.get(5.0))
        await asyncio.sleep(0)
        await inbox.put(mail(7))
        message = await waiting
        assert message is not None
        assert message.at_ns == 7

    asyncio.run(scene())
