"""Predictions kept by the content of the image, so that a sweep of M reconstructions costs M + 1 forwards, not 2M."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from weakref import WeakSet

import numpy as np

from vitiq.image.shared import shared
from vitiq.types import ImageU8

LIMIT = 256 * 2**20
"""Bytes kept."""

ENTRIES = 1024
"""Arrays kept at most: small ones, scattered over the memory that images have left, keep it from going back."""


@shared
def key_of(image: ImageU8) -> bytes:
    """Hash of an image's pixels and shape."""
    digest = hashlib.blake2b(str(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


_CACHES: WeakSet[Cache] = WeakSet()


def _unlock() -> None:
    """A process forked while another thread held a lock would wait for it for ever."""
    for cache in list(_CACHES):
        cache.lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Cache:
    """Arrays by (kind, image), the longest unused dropped first; several threads may ask at once.

    Args:
        limit: bytes kept.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit, self._bytes = limit, 0
        self._entries: OrderedDict[tuple[str, bytes], np.ndarray] = OrderedDict()
        self.lock = Lock()
        _CACHES.add(self)

    def __reduce__(self) -> tuple[type[Cache], tuple[int]]:
        """A copy, and what is pickled, begins empty: what was kept can be computed, and a lock is of its process."""
        return Cache, (self._limit,)

    def get(
        self, kind: str, images: Sequence[ImageU8], compute: Callable[[list[ImageU8]], Sequence[np.ndarray]]
    ) -> list[np.ndarray]:
        """One array an image; `compute` is called once, with the different images that are not kept."""
        keys = [(kind, key_of(image)) for image in images]
        with self.lock:
            known = {key: self._entries[key] for key in keys if key in self._entries}
        missing = {key: image for key, image in zip(keys, images, strict=True) if key not in known}
        if missing:
            known.update(zip(missing, compute(list(missing.values())), strict=True))
        found = [known[key] for key in keys]
        with self.lock:
            for key, value in zip(keys, found, strict=True):
                self._keep(key, value)
        return found

    def _keep(self, key: tuple[str, bytes], value: np.ndarray) -> None:
        if key in self._entries:
            self._entries.move_to_end(key)
            return
        self._entries[key] = value
        self._bytes += value.nbytes
        while (self._bytes > self._limit and len(self._entries) > 1) or len(self._entries) > ENTRIES:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.nbytes
