"""The configurations that ship: complete, true to the defaults, and valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from rtpick.settings import schema
from rtpick.settings.load import load_settings
from rtpick.settings.schema import ArchiveSourceSettings, SeedLinkSettings, Settings
from rtpick.settings.section import Section
from rtpick.settings.sources_das import ZeroMqDasSettings, ZeroMqStationSettings

CONFIG = Path(__file__).parents[2] / "config"


def nested(section: type[BaseModel]) -> list[BaseModel]:
    """The sections that are there by default, with those within them."""
    found = [field.default for field in section.model_fields.values() if isinstance(field.default, BaseModel)]
    return found + [inner for default in found for inner in nested(type(default))]


@pytest.fixture(scope="module")
def example() -> Settings:
    return load_settings(CONFIG / "rtpick.yaml", {})


def assert_complete(section: BaseModel, where: str) -> None:
    missing = set(type(section).model_fields) - section.model_fields_set
    assert not missing, f"config/rtpick.yaml does not name {where}: {sorted(missing)}"
    for name, value in section:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
        for part in parts:
            if isinstance(part, BaseModel):
                assert_complete(part, f"{where}.{name}")


def within(section: BaseModel) -> list[BaseModel]:
    """A section as the example has it, and those within it."""
    inner = [value for _, value in section if isinstance(value, BaseModel)]
    return [section, *(deeper for part in inner for deeper in within(part))]


def default_of(section: BaseModel, name: str) -> Any:
    return type(section).model_fields[name].get_default(call_default_factory=True)


def test_every_key_is_named(example: Settings) -> None:
    assert_complete(example, "sections")
    assert {type(source) for source in example.sources} == {
        *(SeedLinkSettings, ArchiveSourceSettings),
        *(ZeroMqStationSettings, ZeroMqDasSettings),
    }


def test_every_default_is_the_one_shown(example: Settings) -> None:
    others = [getattr(example, name) for name in Settings.model_fields if name != "sources"]
    sections = [inner for section in (*example.sources, *others) for inner in within(section)]
    shown, true = {}, {}
    for section in sections:
        for name in type(section).model_fields:
            default = default_of(section, name)
            if default is not PydanticUndefined and name not in ("streams", "database", "fibers"):
                key = f"{type(section).__name__}.{name}"
                shown[key], true[key] = getattr(section, name), default
    assert shown == true


def test_every_section_class_is_reached() -> None:
    classes = {
        value
        for value in vars(schema).values()
        if isinstance(value, type) and issubclass(value, Section) and value is not Section
    }
    reached = {type(default) for default in nested(Settings)}
    assert classes - reached == {
        Settings,
        SeedLinkSettings,
        ArchiveSourceSettings,
        ZeroMqStationSettings,
        ZeroMqDasSettings,
        schema.InventorySettings,
        schema.StationThresholds,
    }


def test_every_line_with_a_value_says_what_it_means() -> None:
    lines = (CONFIG / "rtpick.yaml").read_text().splitlines()
    described = {"type: archive", "type: seedlink"}
    bare = [line for line in lines if line.strip() and "#" not in line]
    allowed = [line for line in bare if line.endswith(":") or line.strip() in described]
    assert [line.split(":")[0].strip() for line in bare if line not in allowed] == [
        "name",  # of the second source, as in the first
        "band_instrument_priority",  # described above it
    ]


def test_the_station_network_is_valid() -> None:
    found = load_settings(CONFIG / "station-network.yaml", {})
    assert found.inventory.files == (CONFIG / "station-network.csv",)
    assert found.inventory.files[0].is_file()


def test_the_cable_is_valid_and_needs_no_stations() -> None:
    found = load_settings(CONFIG / "cable.yaml", {})
    assert [source.cable for source in found.cables] == ["cable"]
    assert found.inventory.files == ()
