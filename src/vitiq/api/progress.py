"""Progress bars for notebooks and terminals."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from vitiq.api.types import ProgressOption
from vitiq.errors import InputError
from vitiq.types import Progress


def somebody_looks() -> bool:
    """True in a notebook, and where standard error is a terminal."""
    shell: Any = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return (running is not None and "IPKernelApp" in running.config) or bool(sys.stderr and sys.stderr.isatty())


def bar(total: int | None, title: str, unit: str, *, shown: bool | None) -> Any:
    """A bar of tqdm, a widget in notebooks.

    Args:
        total: units in all; None where it is not known yet.
        title: before the bar.
        unit: what is counted.
        shown: None for in notebooks and terminals only.
    """
    with warnings.catch_warnings():
        # A notebook without ipywidgets gets a bar of text.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm  # noqa: PLC0415

    return tqdm(total=total, desc=title, unit=unit, disable=not (somebody_looks() if shown is None else shown))


def set_total(shown: Any, total: int) -> None:
    """How many units there are in all, once known: a notebook's bar takes no other way."""
    if shown.total != total:
        done = shown.n
        shown.reset(total)
        shown.update(done)


class SearchProgress:
    """A context that gives the callback of a search: the caller's own, a bar's, or None.

    Args:
        option: as `vitiq.encode` takes it.
        shown: whether a bar is shown where the option leaves it open.
        title: before the bar.
    """

    def __init__(self, option: ProgressOption, *, shown: bool, title: str) -> None:
        if not (option is None or isinstance(option, bool) or callable(option)):
            raise InputError(f"progress: {type(option).__name__} given, True, False, None or a function expected")
        self._callback = option if callable(option) else None
        wanted = self._callback is None and (option is True or (option is None and shown and somebody_looks()))
        self._wanted, self._title = wanted, title
        self._bar: Any = None

    def __enter__(self) -> Callable[[Progress], None] | None:
        return self._show if self._wanted else self._callback

    def _show(self, state: Progress) -> None:
        # Not before there is something to show: an encoder at a plain quality does not search.
        if self._bar is None:
            self._bar = bar(state.total, self._title, "it", shown=True)
        self._bar.set_postfix(loss=f"{state.loss:.4g}", refresh=False)
        self._bar.update(state.iteration - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
