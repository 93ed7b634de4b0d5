"""The check that every pair metric starts with."""

from __future__ import annotations

from vitiq.errors import InputError
from vitiq.types import ImageU8


def check_sizes(reference: ImageU8, distorted: ImageU8) -> None:
    """Raises InputError where two images differ in size."""
    if reference.shape != distorted.shape:
        (h, w, _), (i, j, _) = reference.shape, distorted.shape
        raise InputError(f"images of {w}×{h} and {j}×{i} pixels given, the same size expected; resize one of them")
