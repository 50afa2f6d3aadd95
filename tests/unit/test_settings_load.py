"""Settings: what is right is read, every kind of mistake is told once, with place and remedy."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtpick.settings.load import load_settings
from rtpick.settings.schema import Settings
from rtpick.vocabulary.errors import SettingsError

GOOD = """\
sources:
  - type: seedlink
    name: one
    streams: ["BW.*.*.HH?"]
inventory:
  files: [stations.csv]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rtpick.yaml"


def load(file: Path, text: str, **environment: str) -> Settings:
    file.write_text(text)
    return load_settings(file, environment)


def mistakes(file: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(file, text, **environment)
    return str(caught.value).replace(str(file), "FILE").splitlines()


def test_defaults_fill_what_is_not_written(file: Path) -> None:
    found = load(file, GOOD)
    assert found.picking == Settings.model_fields["picking"].default
    assert found.sources[0].port == 18000  # type: ignore[union-attr]


def test_paths_are_taken_from_the_files_folder(file: Path) -> None:
    text = GOOD + "picking: {weights: my.safetensors}\nassociation: {velocity_model: /abs/model.csv}\n"
    found = load(file, text + "publish: {csv_directory: out/tables}\n")
    folder = file.parent
    assert found.inventory.files == (folder / "stations.csv",)
    assert found.publish.csv_directory == folder / "out/tables"
    assert found.archive.database == f"sqlite:///{folder}/rtpick.sqlite"
    assert found.picking.weights == f"{folder}/my.safetensors"
    assert found.association.velocity_model == "/abs/model.csv"


def test_names_and_servers_are_no_paths(file: Path) -> None:
    found = load(file, GOOD + "archive: {database: postgresql://me@db/picks}\n")
    assert found.archive.database == "postgresql://me@db/picks"
    assert (found.picking.weights, found.association.velocity_model) == ("default", "iasp91")


def test_the_environment_overrides_the_file(file: Path) -> None:
    found = load(
        file,
        GOOD + "picking: {p_threshold: 0.5}\n",
        RTPICK__PICKING__P_THRESHOLD="0.2",
        RTPICK__SOURCES__0__HOST="ring.example.org",
        RTPICK__HEALTH__PORT="0",
        RTPICK__SOURCES__0__STREAMS='["CX.*.*.HH?", "CX.*.*.HL?"]',
        UNRELATED="x",
    )
    assert found.picking.p_threshold == 0.2
    assert found.sources[0].host == "ring.example.org"  # type: ignore[union-attr]
    assert found.sources[0].streams == ("CX.*.*.HH?", "CX.*.*.HL?")
    assert found.health.port == 0


def test_a_mistake_in_the_environment_names_the_variable(file: Path) -> None:
    (line,) = mistakes(file, GOOD, RTPICK__PICKING__P_THRESHOLD="high")
    assert line.startswith("environment RTPICK__PICKING__P_THRESHOLD: picking.p_threshold: ")
    (line,) = mistakes(file, GOOD, RTPICK__SOURCES__7__HOST="x")
    assert line.startswith("environment RTPICK__SOURCES__7__HOST: sources.7.host: there is no such")
    (line,) = mistakes(file, GOOD, RTPICK__HEALTH__PORT="{")
    assert line.startswith("environment RTPICK__HEALTH__PORT: not a value")


def test_surprises_of_yaml_are_none(file: Path) -> None:
    start = "name: one\n    start: 2010-05-27T16:24:00Z\n    connect_timeout_s: 5e-1"
    text = GOOD.replace("name: one", start)
    (source,) = load(file, text).sources
    assert source.start == "2010-05-27T16:24:00Z"  # type: ignore[union-attr]
    assert source.connect_timeout_s == 0.5  # type: ignore[union-attr]


KINDS = {
    "misspelt key": (
        "picking: {p_treshold: 0.2}",
        r"FILE:7:11: picking\.p_treshold: .*did you mean p_threshold\?",
    ),
    "unknown section": ("pikking: {}", r"FILE:7:1: pikking: .*did you mean picking\?"),
    "unknown key": ("logging: {colour: red}", r"FILE:7:11: logging\.colour: .*keys here are format, level"),
    "wrong type": (
        "picking: {p_threshold: high}",
        r'picking\.p_threshold: "high" .*a number above 0 and below 1',
    ),
    "number in quotes": (
        'health: {port: "80"}',
        r"health\.port: .*a whole number at least 0 and at most 65535",
    ),
    "yes for a number": (
        "engine: {batch_age_s: yes}",
        r"engine\.batch_age_s: true .*a number at least 0, such as 0\.2",
    ),
    "number for a text": ("publish: {zeromq_bind: 5556}", r"publish\.zeromq_bind: 5556 .*text"),
    "fraction": ("engine: {batch_size: 1.5}", r"engine\.batch_size: 1\.5 .*a whole number at least 1"),
    "out of range": ("health: {port: 99999}", r"FILE:7:10: health\.port: 99999 .*at most 65535"),
    "not a number": ("engine: {batch_age_s: .nan}", r"engine\.batch_age_s: NaN .*a number"),
    "none of the choices": ("picking: {stacking: median}", r'"median" .*one of mean, max, such as "mean"'),
    "value for a section": ("engine: 5", r"FILE:7:1: engine: 5 .*a section with the keys backend"),
    "written twice": (
        "engine: {threads: 1, threads: 2}",
        r"FILE:7:22: engine\.threads: is written twice, first in line 7",
    ),
    "section twice": (
        "inventory: {files: [b.csv]}",
        r"FILE:7:1: inventory: is written twice, first in line 5",
    ),
    "password": (
        "archive: {database: x, password: hunter2}",
        r"archive\.password: .*secrets are read from files",
    ),
    "bad station": (
        "picking: {station_thresholds: {A.B.C: {p: 0.5}}}",
        r"FILE:7:32: .*'A\.B\.C' is not a station",
    ),
    "bad address": ('publish: {zeromq_bind: "127.0.0.1:1"}', r"publish\.zeromq_bind: .*write tcp://127"),
    "object": ("logging: {level: !!python/object:os.system x}", r"logging\.level: .*has no meaning here"),
    "tab": ("engine:\n\tthreads: 1", r"FILE:8:1: bad YAML.*indent with blanks, not with tabs"),
    "open bracket": ("engine: [", r"FILE:.*bad YAML.*check indentation"),
    "pattern without quotes": ("x: [BW.*.HH?]", r"FILE:7:\d+: bad YAML.*put patterns in quotes"),
    "two documents": ("---\na: 1", r"FILE:7:1: bad YAML.*single document"),
    "endless": ("x: &x [*x]", r"FILE:7:\d: bad YAML: nested too deep"),
    "control character": ("x: \x07", r"FILE:7: special characters.*remove it"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_mistake_is_one_line(file: Path, kind: str) -> None:
    text, expected = KINDS[kind]
    lines = mistakes(file, GOOD + text + "\n")
    assert len(lines) == 1
    assert re.search(expected, lines[0]), lines[0]
    assert "hunter2" not in lines[0]


SOURCE_KINDS = {
    "type: seedlnk": r"FILE:2:5: sources\.0\.type: 'seedlnk' is not known; write seedlink",
    "kind: seedlink": r"FILE:2:5: sources\.0\.type: this key is missing; add type: archive or seedlink",
    "type: seedlink\n    hots: ring": r"FILE:3:5: sources\.0\.hots: .*did you mean host\?",
    "type: seedlink\n    password: x": r"sources\.0\.password: secrets .*; write password_file or token_file",
    "type: seedlink\n    password_file: x": r"sources\.0\.password_file: .*add username",
    "type: seedlink\n    username: x": r"sources\.0\.username: .*add password_file",
    "type: seedlink\n    ca_file: x": r"sources\.0\.ca_file: .*add tls: true",
    "type: seedlink\n    start: yesterday": r"FILE:3:5: sources\.0\.start: .*resume, now, all, or 2010",
    "type: seedlink\n    reconnect_max_s: 0.1": r"sources\.0\.reconnect_max_s: .*write at least 1",
    "type: archive": r"FILE:2:5: sources\.0\.path: this key is missing; add path: a path",
}


@pytest.mark.parametrize("text", SOURCE_KINDS)
def test_each_kind_of_mistake_in_a_source(file: Path, text: str) -> None:
    lines = mistakes(file, GOOD.replace("type: seedlink", text))
    assert len(lines) == 1
    assert re.search(SOURCE_KINDS[text], lines[0]), lines[0]


def test_missing_sections_are_told_with_what_to_add(file: Path) -> None:
    lines = mistakes(file, "logging: {}\n")
    assert lines[0] == "FILE: 2 mistakes"
    assert re.search(r"inventory: this section is missing; add inventory: a section with the keys", lines[1])
    assert re.search(r"sources: this key is missing; add sources: a list of at least one item", lines[2])


def test_equal_names_and_bad_patterns_are_told_together(file: Path) -> None:
    source = '  - {type: archive, name: one, path: x, streams: ["BW.*"]}\n'
    again = GOOD.replace("inventory:", source + "inventory:")
    assert mistakes(file, again) == [
        "FILE: 2 mistakes",
        "FILE:5:21: sources.1.name: 'one' is also the name of sources.0; give each its own",
        "FILE:5:41: sources.1.streams: 'BW.*' has not four codes; write NET.STA.LOC.CHA, such as BW.*.*.HH?",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"FILE:1:1: the file is empty; start from config/rtpick.yaml"),
        (b"# only words\n", r"FILE:1:1: the file is empty"),
        (b"[1]", r"FILE:1:1: \[1\] does not fit; write a section with the keys"),
        (b"a: \xff\n", r"FILE:1: is not UTF-8"),
        (b"a: b\n" * 300_000, r"FILE: has 1500000 bytes"),
    ],
)
def test_a_file_that_is_no_configuration(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert re.search(message, str(caught.value).replace(str(file), "FILE"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a folder; name the file"):
        load_settings(tmp_path, {})
    with pytest.raises(SettingsError, match=r"none\.yaml: cannot be read \(No such file"):
        load_settings(tmp_path / "none.yaml", {})


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 5000), insert=st.text("{}[]:,&*!|>%@`'\"\t\n -#abc.1é\x00", max_size=4))
def test_any_damage_is_settings_or_a_settings_error(
    tmp_path_factory: pytest.TempPathFactory, cut: int, insert: str
) -> None:
    text = (Path(__file__).parents[2] / "config" / "rtpick.yaml").read_text()
    file = tmp_path_factory.getbasetemp() / "damaged.yaml"
    file.write_text(text[:cut] + insert + text[cut + 1 :], newline="")
    with contextlib.suppress(SettingsError):
        assert isinstance(load_settings(file, {}), Settings)


CABLE = """\
sources:
  - {type: zeromq-das, name: one, address: "tcp://127.0.0.1:5561", format: asn}
inventory: {files: []}
"""


def test_a_cable_needs_no_stations_and_its_paths_are_taken_from_the_files_folder(file: Path) -> None:
    text = CABLE + "fiber: {picking: {weights: my.safetensors}, fibers: {one: {geometry: channels.csv}}}\n"
    found = load(file, text)
    assert found.fiber.picking.weights == f"{file.parent}/my.safetensors"
    assert found.fiber.overrides("one").geometry == file.parent / "channels.csv"
    assert [source.name for source in found.cables] == ["one"]


CABLE_KINDS = {
    "stations without places": (
        CABLE.replace("inventory:", '  - {type: zeromq-stations, name: b, address: "tcp://x:1"}\ninventory:'),
        r"FILE:4:13: inventory\.files: is empty, and there are stations",
    ),
    "two sources of one fiber": (
        CABLE.replace(
            "inventory:",
            '  - {type: zeromq-das, name: b, fiber: one, address: "tcp://x:1", format: asn}\ninventory:',
        ),
        r"sources\.1\.fiber: 'one' is also the fiber of one",
    ),
    "a fiber that no source has": (
        CABLE + "fiber: {fibers: {two: {}}}\n",
        r"fiber\.fibers\.two: no source has this fiber; the fibers are one",
    ),
    "misspelt key of a fiber": (
        CABLE + "fiber: {fibers: {one: {geometri: x.csv}}}\n",
        r"fiber\.fibers\.one\.geometri: unknown key; did you mean geometry",
    ),
    "format": (CABLE.replace("asn", "ans"), r"sources\.0\.format: .*asn, xdas, rtpick, febus"),
}


@pytest.mark.parametrize("kind", CABLE_KINDS)
def test_each_kind_of_mistake_about_cables_is_told(file: Path, kind: str) -> None:
    text, expected = CABLE_KINDS[kind]
    (line,) = mistakes(file, text)
    assert re.search(expected, line), line
