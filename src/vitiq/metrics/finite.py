"""The check that keeps what is not a number from becoming a value: its ranks and shares look like numbers."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitiq.errors import UndefinedError


def require_finite(what: str, *arrays: Float[np.ndarray, ...]) -> None:
    """Raises UndefinedError where a number of the arrays is NaN or infinite.

    Args:
        what: the arrays, for the message, in the plural: "label scores".
    """
    for array in arrays:
        if not np.isfinite(array).all():
            raise UndefinedError(f"{what} hold numbers that are not finite")
