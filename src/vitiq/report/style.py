"""One look for page and paper: the colour, marker and line of a codec are the same in every figure.

The colours are checked for the three common colour blindnesses and for contrast on white and on the dark page; as no
eight colours are distinct to everybody, marker and line style differ too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = (
    ("#0b62a8", "#6db6f2"),
    ("#c04a00", "#ff9a5c"),
    ("#00755a", "#3fcfa6"),
    ("#a4336f", "#f091c0"),
    ("#1f2937", "#dbe1ea"),
    ("#856000", "#e3b84a"),
    ("#6b6f78", "#9aa3b0"),
    ("#5a3fb5", "#b5a3ff"),
)
"""A colour on white and its partner on the dark page."""

MARKERS = ("circle", "square", "triangle", "diamond", "down", "plus", "cross", "star")
DASHES: tuple[tuple[int, ...], ...] = ((), (7, 3), (2, 2), (8, 3, 2, 3), (11, 3))
SEED = 64
"""With this seed the built-in families (the part of a name before its first hyphen) have eight different colours."""

NEUTRAL = ("#52525b", "#a8b0bd")
"""Colours of published curves, which are always dashed and hollow."""


@dataclass(frozen=True, slots=True)
class CodecStyle:
    """How one curve is drawn.

    Attributes:
        light, dark: colour on a white and on a dark ground.
        marker: one of `MARKERS`.
        dash: lengths of strokes and gaps in points; empty for a whole line.
        hollow: the marker is an outline: a variant of its family.
    """

    light: str
    dark: str
    marker: str
    dash: tuple[int, ...]
    hollow: bool


def _number(text: str) -> int:
    return int(hashlib.sha256(f"{SEED}:{text}".encode()).hexdigest()[:8], 16)


def codec_style(codec: str, variant: int = 0) -> CodecStyle:
    """Style of a codec by its registered name alone, so that it is the same in every study.

    Codecs of one family (`avif`, `avif-…`) share its colour; marker and line style distinguish them.

    Args:
        codec: registered name.
        variant: 0 for the codec with its own settings, 1, 2, … for further settings in one study.
    """
    family = codec.split("-", 1)[0]
    slot = _number(family) % len(COLOURS)
    step = variant if codec == family else variant + 1 + _number(codec) % 2
    return CodecStyle(
        *COLOURS[slot],
        MARKERS[(slot + 3 * step) % len(MARKERS)],
        DASHES[(slot % 2 * 4 if step == 0 else step) % len(DASHES)],
        step > 0,
    )


def published_style(place: int) -> CodecStyle:
    """Style of a published curve by its place among them."""
    hollow = [marker for marker in MARKERS if marker not in {"plus", "cross"}]
    dashes = DASHES[1:]
    return CodecStyle(*NEUTRAL, hollow[place % len(hollow)], dashes[place // len(hollow) % len(dashes)], hollow=True)


def styles(curves: Sequence[tuple[str, str]]) -> list[CodecStyle]:
    """Styles of the curves of a study, each a registered name and a label; labels of one codec differ."""
    given: dict[tuple[str, str], CodecStyle] = {}
    variants: dict[str, int] = {}
    for codec, label in curves:
        if (codec, label) in given:
            continue
        # Two families may share a colour; they never share colour, marker and line within one study.
        for variant in range(variants.get(codec, 0), variants.get(codec, 0) + len(MARKERS) * len(DASHES)):
            given[codec, label] = codec_style(codec, variant)
            variants[codec] = variant + 1
            if list(given.values()).count(given[codec, label]) == 1:
                break
    return [given[key] for key in curves]
