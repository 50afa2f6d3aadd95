"""Inventories: every spelling loads, every mistake is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtpick.demo.recording import STATIONS, write_coordinates
from rtpick.ingest.inventory import read_inventory, select_instruments
from rtpick.ingest.inventory_choice import InstrumentChoice
from rtpick.vocabulary.codes import ChannelId, InstrumentId, StationId
from rtpick.vocabulary.errors import InventoryError

PRIORITY = ("HH", "BH", "EH", "SH", "HN", "EN")
UH1 = StationId("BW", "UH1")


def table(tmp_path: Path, text: str, name: str = "stations.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "network,station,latitude,longitude,elevation_m\nBW,UH1,48.0815,11.6361,500\n",
        "longitude,latitude,network,station,channel,elevation_km\n11.6361,48.0815,BW,UH1,SHZ,0.5\n",
        "id,longitude,latitude,elevation\nBW.UH1.,11.6361,48.0815,500.0\n",
        "id,longitude,latitude,elevation\nBW.UH1..,11.6361,48.0815,500.0\n",
        "station,longitude,latitude,elevation(m)\nBW.UH1,11.6361,48.0815,500.0\n",
        "\ufeffNetwork;Station;Lat;Lon;Elev;remark\nBW;UH1;48.0815;-348.3639;500;a\n",
        "#Network | Station | Latitude | Longitude | Elevation | SiteName\nBW|UH1|48.0815|11.6361|500|Here\n",
    ],
)
def test_spellings_of_a_table(tmp_path, text):
    inventory = read_inventory([table(tmp_path, text)])
    station = inventory.get(UH1)
    assert station.latitude_deg == 48.0815
    assert station.longitude_deg == pytest.approx(11.6361)
    assert station.elevation_m == 500.0


def test_channels_components_and_sensitivities(tmp_path):
    text = (
        "station,longitude,latitude,unit,component,response\n"
        'CI.CCC..BH,-117.365,35.525,m/s,"E,N,Z","1.0,2.0,3.0"\n'
        'CI.CCC..HN,-117.365,35.525,m/s**2,"E,N,Z","4.5"\n'
    )
    inventory = read_inventory([table(tmp_path, text)])
    assert len(inventory) == 1
    assert inventory.channel(ChannelId("CI", "CCC", "", "BHZ")).sensitivity == 3.0
    accelerometer = inventory.channel(ChannelId("CI", "CCC", "", "HNE"))
    assert (accelerometer.sensitivity, accelerometer.input_unit) == (4.5, "m/s**2")


def test_a_station_without_network_fits_any(tmp_path):
    inventory = read_inventory([table(tmp_path, "latitude,longitude,station\n51.6,7.7,HM01\n")])
    assert inventory.get(StationId("HM", "HM01")).latitude_deg == 51.6
    assert StationId("HM", "HM01") in inventory
    assert inventory.get(StationId("HM", "HM02")) is None


def test_the_demonstration_reads_back(tmp_path):
    write_coordinates(tmp_path / "stations.csv")
    assert tuple(read_inventory([tmp_path / "stations.csv"])) == STATIONS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network,station,latitude,longitude\nBW,UH1,48,x\n", r"csv:2: longitude 'x' is not a number"),
        ("network,station,latitude,longitude\nBW,UH1,48,11\nBW,UH2,,11\n", r"csv:3: latitude is missing"),
        ("network,station,latitude,longitude\nBW,UH1,98,11\n", r"csv:2: latitude 98.0 is outside -90..90"),
        ("network,station,latitude,longitude\nBW,UH1,nan,11\n", r"csv:2: latitude 'nan' is not a number"),
        ("network,station,latitude,longitude\nBW,UH1,48\n", r"csv:2: 3 columns, 4 in the header"),
        ("network,station,latitude,longitude\nBW,,48,11\n", r"csv:2: no station code"),
        ("id,latitude,longitude\nA.B.C.D.E,48,11\n", r"csv:2: no station code"),
        ("network,station,latitude\nBW,UH1,48\n", r"csv:1: no column longitude"),
        ("BW,UH1,48,11\n", r"csv:1: no column station, latitude, longitude"),
        ("", r"csv:1: no column"),
        ("station,latitude,longitude\n", r"no station in .*csv"),
        ("station,latitude,longitude\nA,1,2\nA,1,3\n", r"csv: station .A stands at two places"),
        ("station,latitude,longitude,channel,response\nA,1,2,HHZ,big\n", r"csv:2: sensitivity 'big'"),
        ('station,latitude,longitude,channel,response\nA,1,2,HHZ,"1,2"\n', r"csv:2: 2 sensitivities for 1"),
        ("station,latitude,longitude,elevation_m\nA,1,2,high\n", r"csv:2: elevation_m 'high'"),
    ],
)
def test_mistakes_in_a_table_are_told_with_their_line(tmp_path, text, message):
    with pytest.raises(InventoryError, match=message):
        read_inventory([table(tmp_path, text)])


STATIONXML = """<?xml version="1.0"?>
<FDSNStationXML xmlns="http://www.fdsn.org/xml/station/1" schemaVersion="1.2">
  <Source>test</Source><Created>2020-01-01T00:00:00Z</Created>
  <Network code="BW">{stations}</Network>
