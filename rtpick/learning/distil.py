"""Let a known network say what an unlabelled or altered window shows.

Shape suffixes: B batch, C component, P phase (noise, P, S), A arrival, T time; 2 for the phases P and S.

References
----------
Hinton, G., Vinyals, O. and Dean, J. (2015), Distilling the knowledge in a neural network, arXiv:1503.02531.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rtpick.learning.crops import Batch
from rtpick.learning.dataset import Recording
from rtpick.learning.targets import gaussian_targets, near_arrivals
from rtpick.networks import Network

# Analysts' picks overrule the teacher only around themselves: further off, a window may hold other events.
REACH_SAMPLES = 60.0
# What the teacher believes to see in a window that should be quiet counts for this much.
QUIET_CREDIT = 0.2
SCAN_HOP = 1500
SCAN_BATCH = 64

Teacher = Callable[[Tensor], Tensor]


def teacher_of(network: Network) -> Teacher:
    """Wrap a network so that it answers for normalised windows, as fast as this machine can.

    Parameters
    ----------
    network
        Its phases must be in the order noise, P, S.

    Returns
    -------
    callable
        Takes normalised windows (B, C, T) and gives probabilities (B, P, T).
    """
    return _openvino_backend(network) or torch.no_grad()(network.probabilities)


def blend_targets(batch: Batch, teacher_BPT: Tensor) -> Tensor:
    """Mix the teacher's answer with what is known of each window.

    Parameters
    ----------
    batch
        Windows with arrivals, how far to trust them, and which windows are quiet.
    teacher_BPT
        The teacher's probabilities of the same windows.

    Returns
    -------
    Tensor
        (B, 3, T); each sample sums to one.
    """
    n_samples = teacher_BPT.shape[-1]
    label_BPT = gaussian_targets(batch.arrival_B2A, n_samples)
    near_B1T = near_arrivals(batch.arrival_B2A, n_samples, REACH_SAMPLES)
    trust_B1T = batch.trust_B[:, None, None] * near_B1T
    mixed_BPT = trust_B1T * label_BPT + (1.0 - trust_B1T) * teacher_BPT
    credit_B11 = torch.where(batch.quiet_B, QUIET_CREDIT, 1.0)[:, None, None]
    phase_B2T = credit_B11 * mixed_BPT[:, 1:]
    return torch.cat([1.0 - phase_B2T.sum(dim=1, keepdim=True), phase_B2T], dim=1)


def find_active(
    recordings: list[Recording], network: Network, teacher: Teacher, threshold: float = 0.3
) -> list[Recording]:
    """Keep the recordings in which the teacher sees arrivals, with those arrivals to cut windows around."""
    found = (_mark_arrivals(recording, network, teacher, threshold) for recording in recordings)
    return [recording for recording in found if len(recording.p_samples) or len(recording.s_samples)]


def _mark_arrivals(recording: Recording, network: Network, teacher: Teacher, threshold: float) -> Recording:
    n_samples = network.metadata.window_samples
    starts = range(0, max(recording.samples_CT.shape[1] - n_samples, 0) + 1, SCAN_HOP)
    picks: tuple[list[int], list[int]] = ([], [])
    for first in range(0, len(starts), SCAN_BATCH):
        group = starts[first : first + SCAN_BATCH]
        windows = [recording.samples_CT[:, start : start + n_samples] for start in group]
        windows = [np.pad(w, ((0, 0), (0, n_samples - w.shape[1])), constant_values=np.nan) for w in windows]
        prob_BPT = teacher(network.normalise(torch.from_numpy(np.stack(windows))))
        for phase in (0, 1):
            value_B, index_B = prob_BPT[:, phase + 1].max(dim=-1)
            picks[phase].extend(
                start + int(i) for start, v, i in zip(group, value_B, index_B, strict=True) if v >= threshold
            )
    return replace(recording, p_samples=np.array(picks[0], float), s_samples=np.array(picks[1], float))


def _openvino_backend(network: Network) -> Teacher | None:
    """Compile the architecture for this CPU, in bfloat16 where it has that, if OpenVINO is installed."""
    try:
        import openvino as ov
    except ImportError:
        return None
    shape = (1, len(network.component_order), network.metadata.window_samples)
    model = ov.convert_model(network.architecture, example_input=torch.zeros(shape), input=[-1, *shape[1:]])
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": torch.get_num_threads()})

    def infer(normalised_BCT: Tensor) -> Tensor:
        logits_BPT = torch.from_numpy(compiled(normalised_BCT.numpy())[0])
        return torch.softmax(logits_BPT, dim=1)

    return infer
