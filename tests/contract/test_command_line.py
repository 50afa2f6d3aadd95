"""What users' scripts rest upon: commands, options, the two make targets, the one way to a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from rtpick.cli import app
from rtpick.networks import load_network

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "demo": {"--das", "--speed", "--out"},
    "run": {"config"},
    "check": {"config"},
    "pick": {
        *("paths", "-o", "--weights", "--stride", "--stacking", "--p-threshold", "--s-threshold"),
        "--compatible",
    },
    "serve": {"folder", "--port", "--speed", "--now"},
    "associate": {
        *("--picks", "--stations", "--velocity-model", "-o", "--arrival-column"),
        *("--das", "--channels", "--mode"),
    },
    "serve-das": {"paths", "--format", "--port", "--speed"},
    "record": {"config", "--out"},
    "plot das": {"recordings", "--picks", "--out"},
    "bench das": {"--channels", "--rate"},
    "bench das-associate": {"--scenarios"},
    "bench stations": {"--stations", "--seconds"},
}


def help_of(name: str) -> str:
    """What a command says of itself, on a wide screen without colours."""
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    return shown.output.lower()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_options_and_says_so(name):
    words = set(re.findall(r"[\w-]+", help_of(name)))
    assert COMMANDS[name] <= words


@pytest.mark.parametrize("values", ["mean|max", "seisbench"])
def test_an_option_takes_these_values(values):
    assert re.search(rf"[\[<]{re.escape(values)}[\]>]", help_of("pick"))


@pytest.mark.parametrize("arguments", [["pik"], ["pick"], ["pick", "x", "--stacking", "median"], ["run"]])
def test_a_mistaken_command_is_refused_with_the_status_of_wrong_use(arguments):
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_two_make_targets_do_everything():
    rules = (ROOT / "Makefile").read_text()
    assert "\ndemo: $(STAMP)\n\t$(BIN)/rtpick demo\n" in rules
    assert "\ntest: $(STAMP)\n" in rules


def test_a_network_takes_raw_samples_in_its_own_order_and_gives_probabilities():
    net = load_network("default")
    assert sorted(net.component_order) == ["E", "N", "Z"]
    assert {"P", "S"} <= set(net.phases)
    wave_BCT = torch.randn(2, len(net.component_order), 3000, generator=torch.Generator().manual_seed(1))
    prob_BPT = net(1e6 * wave_BCT + 1e3)
    assert prob_BPT.shape == (2, len(net.phases), 3000)
    assert prob_BPT.dtype == torch.float32
    assert torch.allclose(prob_BPT.sum(dim=1), torch.ones(2, 3000), atol=1e-5)
    # Normalised inside: neither the unit nor an offset of the samples matters.
    assert torch.allclose(net(wave_BCT), prob_BPT, atol=1e-3)