</FDSNStationXML>"""
STATION = """<Station code="UH1" startDate="{start}"><Latitude>{latitude}</Latitude>
  <Longitude>11.6361</Longitude><Elevation>500</Elevation><Site><Name>x</Name></Site>
  <Channel code="{channel}" locationCode="" startDate="{start}"><Latitude>{latitude}</Latitude>
    <Longitude>11.6361</Longitude><Elevation>500</Elevation><Depth>0</Depth><Azimuth>0</Azimuth>
    <Dip>-90</Dip><SampleRate>200</SampleRate><Response>
      <InstrumentSensitivity><Value>{value}</Value><Frequency>1</Frequency>
        <InputUnits><Name>M/S</Name></InputUnits><OutputUnits><Name>COUNTS</Name></OutputUnits>
      </InstrumentSensitivity></Response></Channel></Station>"""


def stationxml(tmp_path: Path, *stations: dict[str, object], name: str = "stations.xml") -> Path:
    defaults = {"start": "2001-01-01T00:00:00Z", "latitude": 48.0815, "channel": "EHZ", "value": 7.0}
    text = "".join(STATION.format(**(defaults | station)) for station in stations)
    return table(tmp_path, STATIONXML.format(stations=text), name)


def test_stationxml(tmp_path):
    inventory = read_inventory([stationxml(tmp_path, {})])
    (channel,) = inventory.get(UH1).channels
    assert channel.channel == ChannelId("BW", "UH1", "", "EHZ")
    assert (channel.sampling_rate_hz, channel.dip_deg, channel.azimuth_deg) == (200.0, -90.0, 0.0)
    assert (channel.sensitivity, channel.input_unit) == (7.0, "m/s")


def test_the_newest_epoch_counts(tmp_path):
    epochs = [{"start": f"20{year}-01-01T00:00:00Z", "value": float(year)} for year in (15, 20, 10)]
    inventory = read_inventory([stationxml(tmp_path, *epochs)])
    assert inventory.channel(ChannelId("BW", "UH1", "", "EHZ")).sensitivity == 20.0


def test_files_of_several_kinds_are_put_together(tmp_path):
    first = stationxml(tmp_path, {})
    second = stationxml(tmp_path, {"channel": "HNZ"}, {"channel": "EHZ", "value": 9.0}, name="more.xml")
    rows = "network,station,latitude,longitude\nBW,UH9,48,11\nBW,UH1,48.0815,11.6361\n"
    coordinates = table(tmp_path, rows)
    inventory = read_inventory([first, second, coordinates])
    assert [str(item.station) for item in inventory] == ["BW.UH1", "BW.UH9"]
    codes = {item.channel.channel: item.sensitivity for item in inventory.get(UH1).channels}
    assert codes == {"EHZ": 7.0, "HNZ": 7.0}


@pytest.mark.parametrize(
    ("station", "message"),
    [
        ({"latitude": "x"}, r"stations.xml: station BW.UH1: Latitude 'x' is not within 90"),
        ({"latitude": "98"}, r"Latitude '98' is not within 90"),
        ({"latitude": ""}, r"Latitude '' is not within 90"),
        ({"value": "big"}, r"stations.xml: channel BW.UH1..EHZ: InstrumentSensitivity without a number"),
    ],
)
def test_mistakes_in_stationxml_are_told(tmp_path, station, message):
    with pytest.raises(InventoryError, match=message):
        read_inventory([stationxml(tmp_path, station)])


def test_files_that_are_no_inventory_are_told(tmp_path):
    broken = table(tmp_path, "<FDSNStationXML>\n<Network>\n</FDSNStationXML>", "broken.xml")
    with pytest.raises(InventoryError, match=r"broken.xml:3: not well-formed"):
        read_inventory([broken])
    with pytest.raises(InventoryError, match="no such file"):
        read_inventory([tmp_path / "none.xml"])
    with pytest.raises(InventoryError, match="no inventory that can be read"):
        read_inventory([table(tmp_path, "\x00\x01", "binary.dat")])
    with pytest.raises(InventoryError, match="no station"):
        read_inventory([])


def chosen(*codes: str, priority: tuple[str, ...] = PRIORITY) -> dict[str, str]:
    instruments = select_instruments([ChannelId.parse(code) for code in codes], priority)
    return {str(station): str(instrument) for station, instrument in instruments.items()}


def test_one_sensor_a_station_by_priority():
    codes = ["A.X..HNZ", "A.X..BHZ", "A.X..BHN", "A.Y..EN1", "A.Y..EHZ", "A.Z..LHZ"]
    assert chosen(*codes) == {"A.X": "A.X..BH", "A.Y": "A.Y..EH"}
    assert chosen(*codes, priority=("HN", "LH")) == {"A.X": "A.X..HN", "A.Z": "A.Z..LH"}


def test_among_sensors_of_a_kind_the_one_with_most_components():
    assert chosen("A.X.00.HHZ", "A.X.10.HHZ", "A.X.10.HH1", "A.X.10.HH2") == {"A.X": "A.X.10.HH"}
    assert chosen("A.X.10.HHZ", "A.X.00.HHZ", "A.X..HHZ") == {"A.X": "A.X..HH"}


def test_an_inventory_is_chosen_from_as_its_channels_are(tmp_path):
    inventory = read_inventory([stationxml(tmp_path, {}, {"channel": "HNZ"})])
    assert select_instruments(inventory, PRIORITY) == {UH1: InstrumentId("BW", "UH1", "", "EH")}
    assert select_instruments(inventory, ("HN", "EH")) == {UH1: InstrumentId("BW", "UH1", "", "HN")}


def test_every_inventory_of_the_reference_data_loads(shared):
    tables = sorted((shared / "data").glob("*/*/stations.csv"))
    documents = sorted((shared / "data" / "continuous").glob("*/*station*.xml"))
    documents += sorted((shared / "data" / "continuous").glob("*/*inventory.xml"))
    assert len(tables) >= 6
    assert len(documents) >= 6
    for path in tables + documents:
        assert all(abs(station.elevation_m) < 7000 for station in read_inventory([path]))
    iceland = read_inventory([shared / "data" / "association" / "iceland_vt_20140824" / "stations.csv"])
    assert iceland.get(StationId("", "DYJN")).elevation_m == 1381.0
    amatrice = read_inventory([shared / "data" / "association" / "amatrice_20161014" / "stations.csv"])
    assert amatrice.get(StationId("XO", "AM05")).elevation_m == 464.0


@given(st.permutations(["A.X..HNZ", "A.X..HHZ", "A.X..HHN", "A.X.10.HHZ", "A.Y..EHZ", "A.Y..LHZ"]))
def test_the_choice_on_a_stream_ends_where_one_made_beforehand_begins(codes):
    channels = [ChannelId.parse(code) for code in codes]
    met, known = InstrumentChoice(PRIORITY), InstrumentChoice(PRIORITY, channels)
    for channel in channels:
        met.accepts(channel)
    accepted = {str(channel) for channel in channels if met.accepts(channel)}
    assert accepted == {"A.X..HHZ", "A.X..HHN", "A.Y..EHZ"}
    assert accepted == {str(channel) for channel in channels if known.accepts(channel)}
