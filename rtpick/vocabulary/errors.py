"""The error tree: each member is also the builtin that a caller would expect.

Every message names the thing that is wrong and the remedy.
"""


class RtpickError(Exception):
    """Anything that rtpick itself found wrong."""


class SettingsError(RtpickError, ValueError):
    """A configuration that cannot be used; the message gives file and line."""


class RecordError(RtpickError, ValueError):
    """A record, packet or file of samples that cannot be decoded or believed."""


class SourceError(RtpickError, ConnectionError):
    """A server that cannot be reached or that refuses what was asked of it."""


class AuthenticationError(SourceError):
    """A server that wants credentials, or refuses those it was given: retrying is futile."""


class InventoryError(RtpickError, ValueError):
    """Station metadata that cannot be read or does not cover what is selected."""


class NetworkError(RtpickError, ValueError):
    """A network asked to work on what it was not made for."""


class WeightsError(RtpickError, ValueError):
    """Weights that are missing, damaged or of another architecture."""


class VelocityModelError(RtpickError, ValueError):
    """A velocity model that cannot be read or has no travel times."""


class PickTableError(RtpickError, ValueError):
    """A pick list whose columns or values cannot be used."""


class ArchiveError(RtpickError, OSError):
    """Durable storage that cannot be opened, migrated or written."""


class StorageFullError(ArchiveError):
    """No room left to commit; writing is tried again until there is."""


class WorkerError(RtpickError, RuntimeError):
    """A worker that died or stopped beating."""
