"""Servers that misbehave over real TCP: poisoned records, broken connections, other sequences, no welcome."""

from __future__ import annotations

import asyncio
import calendar
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from pymseed import DataEncoding, MiniSEEDError, MS3Record

from rtpick.ingest.seedlink import Emitted, probe_server, run_session
from rtpick.ingest.source_status import SourceState, SourceStatus
from rtpick.settings.schema import SeedLinkSettings
from rtpick.vocabulary.codes import StationId
from rtpick.vocabulary.errors import AuthenticationError
from rtpick.vocabulary.time import NS_PER_S
from rtpick.vocabulary.waveform import EndOfStream, Packet, Progress, RejectCause, Rejection

T0 = 1_795_000_000 * NS_PER_S
VERSIONS = pytest.mark.parametrize("version", ["v3", "v4"])


def make_record(number: int, *, station: str = "UH1", version: int = 2, **header: object) -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.formatversion = version
    record.sourceid = str(header.get("source_id", f"FDSN:BW_{station}__S_H_Z"))
    record.starttime = int(header.get("start_ns", T0 + number * NS_PER_S))
    record.samprate = float(header.get("rate_hz", 100.0))
    samples = [(number * 7919 + n * n) % 1009 for n in range(100)]
    (data,) = record.generate(data_samples=samples, sample_type="i")
    return bytes(data)


@dataclass
class Script:
    """What a scripted server has to send, and how it treats its clients."""

    records: dict[int, bytes] = field(default_factory=dict)
    software: str = "SeedLink v4.0 (RingServer/4.5.3)"
    capabilities: str = "SLPROTO:4.0 SLPROTO:3.1 CAP"
    cut_behind_bytes: list[int] = field(default_factory=list)  # one connection each, then none
    answers: dict[str, bytes] = field(default_factory=dict)  # by line or keyword, instead of OK
    behind_end: bytes = b""
    then_end: bool = False
    commands: list[list[str]] = field(default_factory=list)  # as received, by connection


