"""Names that a pick keeps through all its revisions, replays and restarts."""

from __future__ import annotations

from hashlib import blake2b

from rtpick.vocabulary.codes import InstrumentId

PICK_ID_BYTES = 8


def mint_pick_id(instrument: InstrumentId, phase: str, birth_index: int, sampling_rate_hz: float) -> str:
    """Name the pick that was first seen at a grid point of an instrument.

    Parameters
    ----------
    instrument : InstrumentId
        Where the pick was made.
    phase : str
        ``"P"`` or ``"S"``.
    birth_index : int
        Grid index of the peak when it first stood out.
    sampling_rate_hz : float
        Rate of the grid.

    Returns
    -------
    str
        Sixteen hexadecimal digits; the same whenever the same data are picked.

    Examples
    --------
    >>> mint_pick_id(InstrumentId("BW", "UH1", "", "SH"), "P", 127497027180, 100.0)
    'e2099400269c61e8'
    """
    text = f"{instrument}|{phase}|{birth_index}|{sampling_rate_hz:g}"
    return blake2b(text.encode(), digest_size=PICK_ID_BYTES).hexdigest()
