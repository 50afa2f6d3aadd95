"""What a fiber's samples measure, and the conversions that somebody has declared.

K channel, T time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from rtpick.settings.fiber import FiberConversionSettings
from rtpick.vocabulary.errors import NetworkError, SettingsError
from rtpick.vocabulary.fiber import FiberLayout, Quantity
from rtpick.vocabulary.waveform import Float32Array

WAVELENGTH_M = 1550e-9
REFRACTIVE_INDEX = 1.468
PHOTOELASTIC = 0.78
DERIVATIVES = {(Quantity.STRAIN, Quantity.STRAIN_RATE)}


def check_quantity(layout: FiberLayout, accepted: Collection[Quantity], model_version: str) -> None:
    """Refuse a fiber that measures what the network was not trained on.

    Raises
    ------
    NetworkError
        Naming the fiber, what it measures and how to declare a conversion.
    """
    if layout.quantity not in accepted:
        known = ", ".join(sorted(accepted))
        raise NetworkError(
            f"fiber {layout.fiber} delivers {layout.quantity.value} in {layout.unit}, the network "
            f"{model_version} was trained on {known}: declare fibers.{layout.fiber}.conversion, "
            "or take another network"
        )


def converted_layout(layout: FiberLayout, conversion: FiberConversionSettings | None) -> FiberLayout:
    """Describe a fiber behind its declared conversion.

    Raises
    ------
    SettingsError
        If the conversion differentiates what has no such derivative.

    Examples
    --------
    >>> strain = FiberLayout("a", 0, 2, 1.0, 100.0, Quantity.STRAIN, "1")
    >>> to_rate = FiberConversionSettings(quantity="strain_rate", differentiate=True)
    >>> converted_layout(strain, to_rate).quantity.value
    'strain_rate'
    """
    if conversion is None:
        return layout
    if conversion.differentiate and (layout.quantity, conversion.quantity) not in DERIVATIVES:
        raise SettingsError(
            f"fibers.{layout.fiber}.conversion differentiates {layout.quantity.value} to "
            f"{conversion.quantity.value}: only strain to strain_rate can be"
        )
    if layout.quantity in {one for one, _ in DERIVATIVES} and not conversion.differentiate:
        same = layout.quantity is conversion.quantity
        if not same:
            raise SettingsError(
                f"fibers.{layout.fiber}.conversion turns {layout.quantity.value} into "
                f"{conversion.quantity.value} by a factor: set differentiate: true"
            )
    return replace(layout, quantity=conversion.quantity, unit=conversion.unit)


def phase_to_strain(gauge_length_m: float) -> float:
    """Tell the strain a radian of optical phase, at 1550 nm in common fiber.

    References
    ----------
    Lindsey, Rademacher and Ajo-Franklin (2020), doi:10.1029/2019JB018145, equation 1.

    Examples
    --------
    >>> round(phase_to_strain(10.0) * 1e9, 2)
    10.77
    """
    return WAVELENGTH_M / (4 * np.pi * REFRACTIVE_INDEX * PHOTOELASTIC * gauge_length_m)


class Differentiator:
    """First differences times the rate, across the edges of blocks but never across a gap.

    Examples
    --------
    >>> rate = Differentiator(10.0)
    >>> rate.add(0, np.float32([[0, 1]])), rate.add(2, np.float32([[3]]))
    (array([[nan, 10.]], dtype=float32), array([[20.]], dtype=float32))
    """

    def __init__(self, sampling_rate_hz: float) -> None:
        self._rate_hz = np.float32(sampling_rate_hz)
        self._last_K1: Float32Array | None = None
        self._end = 0

    def add(self, start: int, samples_KT: Float32Array) -> Float32Array:
        """Differentiate samples from `start` on; NaN at the first sample behind a gap."""
        before_K1 = self._last_K1
        if before_K1 is None or start != self._end:
            before_K1 = np.full((len(samples_KT), 1), np.nan, np.float32)
        self._last_K1, self._end = samples_KT[:, -1:].copy(), start + samples_KT.shape[1]
        return np.diff(samples_KT, axis=1, prepend=before_K1) * self._rate_hz
