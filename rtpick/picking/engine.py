"""Run the network over batches of any size: padded to a few fixed shapes, split when memory runs out.

Arrays: B batch, C component, P phase, T time. One owner; not to be shared between threads.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from rtpick.networks.network import Network
from rtpick.picking.engine_backend import PHASES, Promise, build_backend
from rtpick.picking.engine_golden import check_against_network
from rtpick.settings.schema import EngineSettings
from rtpick.vocabulary.errors import NetworkError
from rtpick.vocabulary.time import to_ns
from rtpick.vocabulary.waveform import Float32Array


class Engine:
    """A network on its backend, warmed up, checked, and replaceable between two batches.

    Parameters
    ----------
    network : Network
        In inference mode.
    settings : EngineSettings
        Backend, device, precision, batch size and threads.

    Raises
    ------
    SettingsError
        If the backend, device or precision asked for is not to be had.
    NetworkError
        If the backend does not give what the network itself gives.
    """

    def __init__(self, network: Network, settings: EngineSettings) -> None:
        self._settings = settings
        self._backend = build_backend(network, settings)
        self._network = network
        self._largest = self._backend.buckets[-1]
        self.memory_splits = 0
        check_against_network(self._backend, network)

    @property
    def network(self) -> Network:
        """The network in use."""
        return self._network

    @property
    def model_version(self) -> str:
        """Name and fingerprint of the weights in use."""
        return self._network.model_version

    @property
    def component_order(self) -> str:
        """Order of the input's components, such as ``"ENZ"``."""
        return self._network.component_order

    @property
    def phases(self) -> tuple[str, ...]:
        """Order of the output's phases, without noise."""
        return PHASES

    @property
    def window_samples(self) -> int:
        """Length of a window."""
        return self._network.metadata.window_samples

    @property
    def sampling_rate_hz(self) -> float:
        """Rate at which samples must come."""
        return self._network.metadata.sampling_rate_hz

    @property
    def blinding(self) -> tuple[int, int]:
        """Samples at either end of a window that are not to be used."""
        return self._network.metadata.blinding_samples

    @property
    def batch_size(self) -> int:
        """Windows that are worth a batch."""
        return self._settings.batch_size

    @property
    def batch_age_ns(self) -> int:
        """How long a window may wait for others."""
        return to_ns(self._settings.batch_age_s)

    @property
    def description(self) -> str:
        """Backend and precision in words, for logs."""
        return f"{self._backend.name} {self._backend.precision}"

    def warm_up(self) -> None:
        """Run every batch size once, so that the first real batch finds everything compiled."""
        for size in self._buckets():
            self._start(np.zeros((size, len(self.component_order), self.window_samples), np.float32))()

    def infer(self, wave_BCT: Float32Array) -> Float32Array:
        """Compute the probabilities of P and S.

        Parameters
        ----------
        wave_BCT : ndarray of float32, shape (B, C, T)
            Raw samples, NaN where missing; any B, also 0.

        Returns
        -------
        ndarray of float32, shape (B, P, T)
            0 where no component has a sample.

        Raises
        ------
        NetworkError
            If the shape is not the network's.

        Notes
        -----
        On a CPU a window's result does not depend, to the last bit, on the batch that it came in.
        """
        return self.start(wave_BCT)()

    def start(self, wave_BCT: Float32Array) -> Promise:
        """Begin to compute the probabilities of P and S.

        Parameters
        ----------
        wave_BCT : ndarray of float32, shape (B, C, T)
            As for `infer`; not to be changed until the promise has been kept.

        Returns
        -------
        callable
            Waits and gives what `infer` gives; to be called once, in the order of the starts.

        Raises
        ------
        NetworkError
            If the shape is not the network's.
        """
        expected = (len(self.component_order), self.window_samples)
        if wave_BCT.shape[1:] != expected:
            raise NetworkError(f"windows have shape {wave_BCT.shape[1:]}, the network takes {expected}")
        pieces: list[tuple[int, Promise]] = []
        first = 0
        while first < len(wave_BCT):
            size = next_bucket(len(wave_BCT) - first, self._buckets())
            pieces.append((first, self._start(_pad(wave_BCT[first : first + size], size))))
            first += size
        return partial(_collect, wave_BCT, pieces)

    def swap(self, network: Network) -> None:
        """Replace the network; the new one is built, warmed and checked first, and the old one stays if it
        fails.

        Raises
        ------
        NetworkError
            If the new network takes other windows, or its backend does not give what it gives itself.
        """
        check_same_windows(self._network, network)
        fresh = Engine(network, self._settings)
        fresh.warm_up()
        self._backend, self._network, self._largest = fresh._backend, network, fresh._largest

    def _buckets(self) -> tuple[int, ...]:
        return tuple(size for size in self._backend.buckets if size <= self._largest)

    def _start(self, wave_BCT: Float32Array) -> Promise:
        """Start one padded batch; when memory runs out, run it in pieces, and remember what was too much."""
        try:
            return self._backend.start(wave_BCT)
        except MemoryError:
            smaller = [size for size in self._buckets() if size < len(wave_BCT)]
            if not smaller:
                raise
            self._largest = smaller[-1]
            self.memory_splits += 1
        pieces = [wave_BCT[i : i + self._largest] for i in range(0, len(wave_BCT), self._largest)]
        parts = [self._start(_pad(piece, self._largest))()[: len(piece)] for piece in pieces]
        return lambda: np.concatenate(parts)


def next_bucket(count: int, buckets: tuple[int, ...]) -> int:
    """Choose the batch size for the next of `count` windows: pad up a little rather than run many small ones.

    Examples
    --------
    >>> [next_bucket(count, (1, 4, 16)) for count in (1, 3, 5, 11, 12, 100)]
    [1, 4, 4, 4, 16, 16]
    """
    above = [size for size in buckets if size >= count]
    below = [size for size in buckets if size <= count]
    if above and (not below or above[0] * 3 <= count * 4):
        return above[0]
    return below[-1]


def check_same_windows(running: Network, fresh: Network) -> None:
    """Refuse a network that would need other windows than those that are being cut.

    Raises
    ------
    NetworkError
        Naming what differs.
    """
    for name in ("component_order", "sampling_rate_hz", "window_samples", "blinding_samples"):
        old, new = getattr(running.metadata, name), getattr(fresh.metadata, name)
        if old != new:
            raise NetworkError(
                f"{fresh.model_version} has {name} {new}, the running {running.model_version} has {old}: "
                "such a change needs a restart"
            )


def _collect(wave_BCT: Float32Array, pieces: list[tuple[int, Promise]]) -> Float32Array:
    """Wait for every piece and put them together."""
    prob_BPT = np.empty((len(wave_BCT), len(PHASES), wave_BCT.shape[2]), np.float32)
    for first, promise in pieces:
        piece_BPT = promise()
        done = prob_BPT[first : first + len(piece_BPT)]
        done[:] = piece_BPT[: len(done)]
    return _silence_missing(prob_BPT, wave_BCT)


def _pad(wave_BCT: Float32Array, size: int) -> Float32Array:
    if len(wave_BCT) == size:
        return np.ascontiguousarray(wave_BCT)
    padded_BCT = np.zeros((size, *wave_BCT.shape[1:]), np.float32)
    padded_BCT[: len(wave_BCT)] = wave_BCT
    return padded_BCT


def _silence_missing(prob_BPT: Float32Array, wave_BCT: Float32Array) -> Float32Array:
    present_BT = np.isfinite(np.fmax.reduce(wave_BCT, axis=1))
    if not present_BT.all():
        prob_BPT *= present_BT[:, None, :]
    return prob_BPT
