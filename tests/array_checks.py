"""Array shapes and dtypes, as annotations state them, checked at every call of the test run.

`--jaxtyping-packages=PACKAGE,…,array_checks.check` among pytest's options hands every function of the packages to
`check`: jaxtyping binds the axes, beartype compares. Arrays alone are compared; all other types are mypy's. What a
function refuses itself (its docstring names InputError) is left to it; what it returns is compared all the same. Names
that a module imports for type checkers alone (torch's Tensor, where torch is loaded late) are found here.
"""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jaxtyping
import numpy as np
import torch
from beartype import beartype

F = TypeVar("F", bound=Callable[..., Any])

LATE: dict[str, Any] = {
    **{name: getattr(jaxtyping, name) for name in dir(jaxtyping) if name[0].isupper()},
    "Tensor": torch.Tensor,
    "np": np,
}
"""What modules name in annotations but import for type checkers alone."""


def check(function: F) -> F:
    """`function` with its arrays, given and returned, compared with their annotations."""
    ready: Callable[..., Any] | None = None

    def lazily(*args: Any, **kwargs: Any) -> Any:
        nonlocal ready
        if ready is None:  # at the first call the module is complete, with every name that an annotation may use
            ready = _compared(function)
        return ready(*args, **kwargs)

    return cast(F, lazily)


def _compared(function: Callable[..., Any]) -> Callable[..., Any]:
    module = sys.modules.get(function.__module__)
    names = {**LATE, **vars(module or typing)}
    hints = dict(function.__annotations__)
    if any(error in _documentation(module, function.__qualname__) for error in ("InputError", "UndefinedError")):
        hints = {name: hint for name, hint in hints.items() if name == "return"}  # it refuses the others itself
    found = {name: _arrays_of(_resolved(hint, names)) for name, hint in hints.items()}
    found = {name: hint for name, hint in found.items() if hint is not Any}
    if not found:
        return function
    function.__annotations__ = found
    parameters = inspect.signature(function)
    empty = inspect.Parameter.empty
    function.__signature__ = parameters.replace(  # type: ignore[attr-defined]
        parameters=[p.replace(annotation=found.get(p.name, empty)) for p in parameters.parameters.values()],
        return_annotation=found.get("return", empty),
    )
    return beartype(function)


def _documentation(module: Any, qualname: str) -> str:
    """What the function of a name says of itself; the checked one is a stand-in without a docstring."""
    found = module
    for part in qualname.split("."):
        found = inspect.getattr_static(found, part, None)
    while isinstance(found, (staticmethod, classmethod)) or hasattr(found, "__wrapped__"):
        found = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found.__wrapped__
    return str(getattr(found, "__doc__", "") or "")


def _resolved(hint: Any, names: dict[str, Any]) -> Any:
    if not isinstance(hint, str):
        return hint
    try:
        return eval(hint, names)
    except (NameError, TypeError, AttributeError):
        return Any


def _arrays_of(hint: Any) -> Any:
    """The hint with Any for all that is no array, or a container of arrays; Any where nothing is left."""
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return hint
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is None or origin in {collections.abc.Callable, typing.Literal, typing.Annotated}:
        return Any
    if origin in {collections.abc.Iterator, collections.abc.Generator, collections.abc.Iterable}:
        return Any  # not to be walked through
    parts = [item if item in {type(None), Ellipsis} else _arrays_of(item) for item in inner]
    if all(part is Any or part in {type(None), Ellipsis} for part in parts):
        return Any
    return typing.Union[tuple(parts)] if "Union" in str(origin) else origin[tuple(parts)]  # noqa: UP007
