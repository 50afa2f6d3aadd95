"""The negotiation of our SeedLink server, without a socket."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpick.ingest.seedlink_server_commands import MAXIMUM_STATIONS, respond
from rtpick.ingest.seedlink_server_dialogue import Close, Dialogue, Say, SendInfo, ServerFacts, Stream
from rtpick.ingest.seedlink_server_lines import MAXIMUM_LINE_BYTES, LineSplitter
from rtpick.ingest.seedlink_server_selection import Begin, parse_selector3, parse_selector4
from rtpick.vocabulary.codes import ChannelId
from rtpick.vocabulary.time import parse_utc

OPEN = ServerFacts()
CLOSED = ServerFacts(users={"ann": "secret"}, tokens=frozenset({"a.b.c"}))


def converse(*lines: str, facts: ServerFacts = OPEN):
    """State and actions after the last of several lines."""
    dialogue, actions = Dialogue(), ()
    for line in lines:
        dialogue, actions = respond(dialogue, line, facts)
    return dialogue, actions


def said(*lines: str, facts: ServerFacts = OPEN) -> bytes:
    return b"".join(action.data for action in converse(*lines, facts=facts)[1] if isinstance(action, Say))


def test_hello_names_both_protocols_in_two_lines():
    first, second, rest = said("hello").split(b"\r\n")
    assert first.startswith(b"SeedLink v4.0 (rtpick) :: SLPROTO:4.0 SLPROTO:3.1 ")
    assert (second, rest) == (b"rtpick", b"")


def test_protocol_is_chosen_once_and_only_known_ones():
    assert said("SLPROTO 4.0") == b"OK\r\n"
    assert said("SLPROTO 4.0", "SLPROTO 4.1").startswith(b"ERROR UNSUPPORTED")
    assert said("SLPROTO 4.0", "STATION BW_UH1", "SLPROTO 3.1").startswith(b"ERROR UNEXPECTED")


def test_errors_are_written_as_the_version_has_it():
    assert said("NONSENSE") == b"ERROR\r\n"
    extended = said("CAPABILITIES EXTREPLY", "NONSENSE")
    assert extended.startswith(b"ERROR\rUNSUPPORTED")
    assert extended.endswith(b"\r\n")
    assert said("SLPROTO 4.0", "NONSENSE").startswith(b"ERROR UNSUPPORTED")


def test_batch_silences_replies_until_the_stream_begins():
    lines = ["BATCH", "STATION UH1 BW", "SELECT 5", "DATA 1A"]
    assert said("BATCH") == b"OK\r\n"
    assert said(*lines) == b""
    dialogue, actions = converse(*lines, "END")
    assert actions == (Stream(),)
    assert dialogue.requests[0].sequence == 0x1A
    assert said("BATCH", "END").startswith(b"ERROR")


def test_version_3_without_station_begins_at_once_for_every_station():
    dialogue, actions = converse("SELECT BHZ", "DATA")
    assert actions == (Stream(),)
    assert dialogue.requests[0].wants(ChannelId("XX", "ANY", "", "BHZ"))
    assert not dialogue.requests[0].wants(ChannelId("XX", "ANY", "", "BHN"))


def test_a_station_of_wildcards_still_waits_for_end():
    dialogue, actions = converse("STATION * *", "DATA")
    assert actions == (Say(b"OK\r\n"),)
    assert not dialogue.streaming


@pytest.mark.parametrize(
    ("line", "begin", "sequence", "start", "end"),
    [
        ("DATA", Begin.NEXT, 0, None, None),
        ("DATA 00000A", Begin.SEQUENCE, 10, None, None),
        ("DATA 0x1a", Begin.SEQUENCE, 26, None, None),
        ("DATA 0x1000000", Begin.SEQUENCE, 0, None, None),
        ("DATA A 2010,5,27,16,24,31", Begin.SEQUENCE, 10, "2010-05-27T16:24:31", None),
        ("TIME 2010,05,27,16,24,31", Begin.OLDEST, 0, "2010-05-27T16:24:31", None),
        (
            "TIME 2010,5,27,16,24,31 2010,5,27,16,25,0.5",
            Begin.OLDEST,
            0,
            "2010-05-27T16:24:31",
            "2010-05-27T16:25:00.5",
        ),
    ],
)
def test_positions_of_version_3(line, begin, sequence, start, end):
    (request,) = converse("STATION UH1 BW", line)[0].requests
    assert (request.begin, request.sequence) == (begin, sequence)
    assert request.start_ns == (parse_utc(start) if start else None)
    assert request.end_ns == (parse_utc(end) if end else None)


@pytest.mark.parametrize(
    ("line", "begin", "sequence", "start"),
    [
        ("DATA", Begin.NEXT, 0, None),
        ("DATA ALL", Begin.OLDEST, 0, None),
        ("DATA 4294967297", Begin.SEQUENCE, 4294967297, None),
        ("DATA 64 2026-11-21T14:50:00Z", Begin.SEQUENCE, 64, "2026-11-21T14:50:00"),
        ("DATA ALL 2026-11-21T14:50:00.25Z", Begin.OLDEST, 0, "2026-11-21T14:50:00.25"),
    ],
)
def test_positions_of_version_4(line, begin, sequence, start):
    (request,) = converse("SLPROTO 4.0", "STATION BW_UH1", line)[0].requests
    assert (request.begin, request.sequence) == (begin, sequence)
    assert request.start_ns == (parse_utc(start) if start else None)


@pytest.mark.parametrize(
    "line",
    [
        "DATA XYZ",
        "DATA 1 2 3",
        "DATA 1 yesterday",
        "TIME",
        "TIME 2010,13,1,0,0,0",
        "TIME 2011,1,1,0,0,0 2010,1,1,0,0,0",
    ],
)
def test_wrong_positions_of_version_3_are_refused(line):
    assert said("CAPABILITIES EXTREPLY", "STATION UH1 BW", line).startswith(b"ERROR\rARGUMENTS")


@pytest.mark.parametrize(
    "line", ["DATA 1A", "DATA -1", "DATA 1 x", "DATA ALL 2011-01-01 2010-01-01", "DATA " + "9" * 30]
)
def test_wrong_positions_of_version_4_are_refused(line):
    assert said("SLPROTO 4.0", "STATION BW_UH1", line).startswith(b"ERROR ARGUMENTS")


@pytest.mark.parametrize("codes", ["", "UH1", "BW_", "_UH1", "BW_UH1 X"])
def test_wrong_stations_of_version_4_are_refused(codes):
    assert said("SLPROTO 4.0", f"STATION {codes}").startswith(b"ERROR ARGUMENTS")


def test_fetch_time_and_batch_belong_to_version_3():
    for line in ("FETCH 1", "TIME 2010,1,1,0,0,0", "BATCH"):
        assert said("SLPROTO 4.0", "STATION BW_UH1", line).startswith(b"ERROR UNSUPPORTED")


def test_fetch_and_endfetch_make_requests_finite():
    assert converse("STATION UH1 BW", "FETCH 1", "END")[0].requests[0].finite
    lines = ["SLPROTO 4.0", "STATION BW_UH1", "DATA ALL", "STATION BW_UH2", "ENDFETCH"]
    requests = converse(*lines)[0].requests
    assert [(request.finite, request.begin) for request in requests] == [(True, Begin.OLDEST)] * 2
    assert converse("STATION UH1 BW", "FETCH", "END")[0].requests[0].begin is Begin.OLDEST


def test_end_without_a_station_is_refused():
    assert said("SLPROTO 4.0", "END").startswith(b"ERROR UNEXPECTED")


def test_while_streaming_only_info_and_bye_are_heard():
    lines = ["STATION UH1 BW", "DATA", "END"]
    assert converse(*lines, "STATION UH2 BW")[1] == ()
    assert converse(*lines, "info id")[1] == (SendInfo("ID"),)
    assert converse(*lines, "BYE")[1] == (Close(),)


def test_streaming_needs_credentials_where_there_are_users():
    lines = ["SLPROTO 4.0", "STATION *", "DATA", "END"]
    actions = converse(*lines, facts=CLOSED)[1]
    assert actions[0].data.startswith(b"ERROR AUTH")
    assert actions[1] == Close()
    for auth in ("AUTH USERPASS ann secret", "AUTH JWT a.b.c"):
        assert said(auth, facts=CLOSED) == b"OK\r\n"
        assert converse("SLPROTO 4.0", auth, *lines[1:], facts=CLOSED)[1] == (Stream(),)


@pytest.mark.parametrize(
    "words", ["USERPASS ann wrong", "USERPASS bob secret", "USERPASS bob ", "JWT a.b", ""]
)
def test_wrong_credentials_are_refused_and_never_told(words):
    reply = said("SLPROTO 4.0", f"AUTH {words}", facts=CLOSED)
    assert reply.startswith(b"ERROR A")
    assert b"secret" not in reply + repr(CLOSED).encode()


def test_the_number_of_stations_is_bounded():
    dialogue = converse("SLPROTO 4.0")[0]
    for _ in range(MAXIMUM_STATIONS + 1):
        dialogue, _ = respond(dialogue, "STATION BW_UH1", OPEN)
    assert respond(dialogue, "STATION BW_UH1", OPEN)[1][0].data.startswith(b"ERROR LIMIT")


@pytest.mark.parametrize(
    ("pattern", "location", "channel", "fits"),
    [
        ("SHZ", "", "SHZ", True),
        ("SHZ", "00", "SHZ", True),
        ("SH?", "", "SHN", True),
        ("SHZ.D", "", "SHZ", True),
        ("00SHZ", "00", "SHZ", True),
        ("00SHZ", "", "SHZ", False),
        ("--SHZ", "", "SHZ", True),
        ("??SHZ", "", "SHZ", True),
        ("BH?", "", "SHZ", False),
    ],
)
def test_selectors_of_version_3(pattern, location, channel, fits):
    assert parse_selector3(pattern).fits(ChannelId("BW", "UH1", location, channel)) is fits


@pytest.mark.parametrize(
    ("pattern", "location", "channel", "fits"),
    [
        ("*_S_H_Z", "", "SHZ", True),
        ("_S_H_?", "", "SHN", True),
        ("_S_H_?", "00", "SHN", False),
        ("00_*", "00", "SHN", True),
        ("*", "00", "SHN", True),
        ("*_S_H_Z:native", "", "SHZ", True),
        ("*_B_H_Z", "", "SHZ", False),
    ],
)
def test_selectors_of_version_4(pattern, location, channel, fits):
    assert parse_selector4(pattern).fits(ChannelId("BW", "UH1", location, channel)) is fits


def test_selectors_of_another_shape_are_refused():
    for line in ("SELECT B", "SELECT BHZZ", "SELECT BH(", "SELECT 000BHZ"):
        assert said("STATION UH1 BW", line) == b"ERROR\r\n"
    for line in ("SELECT EHZ", "SELECT _E_H", "SELECT *_[A-Z]_H_Z"):
        assert said("SLPROTO 4.0", "STATION BW_UH1", line).startswith(b"ERROR ARGUMENTS")
    assert said("SLPROTO 4.0", "STATION BW_UH1", "SELECT *_E_H_Z:3").startswith(b"ERROR UNSUPPORTED")


def test_negated_selectors_take_away():
    lines = ["SLPROTO 4.0", "STATION BW_*", "SELECT *_S_H_? !*_S_H_E", "DATA"]
    (request,) = converse(*lines)[0].requests
    wanted = [ChannelId("BW", "UH3", "", code) for code in ("SHZ", "SHN", "SHE", "BHZ")]
    assert [request.wants(channel) for channel in wanted] == [True, True, False, False]
    (only_negated,) = converse("STATION UH3 BW", "SELECT !SHE", "DATA")[0].requests
    assert only_negated.wants(ChannelId("BW", "UH3", "", "BHZ"))
    assert not only_negated.wants(ChannelId("BW", "UH3", "", "SHE"))


def test_station_wildcards():
    (request,) = converse("STATION UH? B*", "DATA")[0].requests
    assert request.wants(ChannelId("BW", "UH3", "", "SHZ"))
    assert not request.wants(ChannelId("BW", "RJOB", "", "SHZ"))
    assert not request.wants(ChannelId("GR", "UH3", "", "SHZ"))


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter = LineSplitter()
    pieces = [line for a, b in pairwise(edges) for line in splitter.feed(data[a:b])]
    assert pieces == LineSplitter().feed(data)


def test_line_ends_and_overlong_lines():
    assert LineSplitter().feed(b"HELLO\rINFO ID\nBYE\r\n\r\n  \r\nEND") == ["HELLO", "INFO ID", "BYE"]
    with pytest.raises(ValueError, match="more than"):
        LineSplitter().feed(b"x" * (MAXIMUM_LINE_BYTES + 1))


COMMANDS = [b"STATION * *", b"DATA", b"SELECT ?", b"SLPROTO 4.0", b"END", b"BATCH"]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(COMMANDS))))
def test_no_bytes_make_the_dialogue_fail(commands):
    dialogue = Dialogue()
    for command in commands:
        for line in LineSplitter().feed(command + b"\r"):
            dialogue, actions = respond(dialogue, line, OPEN)
            assert all(isinstance(action, Say | SendInfo | Stream | Close) for action in actions)
