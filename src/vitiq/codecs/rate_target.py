"""Files of a given number of bytes: at most that many, or the closest for comparisons at equal size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vitiq.codecs.base import Codec
from vitiq.text import plural
from vitiq.types import Bytes, ImageU8, ProgressCallback, Quality, Rate

GUESSES = 5
"""Guesses before the range is halved; they close in after three or four."""
NEIGHBOURS = 5
"""Qualities above the one found that are tried too, by quick codecs: sizes do not always grow with quality."""
SMALL = 4096
"""Pixels of an image, at most, of which cheap codecs try all qualities: its sizes rise and fall as they like."""
STEPS = 100
"""Qualities that count as all, of a range with more: steps of a thousandth are no other qualities."""
NEAR = 1.1
"""Size, over that of the file found, above which no better quality next to it is expected to give a smaller file."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file and how it meets what was asked for.

    Attributes:
        data: the file.
        quality: the quality that gave it.
        target_bytes: bytes that were asked for; None where a quality was.
        reached: False where even the smallest file that was tried is larger than the target.
        notes: what a person should know about it.
    """

    data: bytes
    quality: float
    target_bytes: int | None = None
    reached: bool = True
    notes: tuple[str, ...] = ()


def encode_within(
    codec: Codec,
    image: ImageU8,
    rate: Rate | None = None,
    progress: ProgressCallback | None = None,
    *,
    thorough: bool = True,
) -> Encoded:
    """Encode at a quality, or at the highest quality whose file has at most a number of bytes.

    Found by a search of the codec's legal qualities, on the assumption that files grow with quality: by halving, from
    the codec's usual sizes, which takes three encodes or four, or from what its quick twin finds, which takes two or
    three. Quick codecs, which halve, also try what lies just above, as sizes of small images may fall again:
    up to `NEIGHBOURS` qualities and, where sizes hardly grow, the best one. Of images of at most `SMALL` pixels, cheap
    codecs try all qualities, if `thorough`. Where no file that was tried is small
    enough, the smallest of them, with `reached` False and a note.

    Raises:
        InputError: the image or the rate is not one that the codec takes.
    """
    if not isinstance(rate, Bytes):
        quality = codec.default_quality if rate is None else rate.value
        data = codec.encode(image, rate, progress=progress)
        # Where the quality is a number of bytes, it is a promise like `Bytes`.
        return Encoded(data, quality) if codec.quality_range else _checked(data, quality, int(quality))
    target = rate.count
    if codec.quality_range is None:
        quality = max(target, codec.min_bytes)
        return _checked(codec.encode(image, Quality(quality), progress=progress), quality, target)
    made = _Ladder(codec, image, progress, thorough=thorough)
    made.search(target)
    sizes = made.sizes()
    fitting = [index for index, size in sizes.items() if size <= target]
    index = max(fitting) if fitting else min(sizes, key=lambda i: (sizes[i], -i))
    return _checked(made.file(index), made.quality(index), target)


def encode_nearest(codec: Codec, image: ImageU8, rate: Bytes, progress: ProgressCallback | None = None) -> Encoded:
    """Encode at the quality whose file is closest to a number of bytes; of two as close, the smaller file.

    For comparisons at equal bytes; of the files that `encode_within` tries and the next larger one. `reached` is False
    where even the smallest of them is larger.

    Raises:
        InputError: the image is not one that the codec takes.
    """
    if codec.quality_range is None:
        return encode_within(codec, image, rate, progress)
    target = rate.count
    made = _Ladder(codec, image, progress)
    below = made.search(target)
    if len(made.file(below)) < target:
        made.file(min(below + 1, made.top))
    sizes = made.sizes()
    index = min(sizes, key=lambda i: (abs(sizes[i] - target), sizes[i], -i))
    found = made.file(index), made.quality(index)
    if min(sizes.values()) > target:
        return _checked(*found, target)
    return Encoded(*found, target)


class _Ladder:
    """Files of the legal qualities, counted from the smallest file, each made once."""

    def __init__(
        self, codec: Codec, image: ImageU8, progress: ProgressCallback | None, *, thorough: bool = True
    ) -> None:
        assert codec.quality_range is not None
        low, high, step = codec.quality_range
        self.top = round((high - low) / step)
        # From the smallest file on, whichever way the number goes.
        self._start, self._step = (high, -step) if codec.quality_falls else (low, step)
        self._files: dict[int, bytes] = {}
        self._usual, self._pixels = codec.usual_sizes, image.shape[0] * image.shape[1]
        self._stride: int = max(1, self.top // STEPS)
        self._try_all = thorough and codec.cheap and self._pixels <= SMALL
        twin = codec.quick
        self._quick = None if twin is None else _Ladder(twin, image, None)
        self._encode: Callable[[Quality], bytes] = lambda quality: codec.encode(image, quality, progress=progress)

    def quality(self, index: int) -> float:
        """The quality of a step."""
        return round(self._start + index * self._step, 9)

    def file(self, index: int) -> bytes:
        """The file of a step."""
        if index not in self._files:
            self._files[index] = self._encode(Quality(self.quality(index)))
        return self._files[index]

    def search(self, target: int) -> int:
        """Make the files around a number of bytes.

        Returns:
            As `last_within`.
        """
        if self._try_all:
            return self._best_of_all(target)
        below = self.last_within(target)
        if self._usual is None:
            self._climb(below)
        return below

    def _best_of_all(self, target: int) -> int:
        """As `last_within`, of all steps; of very many, the closest ones around the best of every `_stride`-th."""
        tried = [*range(0, self.top, self._stride), self.top]
        fitting = [index for index in tried if len(self.file(index)) <= target]
        if not fitting:
            return 0
        bottom: int = fitting[-1]
        above = min(bottom + self._stride, self.top + 1)
        while above - bottom > 1:
            middle = (bottom + above) // 2
            bottom, above = (middle, above) if len(self.file(middle)) <= target else (bottom, middle)
        return bottom

    def _climb(self, start: int) -> None:
        """Make the files just above a step; where they hardly grow, as of flat images, that of the best quality too."""
        stride = self._stride
        for index in range(start + stride, min(start + NEIGHBOURS * stride, self.top) + 1, stride):
            if len(self.file(index)) > NEAR * len(self.file(start)):
                return
        self.file(self.top)

    def last_within(self, target: int) -> int:
        """The highest step whose file has at most `target` bytes; 0 where there is none."""
        return self._halved(target) if self._usual is None else self._guessed(target, *self._usual)

    def _guessed(self, target: int, bpp: float, factor: float) -> int:
        """First where a file of `target` bytes usually is, then where the last two files made say it is."""
        growth, bottom, above = math.log(factor), -1, self.top + 1
        usual = math.log(8 * target / (self._pixels * bpp)) / growth
        guess, last = usual if self._quick is None else self._quick.last_within(target), -1
        for count in range(self.top + 1):
            index = math.floor(guess) if count < GUESSES else (bottom + above) // 2
            index = min(max(index, bottom + 1), above - 1)
            size = max(1, len(self.file(index)))
            bottom, above = (index, above) if size <= target else (bottom, index)
            if above - bottom == 1:
                break
            if last >= 0:
                found = math.log(size / max(1, len(self.file(last)))) / (index - last)
                growth = found if found > 0 else growth
            guess, last = index + math.log(target / size) / growth, index
        return max(bottom, 0)

    def _halved(self, target: int) -> int:
        if len(self.file(0)) > target or self.top == 0:
            return 0
        bottom, above = 0, self.top + 1
        while above - bottom > 1:
            middle = (bottom + above) // 2
            if len(self.file(middle)) <= target:
                bottom = middle
            else:
                above = middle
        return bottom

    def sizes(self) -> dict[int, int]:
        """Bytes of the files made so far."""
        return {index: len(data) for index, data in self._files.items()}


def _checked(data: bytes, quality: float, target: int) -> Encoded:
    if len(data) <= target:
        return Encoded(data, quality, target)
    return Encoded(data, quality, target, reached=False, notes=(above_target(len(data), target),))


def above_target(size: int, target: int) -> str:
    """What is said of a file that is larger than asked for."""
    return f"no file of at most {plural(target, 'byte')} was found: the smallest of those tried has {size}"
