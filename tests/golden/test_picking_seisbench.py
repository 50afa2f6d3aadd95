"""The compatible mode against SeisBench itself, on recorded earthquakes."""

from __future__ import annotations

import warnings

import pytest

from rtpick.ingest.archive_replay import index_archive, iterate_packets
from rtpick.networks import load_network
from rtpick.picking.compatible import CompatiblePicker
from rtpick.settings.schema import PickingSettings
from rtpick.vocabulary.waveform import Packet


def _theirs(folder, patterns, weights, threshold):
    obspy = pytest.importorskip("obspy")
    models = pytest.importorskip("seisbench.models")
    stream = obspy.Stream()
    for pattern in patterns:
        for path in sorted(folder.rglob("*.mseed")):
            stream += obspy.read(str(path)).select(id=pattern)
    model = models.PhaseNet.load(str(weights / "original"), version_str="1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = model.classify(stream, P_threshold=threshold, S_threshold=threshold)
    return [(pick.trace_id, pick.phase, pick.peak_time.ns, float(pick.peak_value)) for pick in output.picks]


def _ours(folder, patterns, weights, threshold):
    network = load_network(weights / "original.pt.v1")
    picker = CompatiblePicker(PickingSettings(p_threshold=threshold, s_threshold=threshold), network)
    for item in iterate_packets(index_archive([folder], patterns)):
        if isinstance(item, Packet):
            picker.add(item, 0)
    return [
        (f"{c.network}.{c.station}.{c.location}", pick.phase_hint, pick.time_ns, pick.probability)
        for pick in picker.flush(0)
        for c in [pick.channel]
    ]


def _assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(sorted(ours), sorted(theirs), strict=True):
        assert mine[:2] == other[:2]
        assert abs(mine[2] - other[2]) < 1000
        assert mine[3] == pytest.approx(other[3], abs=1e-4)


@pytest.mark.parametrize(
    ("recording", "patterns", "least"),
    [
        pytest.param("unterhaching_bw_20100527/waveforms_3c", ["BW.*.*.*"], 6, id="200 Hz"),
        pytest.param("unterhaching_bw_20100527/waveforms", ["BW.*.*.*"], 8, id="50 and 100 Hz"),
        pytest.param("piton_ya_20101014/waveforms", ["YA.*.*.*"], 10, id="vertical only"),
        pytest.param(
            "ridgecrest_pb_20190707/waveforms", ["PB.*.*.*"], 500, id="swarm", marks=pytest.mark.slow
        ),
        pytest.param("iquique_cx_20140501/waveforms", ["CX.PB01.*.*"], 50, id="long", marks=pytest.mark.slow),
    ],
)
def test_the_picks_are_those_of_seisbench(shared, recording, patterns, least):
    folder = shared / "data" / "continuous" / recording
    weights = shared / "data" / "weights" / "seisbench_original"
    ours = _ours(folder, patterns, weights, 0.3)
    _assert_same(ours, _theirs(folder, patterns, weights, 0.3))
    assert len(ours) >= least
