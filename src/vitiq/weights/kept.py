"""What was loaded of a file is kept while the file stays the same: what is trained again is read again."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def kept(count: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keeps the last `count` results, by the values of the arguments and the state of the files they name.

    How a call is written makes no difference: `f(path)`, `f(path=path)` and a default that is spelt out are one. A file
    is named by a `Path`, or by text: a path, or `NAME:PATH`. Its state is its times, its size and its inode.

    Example:
        >>> import tempfile
        >>> @kept(2)
        ... def words(path: Path) -> list[str]:
        ...     return path.read_text().split()
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("one two")
        >>> words(path) is words(path=path)
        True
        >>> _ = path.write_text("three")
        >>> words(path)
        ['three']
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)

        @lru_cache(maxsize=count)
        def found(values: tuple[Any, ...], named: tuple[tuple[str, Any], ...], states: tuple[object, ...]) -> T:
            del states
            with _outside_inference_mode():
                return function(*values, **dict(named))

        @wraps(function)
        def look_up(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(*args, **kwargs)
            given.apply_defaults()
            return found(given.args, tuple(given.kwargs.items()), tuple(map(_state, given.arguments.values())))

        return look_up

    return decorate


def _outside_inference_mode() -> AbstractContextManager[object]:
    """Tensors that are made within torch's inference mode can never be trained through, and what is kept serves all."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.inference_mode(False)


def _state(value: object) -> tuple[int, ...] | None:
    """What changes when the file does; None where no file is named."""
    if isinstance(value, str):
        return _state(Path(value)) or (_state(Path(value.partition(":")[2])) if ":" in value else None)
    if not isinstance(value, Path):
        return None
    try:
        status = value.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
