"""Sections of the generative codecs' files: which kinds there are, and what stands before their data."""

from __future__ import annotations

from typing import NamedTuple

from vitiq.bitstream import container as viq
from vitiq.errors import BitstreamError

GRAPHICS = 3
"""Section: quality (1 byte), then `graphics_layer`. It stands before that of the latents, or alone."""


class Kind(NamedTuple):
    """How a section of latents is coded: quality (1 byte), a `correction` (its length first), then `latent_coding`.

    Attributes:
        context: whether hyper-latents are coded with a context, and escapes inline.
        leading_sent: whether all symbols of the leading channels are coded.
        corrected: whether there is a correction.
    """

    context: bool = True
    leading_sent: bool = False
    corrected: bool = False


LATENTS = {
    1: Kind(context=False),
    2: Kind(),
    4: Kind(leading_sent=True),
    5: Kind(corrected=True),
    6: Kind(leading_sent=True, corrected=True),
}
"""Sections of latents, of which a file has one at most."""

LOWEST, HIGHEST = -48, 63
"""Qualities. The networks were trained on 0 to 63; what they read of a quality is a parabola, which continues below."""


def section_of(file: viq.Container) -> int:
    """Number of the section with the latents, of which there is one."""
    numbers = sorted({section.kind for section in file.sections}.intersection(LATENTS))
    if len(numbers) > 1:
        said = " and ".join(map(str, numbers))
        raise BitstreamError(f"sections {said} given, one expected; the file is damaged")
    return numbers[0] if numbers else min(LATENTS)


def number_of(kind: Kind) -> int:
    """Number of the section of a kind."""
    return next(number for number, other in LATENTS.items() if other == kind)


def quality_byte(level: int) -> bytes:
    """What a section begins with."""
    return level.to_bytes(1, signed=True)


def level_of(file: viq.Container) -> int:
    """The quality that each section begins with."""
    first = {section.data[:1] for section in file.sections if section.kind in {section_of(file), GRAPHICS}}
    levels = sorted({int.from_bytes(byte, signed=True) for byte in first})
    if not first:
        file.section(section_of(file))
    if b"" in first:
        raise BitstreamError("a section without its first byte, the quality, given; the file is damaged")
    if len(levels) > 1:
        said = " and ".join(map(str, levels))
        raise BitstreamError(f"sections of the qualities {said} given, one quality expected; the file is damaged")
    if not LOWEST <= levels[0] <= HIGHEST:
        raise BitstreamError(f"quality {levels[0]} given, {LOWEST} to {HIGHEST} expected; the file is damaged")
    return levels[0]
