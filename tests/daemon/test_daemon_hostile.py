"""Hostile records and mistaken configurations: one clear message each, and the daemon goes on."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from importlib import resources
from pathlib import Path
from random import Random

import pytest
from pymseed import DataEncoding, MS3Record

from rtpick.vocabulary.time import NS_PER_S

CAUSES = ("corrupt", "date", "rate", "not_seismic", "not_selected", "late", "clock_jump")
PROTOCOLS = pytest.mark.parametrize("protocol", ["v4", pytest.param("v3", marks=pytest.mark.slow)])

pytestmark = pytest.mark.timeout(900)  # many waits, each with patience


def flipped(payload: bytes, *offsets: int) -> bytes:
    damaged = bytearray(payload)
    for offset in offsets:
        damaged[offset] ^= 0x10
    return bytes(damaged)


def set_bytes(payload: bytes, offset: int, value: bytes) -> bytes:
    return payload[:offset] + value + payload[offset + len(value) :]


def another_record(**header: object) -> bytes:
    """A record of its own with an unlikely header."""
    record = MS3Record(reclen=512, encoding=DataEncoding.STEIM2)
    record.formatversion = int(header.get("version", 2))
    record.sourceid = str(header.get("source_id", "FDSN:BW_UH1__S_H_Z"))
    record.starttime = int(header["start_ns"])
    record.samprate = float(header.get("rate_hz", 50.0))
    (data,) = record.generate(data_samples=[n * n % 1009 for n in range(100)], sample_type="i")
    return bytes(data)


def damage(payload: bytes, start_ns: int) -> dict[str, bytes]:
    """What may come in the place of a record, by what is wrong with it."""
    year_ns = 365 * 86_400 * NS_PER_S
    version3 = another_record(version=3, start_ns=start_ns)
    return {
        "flipped bits in the samples": flipped(payload, 150, 201, 307),
        "flipped bits in miniSEED 3": flipped(version3, 90),
        "cut short": payload[:300],
        "only a header": payload[:48],
        "zeros": bytes(512),
        "noise": Random(5).randbytes(512),
        "99 o'clock": set_bytes(payload, 24, b"\x63"),
        "day 999": set_bytes(payload, 22, b"\x03\xe7"),
        "no quality code": set_bytes(payload, 6, b"\x01"),
        "a length of 128 bytes": set_bytes(payload, 54, b"\x07"),
        "blockettes far away": set_bytes(payload, 46, b"\xff\xf0"),
        "a station code of garbage": set_bytes(payload, 8, b"\xff\xfe\xfd  "),
        "the year 2090": another_record(start_ns=start_ns + 80 * year_ns),
        "the year 1930": another_record(start_ns=start_ns - 80 * year_ns),
        "a megahertz": another_record(start_ns=start_ns, rate_hz=1e6),
        "text": payload[:15] + b"LOG" + payload[18:30] + b"\0\0" + payload[32:],
        "another rate": another_record(start_ns=start_ns, rate_hz=40.0),
        "a stranger's station": another_record(source_id="FDSN:BW_NOONE__S_H_Z", start_ns=start_ns),
        "a sensor nobody wants": another_record(source_id="FDSN:BW_UH1__L_N_Z", start_ns=start_ns),
        "yesterday": another_record(start_ns=start_ns - 86_400 * NS_PER_S),
        "tomorrow": another_record(start_ns=start_ns + 86_400 * NS_PER_S),
    }


@PROTOCOLS
def test_every_kind_of_bad_record_costs_only_itself(make_rig, make_puppet, undisturbed, protocol):
    """Damaged copies follow the records that they were made from, all through both earthquakes."""
    rig = make_rig()
    rig.configure(("on_end: stop", f"on_end: stop\n    protocol: {protocol}"))
    puppet = make_puppet(rig)
    daemon = rig.start_daemon()
    count = 0
    for number, record in enumerate(puppet.records):
        puppet.publish(number, number + 1)
        kinds = list(damage(record.payload, record.start_ns).values())
        hostile = replace(record, payload=kinds[number % len(kinds)])
        puppet.do(lambda server, hostile=hostile: server.publish(hostile))
        count += 1
    # The last one seems to go on: in version 3, END follows it as if it were its samples.
    cut_short = replace(record, payload=record.payload[:300])
    puppet.do(lambda server: server.publish(cut_short))
    puppet.wait_until_sent()
    rig.wait_for(lambda: rig.metric("rtpick_windows_total") > 0)
    assert rig.fetch("/healthz")[0] == 200
    told = {cause: rig.metric("rtpick_rejected_packets_total", cause=cause) for cause in CAUSES}
    puppet.do(lambda server: server.end())
    rig.expect_end(daemon)
    rig.assert_same_outcome(undisturbed)
    assert all(told.values()), told
    assert sum(told.values()) >= 0.8 * count
    assert "Traceback" not in rig.log()
    assert rig.log().count("source connected") == 1, rig.log()
    for cause in ("corrupt", "date", "rate"):
        told = [line for line in rig.log().splitlines() if "record set aside" in line and cause in line]
        assert told, cause


def refuse(rig, *told: str) -> None:
    """The daemon does not start, and its last line says why."""
    daemon = rig.start_daemon()
    rig.expect_end(daemon, 1)
    lines = rig.log().strip().splitlines()
    assert all(word in lines[-1] for word in told), lines[-1]
    assert "Traceback" not in rig.log()


MISTAKES = {
    "a misspelt key": (("picking:\n", "pikking:\n"), ("rtpick.yaml:12:", "did you mean picking?")),
    "a word for a number": (("p_threshold: 0.2", "p_threshold: high"), ("rtpick.yaml:13:", "p_threshold")),
    "out of range": (("p_threshold: 0.2", "p_threshold: 2"), ("rtpick.yaml:13:", "above 0 and below 1")),
    "a missing section": (("inventory:\n  files: [stations.csv]\n", ""), ("rtpick.yaml", "inventory")),
    "an unreadable start": (("start: all", "start: soon"), ("rtpick.yaml:8:", "soon")),
    "a pattern with a blank": (("BW.*.*.*", "BW .*"), ("rtpick.yaml:7:", "BW .*")),
    "a password written down": (("start: all", "start: all\n    password: x"), ("password_file",)),
    "bad YAML": (("picking:\n", "picking: [\n"), ("rtpick.yaml", "YAML")),
    "no inventory": (("[stations.csv]", "[nowhere.csv]"), ("nowhere.csv",)),
    "no velocity model": (("iasp91", "nowhere.csv"), ("nowhere.csv",)),
    "no weights": (("picking:\n", "picking:\n  weights: missing.safetensors\n"), ("missing.safetensors",)),
    "a database out of reach": (("sqlite:///rt", "sqlite:////proc/rt"), ("/proc/rtpick.sqlite",)),
    "a database of a strange kind": (("sqlite:///rtpick.sqlite", "oracle://x/y"), ("oracle", "sqlite")),
    "no device of that name": (("health:\n", "engine:\n  device: cuda:9\nhealth:\n"), ("cuda:9",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", MISTAKES)
def test_each_kind_of_mistake_is_told_in_one_line(make_rig, kind):
    change, told = MISTAKES[kind]
    rig = make_rig()
    rig.configure(change)
    refuse(rig, *told)


def copy_weights(folder: Path) -> Path:
    """The default network as a user's own pair of files."""
    shipped = resources.files("rtpick.networks") / "shipped"
    for name in ("default.safetensors", "default.json"):
        (folder / name.replace("default", "own")).write_bytes((shipped / name).read_bytes())
    return folder / "own.safetensors"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["truncated", "zeros", "component order", "no description"])
