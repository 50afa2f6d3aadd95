"""Which claims stand together: each front one P, each P one front.

In a swarm every S follows several P that would do. The set of claims that explains most picks wins;
of two that explain the same, the one with shorter S-P.

Arrays: C claim.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rtpick.association.fiber_pool import FloatArray
from rtpick.association.fiber_votes import Claim

_BEAM = 64
_LONG_PS_S = 25.0
_LEAST_WORTH = 0.2
_LEAST_GAIN, _LEAST_SHARE = 12.0, 0.25  # of picks that nobody else explains
_Selection = tuple[float, tuple[int, ...]]


def choose_claims(claims: Sequence[Claim], order: Sequence[int]) -> list[Claim]:
    """Choose claims that explain most picks between them.

    Parameters
    ----------
    claims : sequence of Claim
    order : sequence of int
        Fronts as they are to be decided on, earliest first.

    Notes
    -----
    A beam search over the fronts; each may also stay without P.
    """
    worth_C = np.array([len(c.row_M) * _discount(c.ps_s) for c in claims])
    shared_CC = _shared(claims)
    beam: list[_Selection] = [(0.0, ())]
    for front in order:
        mine = [i for i, claim in enumerate(claims) if claim.front == front]
        grown = list(beam)
        for total, chosen in beam:
            for i in mine:
                gain = float(worth_C[i] - shared_CC[i, list(chosen)].sum())
                if gain >= max(_LEAST_GAIN, _LEAST_SHARE * len(claims[i].row_M)):
                    grown.append((total + gain, (*chosen, i)))
        beam = sorted(grown, key=_rank)[:_BEAM]
    return [claims[i] for i in beam[0][1]]


def _rank(selection: _Selection) -> tuple[float, tuple[int, ...]]:
    return -selection[0], selection[1]


def _discount(ps_s: float) -> float:
    return max(1.0 - (ps_s / _LONG_PS_S) ** 2, _LEAST_WORTH)


def _shared(claims: Sequence[Claim]) -> FloatArray:
    """Count the picks that two claims of different fronts have in common."""
    shared_CC = np.zeros((len(claims), len(claims)))
    for i, one in enumerate(claims):
        for j in range(i):
            other = claims[j]
            if one.front != other.front and _overlap(one, other):
                common = len(np.intersect1d(one.row_M, other.row_M, assume_unique=True))
                shared_CC[i, j] = shared_CC[j, i] = common
    return shared_CC


def _overlap(one: Claim, other: Claim) -> bool:
    return bool(one.row_M[0] <= other.row_M[-1] and other.row_M[0] <= one.row_M[-1])
