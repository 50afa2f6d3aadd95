"""The name of the weights that made a pick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A network's name and the fingerprint of its weights; ``default-1a2b3c4d`` as text."""

    name: str
    weights_sha256: str

    def __str__(self) -> str:
        return f"{self.name}-{self.weights_sha256[:8]}"