def test_weights_that_cannot_be_used_are_told(make_rig, kind):
    rig = make_rig()
    weights = copy_weights(rig.stage.out)
    described = weights.with_suffix(".json")
    rig.configure(("picking:\n", "picking:\n  weights: own.safetensors\n"))
    match kind:
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:-1000])
            refuse(rig, "own.safetensors", "damaged")
        case "zeros":
            weights.write_bytes(bytes(weights.stat().st_size))
            refuse(rig, "own.safetensors", "damaged")
        case "component order":
            described.write_text(json.dumps(json.loads(described.read_text()) | {"component_order": "ZNE"}))
            refuse(rig, "component_order", "ENZ")
        case _:
            described.unlink()
            refuse(rig, "own.json")


@pytest.mark.slow
def test_ports_in_use_are_told(make_rig):
    rig = make_rig()
    with socket.create_server(("127.0.0.1", rig.stage.health_port)):
        refuse(rig, "health", str(rig.stage.health_port))
    with socket.create_server(("127.0.0.1", rig.stage.zeromq_port)):
        refuse(rig, "publish.zeromq_bind", str(rig.stage.zeromq_port))


@pytest.mark.slow
def test_a_configuration_that_is_not_there_is_told(make_rig):
    rig = make_rig()
    rig.stage.configuration.unlink()
    refuse(rig, "rtpick.yaml")
