"""Array shapes and dtypes, as annotations state them, checked at every call of the test run.

`--jaxtyping-packages=vitiq,array_checks.check` among pytest's options hands every function of vitiq to `check`:
jaxtyping binds the axes, beartype compares. Arrays alone are compared; all other types are mypy's. Names that a module
imports for type checkers alone (torch's Tensor, where torch is loaded late) are found here.
"""

from __future__ import annotations

import collections.abc
import inspect
import sys
import typing
from collections.abc import Callable
from typing import Any, TypeVar

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
    names = {**LATE, **vars(sys.modules.get(function.__module__, typing))}
    found = {name: _arrays_of(_resolved(hint, names)) for name, hint in function.__annotations__.items()}
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
