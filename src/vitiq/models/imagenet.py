"""Names of the 1000 ImageNet-1k classes in class order (WordNet ids sorted), one a line in imagenet_labels.txt."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def imagenet_labels() -> tuple[str, ...]:
    """1000 names; a few stand for two classes (crane, maillot), so compare indices, not names."""
    text = (Path(__file__).parent / "imagenet_labels.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
