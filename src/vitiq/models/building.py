"""Networks that are built as in a process of their own, whatever the caller has set torch to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vitiq.models.device import shielded


@contextmanager
def as_alone() -> Iterator[None]:
    """Build networks `shielded`, in float32, and leave torch's random numbers where the caller had them.

    A new layer draws its start, which its weights then replace: a training that calls vitiq in between would go
    another way. Also serves as a decorator.

    Example:
        >>> before = torch.get_rng_state()
        >>> with as_alone():
        ...     layer = torch.nn.Linear(2, 3)
        >>> bool((torch.get_rng_state() == before).all())
        True
    """
    dtype = torch.get_default_dtype()
    with shielded(), torch.random.fork_rng(devices=[]):
        if dtype != torch.float32:
            torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            if dtype != torch.float32:
                torch.set_default_dtype(dtype)
