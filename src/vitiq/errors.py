"""Every error vitiq raises on purpose.

    VitiqError
    ├── InputError              an image, folder or setting given by the user cannot be used
    │   └── UndefinedError      a value that was asked for is not defined, as where a network's output is not finite
    ├── BitstreamError          a compressed file is damaged, foreign or asks for too much
    ├── UnknownNameError        no codec, metric or backbone of that name (lists near matches)
    ├── PluginError             a registered plugin cannot be loaded, or failed
    ├── MissingDependencyError  an optional package is not installed
    ├── WeightsError            a weights file is missing, damaged or of another layout
    ├── TaskError               a task of a study failed
    └── StoreError              results cannot be kept (full disk, no permission); the study resumes once they can

Each message says what was given, what was expected and how to fix it, in one line.
"""


class VitiqError(Exception):
    """Base of every error vitiq raises on purpose."""


class InputError(VitiqError):
    """An image, folder or setting given by the user cannot be used."""


class UndefinedError(InputError):
    """A value that was asked for is not defined, as where a network's output is not finite."""


class BitstreamError(VitiqError):
    """A compressed file is damaged, foreign or asks for too much."""


class UnknownNameError(VitiqError):
    """No codec, metric or backbone of that name."""


class PluginError(VitiqError):
    """A registered plugin cannot be loaded, or failed."""


class MissingDependencyError(VitiqError):
    """An optional package is not installed."""


class WeightsError(VitiqError):
    """A weights file is missing, damaged or of another layout."""


class TaskError(VitiqError):
    """A task of a study failed."""


class StoreError(VitiqError):
    """Results cannot be kept (full disk, no permission); the study resumes once they can."""


def first_line(error: BaseException) -> str:
    """What a foreign error says, to stand in one of ours; its kind where it says nothing or only a bare key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines and not isinstance(error, KeyError) else type(error).__name__
