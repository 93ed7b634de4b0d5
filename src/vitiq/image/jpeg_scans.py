"""Whether the scans of a JPEG hold all of its image: libjpeg fills what is missing with grey, without a word.

Source: ITU-T T.81, A.2 (blocks of a scan), B.2 (markers), F.2.2.5 (restart), G.1 (progressive: spectral selection and
successive approximation).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil

DETAIL_MISSING = "the last scans of the JPEG are missing, fine detail with them"
_COEFFICIENTS = 64
_NEVER = 99
_MARKS = re.compile(rb"\xff([\xd0-\xd7\xda\xdd])")


@dataclass(slots=True)
class Frame:
    """A frame header: the image's size, and sampling factors (across, down) of each component by its number."""

    width: int
    height: int
    factors: dict[int, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, content: bytes) -> Frame:
        """Of what follows the length of a frame's segment, from the bits of a sample on."""
        height, width = (int.from_bytes(content[at : at + 2], "big") for at in (1, 3))
        parts = [content[at : at + 3] for at in range(6, 6 + 3 * content[5], 3)]
        return cls(width, height, {p[0]: (p[1] >> 4 or 1, p[1] & 15 or 1) for p in parts if len(p) == 3})

    def units(self, components: list[int]) -> int:
        """Units (MCU) of a scan of these components: blocks of one, groups of blocks of several."""
        across, down = (max((f[axis] for f in self.factors.values()), default=1) for axis in (0, 1))
        wide, high = 8 * across, 8 * down
        if len(components) == 1:
            own = self.factors.get(components[0], (1, 1))
            samples = ceil(self.width * own[0] / across), ceil(self.height * own[1] / down)
            return ceil(samples[0] / 8) * ceil(samples[1] / 8)
        return ceil(self.width / wide) * ceil(self.height / high)


def missing_detail(data: bytes, frame: Frame, interval: int) -> str | None:
    """A note where bits of coefficients were never sent; None where all were.

    Args:
        data: from the first scan's marker to the end of the image.
        interval: units between restart markers; 0 for none.

    Raises:
        ValueError: restart markers or a whole component are missing.
    """
    sent = {number: [_NEVER] * _COEFFICIENTS for number in frame.factors}
    expected = restarts = 0
    for found in _MARKS.finditer(data):
        mark, at = found[1][0], found.end()
        if mark <= 0xD7:
            if interval and mark & 7 != restarts & 7:
                raise ValueError("restart markers are missing or out of order")
            restarts += 1
        elif mark == 0xDD:
            interval = int.from_bytes(data[at + 2 : at + 4], "big")
        else:
            _check_restarts(restarts, expected)
            components, first, last, low = _scan(data[at : at + 20])
            restarts, expected = 0, (frame.units(components) - 1) // interval if interval else 0
            for number in components:
                if number in sent:
                    sent[number][first : last + 1] = [low] * (last + 1 - first)
    _check_restarts(restarts, expected)
    if any(bits[0] == _NEVER for bits in sent.values()):
        raise ValueError("scans of a whole component are missing")
    return DETAIL_MISSING if any(bit for bits in sent.values() for bit in bits) else None


def _scan(header: bytes) -> tuple[list[int], int, int, int]:
    """Components, first and last coefficient, and the lowest bit that is sent."""
    count = header[2] if len(header) > 2 else 0
    rest = header[3 + 2 * count : 6 + 2 * count]
    if not 1 <= count <= 4 or len(rest) < 3:
        return [], 0, 0, 0
    components = list(header[3 : 3 + 2 * count : 2])
    return components, min(rest[0], _COEFFICIENTS - 1), min(rest[1], _COEFFICIENTS - 1), rest[2] & 15


def _check_restarts(found: int, expected: int) -> None:
    if found < expected:
        raise ValueError(f"{found} restart markers in a scan, {expected} expected")
