"""Ordinary formats at the size that suits the bytes.

Truth: counted here. Every size and quality is tried by hand; the best within the bytes must be the one written.
"""

from __future__ import annotations

import numpy as np
import pytest

from vitiq.bitstream import container as viq
from vitiq.codecs.classical.downscaled import FILE, DownscaledJpeg, DownscaledWebP, sizes, squared_error
from vitiq.codecs.classical.pillow import Jpeg
from vitiq.errors import BitstreamError, InputError
from vitiq.image.geometry import resize
from vitiq.types import ImageU8, Quality


def test_sizes_rise_to_the_images_own() -> None:
    assert list(sizes(512, 256))[-2:] == [(341, 171), (512, 256)]
    assert next(sizes(512, 256)) == (16, 8)
    assert list(sizes(3, 900)) == [(3, 900)]


def test_the_best_size_within_the_bytes_is_written(bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["portrait"][:240, :320])
    data = DownscaledJpeg().encode(image, Quality(1100))
    assert len(data) <= 1100
    space = 1100 - (len(data) - len(viq.unpack(data).section(FILE)))
    errors = []
    for wide, high in sizes(320, 240):
        for quality in range(1, 101):
            file = Jpeg().encode(resize(image, wide, high), Quality(quality))
            if len(file) > space:
                break
        else:
            quality = 101
        if quality > 1:
            file = Jpeg().encode(resize(image, wide, high), Quality(quality - 1))
            errors.append(squared_error(image, resize(Jpeg().decode(file), 320, 240)))
    # The highest quality that fits is what bisection finds, as long as files grow with quality.
    assert squared_error(image, DownscaledJpeg().decode(data)) == pytest.approx(min(errors), rel=0.02)
    assert "enlarged to 320×240" in DownscaledJpeg().inspect(data).notes[0]


def test_where_nothing_fits_the_smallest_file_is_written(small: ImageU8) -> None:
    data = DownscaledWebP().encode(small, Quality(1))
    assert DownscaledWebP().decode(data).shape == small.shape
    assert len(data) < 200
    with pytest.raises(InputError, match="bytes"):
        DownscaledWebP().encode(small, Quality(0))


def test_a_image_larger_than_the_file_says_is_refused(small: ImageU8) -> None:
    file = Jpeg().encode(small)
    for width, height, crc in ((10, 10, None), (96, 80, 1)):
        check = viq.unpack(DownscaledJpeg()._wrap(file, 96, 80)).symbols_crc if crc is None else crc
        data = viq.pack(viq.Container("jpeg-shrunk", width, height, b"", check, (viq.Section(FILE, file),)))
        with pytest.raises(BitstreamError, match="damaged"):
            DownscaledJpeg().decode(data)


def test_a_file_of_another_format_inside_is_damage(small: ImageU8) -> None:
    data = DownscaledWebP()._wrap(Jpeg().encode(small), 96, 80)
    with pytest.raises(BitstreamError, match="the file inside is no WebP file; the file is damaged"):
        DownscaledWebP().decode(data)
