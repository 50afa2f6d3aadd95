"""A fiber-optic cable over ZeroMQ: messages become blocks, sorted and with what was lost counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from random import Random

from rtpick.ingest import das_book
from rtpick.ingest.das_book import BookState, Kept, open_book
from rtpick.ingest.das_messages import DecoderState, begin_decoding, decode_message
from rtpick.ingest.das_sequence import SequenceState, count_lost
from rtpick.ingest.das_terms import CableTerms, Decoded, LayoutNews, StreamBegin, StreamEnd
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.ingest.zeromq_febus import open_poll
from rtpick.ingest.zeromq_link import LinkOptions, ZeroMqLink, open_link
from rtpick.ingest.zeromq_listen import Listener, backoff_of, silence_s
from rtpick.settings.sources_das import ZeroMqDasSettings
from rtpick.vocabulary.fiber import DasBlock, FiberGap, FiberLayout, FiberRejectCause, FiberRejection
from rtpick.vocabulary.time import format_utc, to_ns
from rtpick.vocabulary.waveform import EndOfStream

DasEmitted = DasBlock | FiberGap | FiberRejection | SourceStatus | EndOfStream
DasEmit = Callable[[DasEmitted], Awaitable[None]]


async def run_das_session(
    settings: ZeroMqDasSettings,
    emit: DasEmit,
    clock: Callable[[], int],
    random: Random,
    *,
    sort: bool = True,
) -> None:
    """Receive a cable's blocks until cancelled, through every outage.

    Parameters
    ----------
    settings : ZeroMqDasSettings
        The publisher, its format, and what the stream does not say.
    emit : coroutine function
        Takes blocks, gaps, rejections, changes of state, and the end. While it waits nothing is read: what
        a publisher then drops is found from times or numbers, and counted.
    clock : callable
        Wall time in nanoseconds, for receipt times and alarms.
    random : Random
        Spreads the waiting times between attempts.
    sort : bool
        Give blocks out in the order of time, each sample once, with gaps told before the block behind
        them. Otherwise they pass as they come, and only what the publisher's numbers tell of losses is
        added: for a reader that keeps the time axis itself.

    Raises
    ------
    AuthenticationError
        If keys are what is wrong; told as FAILED before.

    Notes
    -----
    A publisher keeps nothing for those who were away: what it sent meanwhile is a gap. Returns only
    behind the end of a stream, where `on_end` says stop.
    """
    receiver = DasReceiver(settings, emit, clock, sort=sort)
    opening = partial(_open, settings)
    listener = Listener(settings.name, settings.address, opening, receiver, emit, clock)
    await listener.run(backoff_of(settings.reconnect_min_s, settings.reconnect_max_s, random))
    await emit(EndOfStream(settings.name))


def _open(settings: ZeroMqDasSettings, clock: Callable[[], int]) -> AbstractAsyncContextManager[ZeroMqLink]:
    """Subscribe, or poll where the format is asked for."""
    options = LinkOptions(
        settings.address,
        (_topic(settings),),
        settings.queue_bytes,
        settings.maximum_block_bytes,
        settings.heartbeat_s,
        settings.curve_server_key_file,
        settings.curve_key_file,
    )
    if settings.format == "febus":
        return open_poll(options, clock, settings.poll_interval_s)
    return open_link(options, clock)


def _topic(settings: ZeroMqDasSettings) -> str:
    """The first bytes of what is wanted; in our own frames the fiber's name stands behind the version."""
    if settings.format == "rtpick" and settings.topic:
        return f'{{"rtpick_das":1,"fiber":"{settings.topic}",'
    return settings.topic


def terms_of(settings: ZeroMqDasSettings) -> CableTerms:
    """What the configuration declares of a cable."""
    return CableTerms(
        settings.cable,
        settings.name,
        settings.quantity,
        settings.unit,
        settings.gauge_or_nan_m,
        settings.spacing_before_decimation,
        settings.apply_sensitivity,
        settings.maximum_block_bytes,
    )


class DasReceiver:
    """Decode messages and enter them in the book; what comes of it is emitted."""

    def __init__(
        self, settings: ZeroMqDasSettings, emit: DasEmit, clock: Callable[[], int], *, sort: bool
    ) -> None:
        self._settings = settings
        self._emit = emit
        self._clock = clock
        self._decoder: DecoderState = begin_decoding(settings.format, terms_of(settings))
        budget_bytes = settings.queue_bytes
        self._book: BookState | None = open_book(settings.reorder_budget_s, budget_bytes) if sort else None
        self._numbers = SequenceState()
        self._block_ns: int | None = None
        self._future_ns = to_ns(settings.future_tolerance_s)

    @property
    def silent_limit_s(self) -> float:
        """How long no message may come."""
        if self._block_ns is None:
            return self._settings.silent_alarm_s
        return silence_s(self._block_ns, self._settings.silent_blocks, self._settings.silent_minimum_s)

    async def take(self, message: list[bytes], received_ns: int) -> bool:
        """Deal with a message; true where the stream has ended and nothing more is wanted."""
        self._decoder, decoded = decode_message(self._decoder, message, received_ns)
        has_ended = False
        for item in decoded:
            judged = self._judge(item, received_ns)
            for kept in self._enter(judged):
                has_ended |= await self._hand_on(kept)
        return has_ended and self._settings.on_end == "stop"

    async def pause(self) -> None:
        """Give out what waits for others: they are not to be expected any more."""
        if self._book is None:
            return
        self._book, kept = das_book.flush(self._book)
        for item in kept:
            await self._hand_on(item)

    def _judge(self, item: Decoded, received_ns: int) -> Decoded:
        """Refuse what our clock says cannot have been measured yet; it must not become the newest."""
        if not isinstance(item, DasBlock):
            return item
        self._block_ns = item.end_ns - item.start_ns
        if item.end_ns <= received_ns + self._future_ns:
            return item
        detail = f"ends at {format_utc(item.end_ns)}: set the interrogator's clock, or this machine's"
        return FiberRejection(item.layout.fiber, FiberRejectCause.FUTURE, item.samples_KT.size, detail)

    def _enter(self, item: Decoded) -> list[Kept]:
        if self._book is None:
            self._numbers, passed = count_lost(self._numbers, item)
            return list(passed)
        self._book, kept = das_book.step(self._book, item)
        return kept

    async def _hand_on(self, item: Kept) -> bool:
        match item:
            case LayoutNews():
                await self._tell(SourceState.LAYOUT, describe(item.layout, item.remark))
            case StreamBegin():
                pass  # what it means for the numbers has been entered
            case StreamEnd():
                return True
            case _:
                await self._emit(item)
        return False

    async def _tell(self, state: SourceState, detail: str) -> None:
        await self._emit(SourceStatus(self._settings.name, state, detail, self._clock()))


def describe(layout: FiberLayout, remark: str = "") -> str:
    """Say in one line what a fiber delivers.

    Examples
    --------
    >>> describe(FiberLayout("north", 0, 50, 8.0, 250.0))
    'north: 50 channels of 8 m from channel 0, 250 Hz, strain_rate in 1/s'
    """
    place = f"{layout.channel_count} channels of {layout.channel_spacing_m:g} m"
    kind = f"{layout.sampling_rate_hz:g} Hz, {layout.quantity} in {layout.unit}"
    said = f"{layout.fiber}: {place} from channel {layout.first_channel}, {kind}"
    return f"{said}; {remark}" if remark else said
