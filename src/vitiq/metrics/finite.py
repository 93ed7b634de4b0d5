"""The check that keeps what is not a number from becoming a value: its ranks and shares look like numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError, UndefinedError


def require_finite(what: str, *arrays: Float[np.ndarray, ...]) -> None:
    """Raises UndefinedError where a number of the arrays is NaN or infinite.

    Args:
        what: the arrays, for the message, in the plural: "label scores".
    """
    for array in arrays:
        if not np.isfinite(array).all():
            raise UndefinedError(f"{what} hold numbers that are not finite")


def check_samples(a: Float[np.ndarray, ...], b: Float[np.ndarray, ...]) -> None:
    """Raises UndefinedError for samples that are not finite, InputError for shapes other than (n, d), (m, d)."""
    require_finite("samples", a, b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise InputError(f"samples of shape {a.shape} and {b.shape} given, expected (n, d) and (m, d), n and m from 2")
