"""What a Wood-Anderson seismograph would have drawn of the ground motion in a clip.

Arrays: C component, T time, F frequency.

References
----------
Uhrhammer and Collins (1990), Synthesis of Wood-Anderson seismograms from broadband digital records, Bulletin
of the Seismological Society of America 80; constants as adopted by IASPEI (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rtpick.vocabulary.codes import ChannelId, StationId
from rtpick.vocabulary.response import ComplexArray, FloatArray, Response, Responses
from rtpick.vocabulary.waveform import Clip

MAGNIFICATION = 2080.0
_POLE = complex(-5.49779, 5.60886)  # rad/s, and its conjugate; two zeros at the origin
_LOW_HZ = 0.3, 0.6  # below, noise would be blown up
_NYQUIST = 0.8, 0.95
_LEAST_CLEARANCE = 3.0  # of the peak over the quiet fifth of the clip
_EDGE_S = 1.0
_CLIPPED_SAMPLES = 6  # as many samples at the very edge of the range are no chance


@dataclass(frozen=True, slots=True)
class StationAmplitude:
    """The largest Wood-Anderson amplitude (mm, zero to peak) that a clip shows.

    `horizontal` tells whether it is the geometric mean over the horizontals, or the vertical's. `end_ns` is
    the end of the clip.
    """

    pick_id: str
    station: StationId
    amplitude_mm: float
    horizontal: bool
    end_ns: int


def measure_clip(clip: Clip, responses: Responses) -> StationAmplitude | None:
    """Measure a clip on the Wood-Anderson scale.

    Returns
    -------
    StationAmplitude or None
        None where no channel has a response, the clip has gaps, is clipped, or hardly stands above noise.
    """
    values: dict[str, float] = {}
    for letter, samples_T in zip(clip.component_order, clip.samples_CT, strict=True):
        response = _response_of(clip, letter, responses)
        if response is not None and _is_whole(samples_T):
            drawn_mm_T = 1000.0 * simulate(np.asarray(samples_T, np.float64), clip.sampling_rate_hz, response)
            values[letter] = _peak(drawn_mm_T, clip.sampling_rate_hz)
    flat = [value for letter, value in values.items() if letter != "Z" and np.isfinite(value)]
    upright = values.get("Z", float("nan"))
    if not flat and not np.isfinite(upright):
        return None
    amplitude_mm = float(np.exp(np.mean(np.log(flat)))) if flat else upright
    end_ns = clip.start_ns + round(clip.samples_CT.shape[1] * 1e9 / clip.sampling_rate_hz)
    return StationAmplitude(clip.pick_id, clip.instrument.station_id, amplitude_mm, bool(flat), end_ns)


def simulate(samples_T: FloatArray, sampling_rate_hz: float, response: Response) -> FloatArray:
    """Turn counts into the trace of a Wood-Anderson seismograph, in metres.

    Parameters
    ----------
    samples_T : ndarray of float64
        Counts, without gaps.
    sampling_rate_hz : float
    response : Response

    Notes
    -----
    The first and last second are tapered; nothing passes below 0.3 Hz and above 0.95 of the Nyquist
    frequency.
    """
    count = len(samples_T)
    edge = min(round(_EDGE_S * sampling_rate_hz), count // 4)
    taper_T = np.ones(count)
    taper_T[:edge] = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    taper_T[count - edge :] = taper_T[:edge][::-1]
    padded = 2 * count
    spectrum_F = np.fft.rfft((samples_T - np.mean(samples_T)) * taper_T, padded)
    frequency_hz_F = np.asarray(np.fft.rfftfreq(padded, 1.0 / sampling_rate_hz), np.float64)
    band_F = _band(frequency_hz_F, sampling_rate_hz / 2.0)
    inside = band_F > 0
    moved_F = np.zeros(len(spectrum_F), np.complex128)
    moved_F[inside] = spectrum_F[inside] / response.at(frequency_hz_F[inside])
    drawn_F = moved_F * band_F * wood_anderson(frequency_hz_F)
    drawn_T: FloatArray = np.fft.irfft(drawn_F, padded)[:count]
    return drawn_T


def wood_anderson(frequency_hz_F: FloatArray) -> ComplexArray:
    """Response of the seismograph to displacement (metres drawn for each metre moved).

    Examples
    --------
    >>> np.abs(wood_anderson(np.array([1.25, 20.0]))).round().tolist()
    [1486.0, 2080.0]
    """
    s_F = 2j * np.pi * frequency_hz_F
    answer: ComplexArray = MAGNIFICATION * s_F**2 / ((s_F - _POLE) * (s_F - _POLE.conjugate()))
    return answer


def _band(frequency_hz_F: FloatArray, nyquist_hz: float) -> FloatArray:
    """Share of each frequency that passes."""
    rising = np.clip((frequency_hz_F - _LOW_HZ[0]) / (_LOW_HZ[1] - _LOW_HZ[0]), 0.0, 1.0)
    falling = np.clip((_NYQUIST[1] - frequency_hz_F / nyquist_hz) / (_NYQUIST[1] - _NYQUIST[0]), 0.0, 1.0)
    return np.asarray(np.sin(rising * np.pi / 2) ** 2 * np.sin(falling * np.pi / 2) ** 2)


def _peak(drawn_T: FloatArray, sampling_rate_hz: float) -> float:
    """Largest amplitude inside the taper, NaN where it hardly stands above the quiet seconds."""
    edge, second = round(_EDGE_S * sampling_rate_hz), max(round(sampling_rate_hz), 1)
    inner_T = np.abs(drawn_T[edge : len(drawn_T) - edge])
    whole = len(inner_T) // second
    if whole < 3:
        return float("nan")
    by_second = inner_T[: whole * second].reshape(whole, second).max(axis=1)
    peak = float(inner_T.max())
    return peak if peak > _LEAST_CLEARANCE * float(np.quantile(by_second, 0.2)) > 0 else float("nan")


def _is_whole(samples_T: np.ndarray) -> bool:
    """Whether hardly a sample is missing and none is cut off at the end of the range."""
    if np.isfinite(samples_T).mean() < 1.0:
        return False
    top = float(np.abs(samples_T).max())
    return top > 0 and int((np.abs(samples_T) >= 0.999 * top).sum()) < _CLIPPED_SAMPLES


def _response_of(clip: Clip, letter: str, responses: Responses) -> Response | None:
    """Find the channel behind a row; horizontals may be called 1 and 2."""
    code = clip.instrument
    for name in {"N": "N1", "E": "E2"}.get(letter, letter):
        channel = ChannelId(code.network, code.station, code.location, code.band_instrument + name)
        found = responses.find(channel, clip.start_ns)
        if found is not None:
            return found
    return None
