"""Every error vitiq raises on purpose.

    VitiqError
    ├── InputError              an image, folder or setting given by the user cannot be used
    │   ├── SettingError        options of a codec, a quality, a size or metrics that are illegal whatever the image
    │   └── UndefinedError      a requested value is undefined, for instance for a network's non-finite output
    ├── BitstreamError          a compressed file is damaged, of an unknown format, or exceeds a limit
    ├── UnknownNameError        no codec, metric or backbone of that name (lists near matches)
    ├── PluginError             a registered plugin cannot be loaded, or failed
    ├── MissingDependencyError  an optional package or program is not installed
    ├── WeightsError            a weights file is missing, damaged or of an unexpected layout
    ├── TaskError               a task of a study failed
    └── StoreError              results cannot be stored (full disk, no permission); the same command then resumes

Each message says what was given, what was expected and how to fix it, in one line.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable


class VitiqError(Exception):
    """Base of every error vitiq raises on purpose."""


class InputError(VitiqError):
    """An image, folder or setting given by the user cannot be used."""


class SettingError(InputError):
    """An option of a codec, a quality or size of its files, or a choice of metrics is illegal whatever the image: exit
    code 2.
    """


class UndefinedError(InputError):
    """A requested value is undefined, for instance because a network's output is not finite."""


class BitstreamError(VitiqError):
    """A compressed file is damaged, of an unknown format, or exceeds a limit."""


class UnknownNameError(VitiqError):
    """No codec, metric or backbone of that name."""


class PluginError(VitiqError):
    """A registered plugin cannot be loaded, or failed."""


class MissingDependencyError(VitiqError):
    """An optional package or program is not installed."""


class WeightsError(VitiqError):
    """A weights file is missing, damaged or of an unexpected layout."""


class TaskError(VitiqError):
    """A task of a study failed."""


class StoreError(VitiqError):
    """Results cannot be stored (full disk, no permission); once they can, the same command resumes."""


def first_line(error: BaseException) -> str:
    """What a foreign error says, to stand in one of ours; its kind where it says nothing or only a bare key."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines and not isinstance(error, KeyError) else type(error).__name__


LONGEST = 300
"""Letters of a foreign error that are repeated."""


def described(error: BaseException) -> str:
    """Kind and words of a foreign error in one line, or its kind alone.

    Example:
        >>> described(ValueError("no number,\\nbut a word"))
        'ValueError: no number, but a word'
    """
    kind, said = type(error).__name__, " ".join(str(error).split())
    if not said:
        return kind
    return f"{kind}: {said if len(said) <= LONGEST else said[: LONGEST - 1] + '…'}"


def in_one_line(error: BaseException) -> str:
    """What an error says, with its kind where it is not one of ours."""
    said = " ".join(str(error).split())
    return said if isinstance(error, VitiqError) and said else described(error)


_CURES = {
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.ELOOP: "a link leads back to itself, mend or remove it",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EIO: "check the disk or the connection to it",
    errno.ESTALE: "check the disk or the connection to it",
}


def unreadable(path: object, error: OSError, failed: str = "cannot be read") -> str:
    """What the system says of a path that cannot be read, and what to do about it.

    Example:
        >>> unreadable("a.png", OSError(errno.EACCES, "Permission denied"))
        'a.png: cannot be read (Permission denied); check its permissions'
    """
    return f"{path}: {failed} ({error.strerror}); {_CURES.get(error.errno or 0, 'check the path')}"


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system answers where a disk, or the part of it that a user may fill, is full."""


def disk_is_full(error: BaseException) -> bool:
    """Whether an error of ours says of a file that the disk has no place for it: nothing more can be written then."""
    return getattr(error.__cause__, "errno", None) in FULL


def unwritable(path: object, error: OSError) -> str:
    """What the system says of a path that cannot be written, and what to do about it.

    Example:
        >>> unwritable("a.png", OSError(errno.ENOSPC, "No space left on device"))
        'a.png: cannot be written (No space left on device); free some space, or choose another output'
    """
    cure = "free some space, or " if error.errno in FULL else ""
    cure = "give a shorter name, or " if error.errno == errno.ENAMETOOLONG else cure
    return f"{path}: cannot be written ({error.strerror}); {cure}choose another output"


def near_names(name: str, known: Iterable[str], *, most: int = 3, cutoff: float = 0.6) -> list[str]:
    """Names that may have been meant, the likeliest first; case does not count.

    Args:
        most: names given at most.
        cutoff: likeness from which on a name is near, as difflib has it.
    """
    import difflib  # noqa: PLC0415 - for an error alone

    folded = {one.casefold(): one for one in known}
    return [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=most, cutoff=cutoff)]