class ScriptedServer:
    """Speaks as much SeedLink 3 and 4 as a client needs, and sends any bytes as records."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.port = 0
        self._version = "v3"
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: list[str] = []
        self.script.commands.append(lines)
        try:
            version = "v3"
            while line := (await reader.readline()).decode().strip():
                lines.append(line)
                keyword = line.split()[0]
                if line == "SLPROTO 4.0" and "SLPROTO" not in self.script.answers:
                    version = "v4"
                if keyword == "END":
                    await self._stream(lines, version, writer)
                    await reader.read()
                    break
                writer.write(self.script.answers.get(line) or self._answer(keyword))
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _answer(self, keyword: str) -> bytes:
        if keyword in self.script.answers:
            return self.script.answers[keyword]
        if keyword == "HELLO":
            return f"{self.script.software} :: {self.script.capabilities}\r\nTest\r\n".encode()
        return b"ERROR\r\n" if keyword == "INFO" else b"OK\r\n"

    async def _stream(self, lines: list[str], version: str, writer: asyncio.StreamWriter) -> None:
        asked = next(line for line in lines if line.split()[0] in ("DATA", "TIME"))
        first = first_number(asked, version, self.script.records)
        frame = frame3 if version == "v3" else frame4
        wanted = [frame(number, record) for number, record in self.script.records.items() if number >= first]
        data = b"".join(wanted) + self.script.behind_end
        cut = self.script.cut_behind_bytes.pop(0) if self.script.cut_behind_bytes else None
        writer.write(data[:cut])
        await writer.drain()
        if self.script.then_end and cut is None:
            writer.write(b"END")
        if cut is not None or self.script.then_end:
            await writer.drain()
            writer.close()


NEW_ONLY = 1 << 62


def first_number(data_line: str, version: str, records: dict[int, bytes]) -> int:
    """Where ringserver 4.5 begins: behind a record it holds, if the time fits; else at the time; else new."""
    keyword, *words = data_line.split()
    number = None if keyword == "TIME" or not words or words[0] == "ALL" else words[0]
    second = read_second(words[-1]) if keyword == "TIME" or len(words) == 2 else None
    starts = {n: start for n, record in records.items() if (start := start_second(record)) is not None}
    if number is not None:
        before = int(number, 16 if version == "v3" else 10) - 1
        matching = [n for n in starts if (n % (1 << 24) if version == "v3" else n) == before]
        if matching and second in (None, starts[matching[-1]]):
            return matching[-1] + 1
    held = [n for n, start in starts.items() if second is not None and start >= second]
    return min(held, default=NEW_ONLY)


def read_second(text: str) -> int:
    if "," in text:
        return calendar.timegm(tuple(map(int, text.split(","))))
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def start_second(record: bytes) -> int | None:
    try:
        return int(MS3Record.parse(record).starttime // NS_PER_S)
    except (MiniSEEDError, ValueError):
        return None


def frame3(number: int, record: bytes) -> bytes:
    return b"SL%06X" % (number % (1 << 24)) + record


def frame4(number: int, record: bytes) -> bytes:
    kind = b"3" if record.startswith(b"MS\x03") else b"2"
    return struct.pack("<2sccIQB", b"SE", kind, b"D", len(record), number, 6) + b"BW_UH1" + record


@dataclass
class Sink:
    """Takes what a session emits, and wakes whoever waits for something in it."""

    items: list[Emitted] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, item: Emitted) -> None:
        self.items.append(item)
        self.changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def packets(self) -> list[Packet]:
        return [item for item in self.items if isinstance(item, Packet)]

    @property
    def numbers(self) -> list[int | None]:
        return [packet.sequence for packet in self.packets]

    @property
    def causes(self) -> list[RejectCause]:
        return [item.cause for item in self.items if isinstance(item, Rejection)]

    @property
    def states(self) -> list[SourceState]:
        return [item.state for item in self.items if isinstance(item, SourceStatus)]


def settings_for(port: int, **changes: object) -> SeedLinkSettings:
    values: dict[str, object] = {
        "type": "seedlink",
        "name": "ring",
        "port": port,
        "streams": ("BW.*.*.*",),
        "start": "all",
        "reconnect_min_s": 0.02,
        "reconnect_max_s": 0.1,
        "connect_timeout_s": 5.0,
    }
    return SeedLinkSettings.model_validate(values | changes)


def run(
    script: Script,
    work: Callable[[Sink], Awaitable[None]],
    resume: dict[StationId, Progress] | None = None,
    **changes: object,
) -> Sink:
    """Run a session against a scripted server until `work` is done with it."""

    async def main() -> Sink:
        sink = Sink()
        async with ScriptedServer(script) as server:
            settings = settings_for(server.port, **changes)
            session = asyncio.create_task(
                run_session(settings, resume or {}, sink.take, time.time_ns, Random(1))
            )
            try:
                await work(sink)
            finally:
                session.cancel()
                with suppress(asyncio.CancelledError):
                    await session
        return sink

    return asyncio.run(main())


def until_numbers(*numbers: int) -> Callable[[Sink], Awaitable[None]]:
    return lambda sink: sink.until(lambda: set(numbers) <= set(sink.numbers))


def flip(record: bytes, *bits: int) -> bytes:
    damaged = bytearray(record)
    for bit in bits:
        damaged[bit // 8] ^= 1 << (bit % 8)
    return bytes(damaged)


GOOD = make_record(3)
GOOD3 = make_record(3, version=3)
POISON = {
    "flipped bits in the samples": (flip(GOOD, 8 * 150 + 3, 8 * 201), RejectCause.CORRUPT),
    "flipped bits in miniSEED 3": (flip(GOOD3, 8 * 90), RejectCause.CORRUPT),
    "truncated": (GOOD[:300], RejectCause.CORRUPT),
    "nearly whole": (GOOD[:508], RejectCause.CORRUPT),
    "only a header": (GOOD[:48], RejectCause.CORRUPT),
    "nothing": (b"", RejectCause.CORRUPT),
    "zeros": (bytes(512), RejectCause.CORRUPT),
    "random bytes": (Random(5).randbytes(512), RejectCause.CORRUPT),
    "99 o'clock": (GOOD[:24] + b"\x63" + GOOD[25:], RejectCause.CORRUPT),
    "quality code": (GOOD[:6] + b"\x01" + GOOD[7:], RejectCause.CORRUPT),
    "length of a megabyte": (GOOD[:54] + b"\x14" + GOOD[55:], RejectCause.CORRUPT),
    "length of 128 bytes": (GOOD[:54] + b"\x07" + GOOD[55:], RejectCause.CORRUPT),
    "blockettes far away": (GOOD[:46] + b"\xff\xf0" + GOOD[48:], RejectCause.CORRUPT),
    "station code": (GOOD[:8] + b"\xff\xfe\xfd  " + GOOD[13:], RejectCause.CORRUPT),
    "day 999": (GOOD[:22] + b"\x03\xe7" + GOOD[24:], RejectCause.CORRUPT),
    "year 2090": (make_record(3, start_ns=T0 + 64 * 365 * 86_400 * NS_PER_S), RejectCause.DATE),
    "year 1930": (make_record(3, start_ns=-40 * 365 * 86_400 * NS_PER_S), RejectCause.DATE),
    "a megahertz": (make_record(3, rate_hz=1e6), RejectCause.RATE),
    "rate of zero": (GOOD[:32] + b"\0\0\0\0" + GOOD[36:], RejectCause.RATE),
    "text": (GOOD[:15] + b"LOG" + GOOD[18:30] + b"\0\0" + GOOD[32:], RejectCause.NOT_SEISMIC),
}


def assert_samples_are_true(sink: Sink) -> None:
    """Also those of a record that was cut behind its last sample."""
    for packet in sink.packets:
        number = (packet.start_ns - T0) // NS_PER_S
        assert packet.samples.tolist() == [(number * 7919 + n * n) % 1009 for n in range(100)]


@VERSIONS
@pytest.mark.parametrize("poison", POISON)
def test_one_bad_record_costs_no_other_and_no_connection(version, poison):
    damaged, cause = POISON[poison]
    records = {n: make_record(n) for n in range(2, 9)} | {3: damaged}
    script = Script(records)
    sink = run(script, until_numbers(2, 4, 5, 6, 7, 8), protocol=version)
    assert [number for number in sink.numbers if number != 3] == [2, 4, 5, 6, 7, 8]
    assert cause in sink.causes
    assert_samples_are_true(sink)
    assert sink.states == [SourceState.CONNECTING, SourceState.CONNECTED]
    assert len(script.commands) == 1


@VERSIONS
def test_a_stream_of_many_bad_records_goes_on(version):
    random = Random(11)
    records = {n: make_record(n) for n in range(2, 400)}
    bad = sorted(random.sample(range(3, 399), 120))
    for number in bad:
        records[number] = random.choice(list(POISON.values()))[0]
    good = [number for number in records if number not in bad]
    sink = run(Script(records), until_numbers(*good), protocol=version)
    assert [number for number in sink.numbers if number in good] == good
    assert_samples_are_true(sink)
    assert len(sink.causes) >= 100


@VERSIONS
def test_a_connection_dropped_within_records_loses_and_doubles_nothing(version):
    records = {n: make_record(n) for n in range(2, 60)}
    cuts = [100, 520, 521, 1500, 7, 2222, 519, 5 * 520 + 8]
    script = Script(records, cut_behind_bytes=cuts)
    sink = run(script, until_numbers(59), protocol=version)
    assert sink.numbers == list(range(2, 60))
    assert len(script.commands) == 9


@VERSIONS
def test_a_drop_behind_a_poisoned_record_does_not_loop(version):
    records = {n: make_record(n) for n in range(2, 9)} | {5: bytes(512)}
    script = Script(records, cut_behind_bytes=[4 * (512 + (8 if version == "v3" else 23))])
    sink = run(script, until_numbers(8), protocol=version)
    assert sink.numbers == [2, 3, 4, 6, 7, 8]


@VERSIONS
def test_number_and_time_are_sent_when_a_stream_is_taken_up(version):
    done = {StationId("BW", "UH1"): Progress("ring", StationId("BW", "UH1"), 4, T0 + 4 * NS_PER_S, 0)}
    script = Script({n: make_record(n) for n in range(2, 9)}, cut_behind_bytes=[1100])
    sink = run(script, until_numbers(8), done, protocol=version, start="resume")
    assert sink.numbers == [5, 6, 7, 8]
    first, second = ([line for line in lines if line.startswith("DATA")] for lines in script.commands)
    second_4, second_6 = (time.gmtime(T0 // NS_PER_S + n) for n in (4, 6))
    if version == "v4":
        assert first == [f"DATA 5 {time.strftime('%Y-%m-%dT%H:%M:%SZ', second_4)}"]
        assert second == [f"DATA 7 {time.strftime('%Y-%m-%dT%H:%M:%SZ', second_6)}"]
    else:
        assert first == ["DATA 000005 " + ",".join(map(str, second_4[:6]))]
        assert second == ["DATA 000007 " + ",".join(map(str, second_6[:6]))]


def test_24_bits_that_wrap_go_on_counting():
    numbers = range(0xFFFFFD, 0x1000004)
    script = Script({n: make_record(n - 0xFFFFFD) for n in numbers}, cut_behind_bytes=[2 * 520])
    sink = run(script, until_numbers(0x1000003), protocol="v3")
    assert sink.numbers == list(numbers)


def test_version_3_is_the_fallback():
    script = Script({2: make_record(2)}, answers={"SLPROTO": b"ERROR\r\n"})
    sink = run(script, until_numbers(2))
    assert sink.numbers == [2]
    assert "STATION * BW" in script.commands[0]
    old = Script({2: make_record(2)}, software="SeedLink v3.1 (2017.052 RingServer)", capabilities="CAP")
    assert run(old, until_numbers(2)).numbers == [2]


def test_a_refused_selector_costs_no_station():
    script = Script({2: make_record(2)}, answers={"SELECT": b"ERROR\r\n"})
    assert run(script, until_numbers(2), protocol="v3", streams=("BW.UH1..SHZ",)).numbers == [2]


def test_a_refused_station_takes_no_other_along():
    script = Script({2: make_record(2)}, answers={"STATION UH2 BW": b"ERROR\r\n"})
    streams = ("BW.UH2..SHZ", "BW.UH1..SHZ")
    assert run(script, until_numbers(2), protocol="v3", streams=streams).numbers == [2]
    assert script.commands[0][-5:-3] == ["STATION UH2 BW", "STATION UH1 BW"]  # nothing between them


def test_when_every_station_is_refused_it_is_told_once_and_tried_again():
    script = Script({2: make_record(2)}, answers={"STATION": b"ERROR\r\n"})

    async def work(sink: Sink) -> None:
        await sink.until(lambda: SourceState.DISCONNECTED in sink.states)
        while len(script.commands) < 4:
            await asyncio.sleep(0.02)
        script.answers.clear()
        await sink.until(lambda: 2 in sink.numbers)

    sink = run(script, work)
    assert sink.states == [SourceState.CONNECTING, SourceState.DISCONNECTED, SourceState.CONNECTED]


STATIONS3 = (
    '<seedlink><station name="UH1" network="BW" begin_seq="000002" end_seq="000008"/>'
    '<station name="UH2" network="BW" begin_seq="000100" end_seq="000200"/>'
    '<station name="PB01" network="CX" begin_seq="000001" end_seq="000009"/></seedlink>'
)


def info3(xml: str) -> bytes:
    record = MS3Record(reclen=512, encoding=DataEncoding.TEXT)
    record.formatversion = 2
    record.sourceid = "FDSN:XX_INFO__I_N_F"
    record.starttime = T0
    parts = [xml[start : start + 400].encode() for start in range(0, len(xml), 400)]
    records = [next(iter(record.generate(data_samples=part, sample_type="t"))) for part in parts]
    flags = [b"*"] * (len(parts) - 1) + [b" "]
    return b"".join(b"SLINFO " + flag + bytes(data) for flag, data in zip(flags, records, strict=True))


def test_a_server_that_counts_each_station_apart_is_asked_for_each():
    done = {
        StationId("BW", "UH1"): Progress("ring", StationId("BW", "UH1"), 4, T0, 0),
        StationId("BW", "UH2"): Progress("ring", StationId("BW", "UH2"), 0x150, T0 + NS_PER_S, 0),
    }
    script = Script(
        {n: make_record(n) for n in range(2, 9)},
        software="SeedLink v3.1 (2020.122)",
        capabilities="SLPROTO:3.1 CAP EXTREPLY NSWILDCARD",
        answers={"INFO": info3(STATIONS3)},
    )
    run(script, until_numbers(8), done)
    asked = script.commands[0][-5:]
    stamps = [",".join(map(str, time.gmtime(T0 // NS_PER_S + n)[:6])) for n in range(2)]
    assert asked[:2] == ["STATION UH1 BW", f"DATA 000005 {stamps[0]}"]
    assert asked[2:] == ["STATION UH2 BW", f"DATA 000151 {stamps[1]}", "END"]


def test_one_station_that_began_to_count_anew_is_told():
    station = StationId("BW", "UH1")
    done = {station: Progress("ring", station, 0x5000, T0 + 3 * NS_PER_S, 0)}
    script = Script(
        {n: make_record(n) for n in range(2, 9)},
        software="SeedLink v3.1 (2020.122)",
        capabilities="SLPROTO:3.1",
        answers={"INFO": info3(STATIONS3)},
    )
    sink = run(script, until_numbers(8), done, streams=("BW.UH1..SHZ",))
    assert sink.states.count(SourceState.RING_RESET) == 1
    assert "TIME" in script.commands[0][-2]


@VERSIONS
def test_what_was_not_asked_for_is_counted_apart(version):
    records = {2: make_record(2), 3: make_record(3, source_id="FDSN:BW_UH1__L_H_Z"), 4: make_record(4)}
    sink = run(Script(records), until_numbers(4), streams=("BW.UH1..SH?",), protocol=version)
    assert sink.numbers == [2, 4]
    assert sink.causes == [RejectCause.NOT_SELECTED]


def test_the_end_stops_the_session_where_so_set():
    async def main() -> list[Emitted]:
        sink = Sink()
        script = Script({n: make_record(n) for n in range(2, 9)}, then_end=True)
        async with ScriptedServer(script) as server, asyncio.timeout(10):
            settings = settings_for(server.port, on_end="stop")
            await run_session(settings, {}, sink.take, time.time_ns, Random(1))
        return sink.items

    items = asyncio.run(main())
    assert items[-1] == EndOfStream("ring")
    assert len([item for item in items if isinstance(item, Packet)]) == 7


def test_the_end_is_an_outage_like_another_where_so_set():
    script = Script({2: make_record(2)}, then_end=True)

    async def work(sink: Sink) -> None:
        await sink.until(lambda: 2 in sink.numbers)
        script.records[3] = make_record(3)
        await sink.until(lambda: 3 in sink.numbers)

    sink = run(script, work, on_end="reconnect")
    assert sink.numbers == [2, 3]
    assert not any(isinstance(item, EndOfStream) for item in sink.items)


AUTH_LINE = b"ERROR AUTH Authentication required for streaming\r\n"
AUTH_JSON = b'{"error":{"code":"UNAUTHORIZED","message":"not you"}}'
AUTH_PACKET = struct.pack("<2sccIQB", b"SE", b"J", b"E", len(AUTH_JSON), 0, 0) + AUTH_JSON


@pytest.mark.parametrize(
    ("script", "credentials", "text"),
    [
        (Script(behind_end=AUTH_LINE), False, "Authentication required"),
        (Script(behind_end=AUTH_PACKET), False, "not you"),
        (Script(answers={"AUTH": b"ERROR AUTH Authentication failed\r\n"}), True, "Authentication failed"),
        (Script(answers={"STATION": b"ERROR UNAUTHORIZED no\r\n"}), False, "UNAUTHORIZED"),
        (Script(capabilities="SLPROTO:3.1"), True, "has no AUTH"),
    ],
)
def test_where_credentials_are_what_is_wrong_the_session_ends_with_that(tmp_path, script, credentials, text):
    (tmp_path / "password").write_text("sesame-0815\n")
    given = {"username": "me", "password_file": tmp_path / "password"} if credentials else {}

    async def main() -> tuple[Sink, str]:
        sink = Sink()
        async with ScriptedServer(script) as server, asyncio.timeout(10):
            settings = settings_for(server.port, **given)
            with pytest.raises(AuthenticationError, match=text) as caught:
                await run_session(settings, {}, sink.take, time.time_ns, Random(1))
        return sink, str(caught.value)

    sink, message = asyncio.run(main())
    assert sink.states[-1] is SourceState.FAILED
    assert len(script.commands) == 1
    assert "sesame-0815" not in message + repr(sink.items)


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff\xfe"])
def test_a_password_file_that_cannot_be_used_is_named(tmp_path: Path, content):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)

    async def main() -> None:
        async with ScriptedServer(Script()) as server, asyncio.timeout(10):
            settings = settings_for(server.port, username="me", password_file=path)
            with pytest.raises(AuthenticationError, match=str(path)):
                await run_session(settings, {}, Sink().take, time.time_ns, Random(1))

    asyncio.run(main())


def test_a_server_of_another_kind_is_tried_again():
    async def main() -> Sink:
        sink = Sink()

        async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(web, "127.0.0.1", 0)
        settings = settings_for(server.sockets[0].getsockname()[1])
        session = asyncio.create_task(run_session(settings, {}, sink.take, time.time_ns, Random(1)))
        await sink.until(lambda: SourceState.DISCONNECTED in sink.states)
        await asyncio.sleep(0.3)
        session.cancel()
        report = await probe_server(settings)
        server.close()
        assert not report.reachable
        assert report.problem
        return sink

    assert asyncio.run(main()).states == [SourceState.CONNECTING, SourceState.DISCONNECTED]


def test_a_server_that_says_nothing_is_given_up_in_time():
    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: asyncio.sleep(60), "127.0.0.1", 0)
        settings = settings_for(server.sockets[0].getsockname()[1], connect_timeout_s=0.2)
        async with asyncio.timeout(10):
            report = await probe_server(settings)
        assert "0.2 s" in report.problem
        server.close()

    asyncio.run(main())
