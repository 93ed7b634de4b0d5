"""The search for a file of a number of bytes. Truth: every legal quality, tried one after the other."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import WebP
from vitiq.codecs.filtered import FilteredCodec
from vitiq.codecs.rate_target import NEIGHBOURS, encode_nearest, encode_within
from vitiq.codecs.spec import make_codec
from vitiq.codecs.transform.codec import TransformViqCodec
from vitiq.filters.base import Filter
from vitiq.types import Bytes, ImageU8, Quality

IMAGE = np.zeros((64, 64, 3), np.uint8)


class Sized(Codec):
    """Files of the sizes that it is given; counts how many it made."""

    name, title, extension = "sized", "Sized", ".sized"
    qualities, default_quality, quality_help = (0,), 0, "0 and more"

    def __init__(
        self,
        sizes: list[int],
        usual: tuple[float, float] | None,
        *,
        falls: bool = False,
        twin: Codec | None = None,
    ) -> None:
        super().__init__()
        self.twin = twin
        self.sizes, self.made = sizes, 0
        self.usual_sizes, self.quality_falls = usual, falls  # type: ignore[misc]
        self.quality_range = (0, len(sizes) - 1, 1)  # type: ignore[misc]

    @property
    def quick(self) -> Codec | None:
        return self.twin

    def compress(self, image: ImageU8, quality: float, progress: Any = None) -> bytes:
        self.made += 1
        return bytes(self.sizes[len(self.sizes) - 1 - int(quality) if self.quality_falls else int(quality)])

    def decompress(self, data: bytes) -> ImageU8:
        return IMAGE


@given(
    st.integers(1, 500),
    st.lists(st.integers(0, 400), min_size=0, max_size=80),
    st.integers(1, 20_000),
    st.sampled_from([None, (0.04, 1.05), (3.0, 1.5)]),
    st.booleans(),
)
def test_the_best_file_within_and_the_nearest_are_found(
    first: int, steps: list[int], target: int, usual: tuple[float, float] | None, falls: bool
) -> None:
    sizes = list(accumulate([first, *steps]))
    codec = Sized(sizes, usual, falls=falls)
    found = encode_within(codec, IMAGE, Bytes(target))
    fitting = [size for size in sizes if size <= target]
    assert len(found.data) == (max(fitting) if fitting else sizes[0])
    assert found.reached == bool(fitting)
    assert codec.made <= 12 + len(sizes).bit_length()
    nearest = encode_nearest(Sized(sizes, usual, falls=falls), IMAGE, Bytes(target))
    assert abs(len(nearest.data) - target) == min(abs(size - target) for size in sizes)


@pytest.mark.parametrize("falls", [False, True])
def test_sizes_that_fall_again_just_above_are_found(falls: bool) -> None:
    """The sizes of a WebP of 130×67 pixels at qualities 58 to 62, made longer on both sides."""
    sizes = [*range(500, 1340, 15), 1350, 1392, 1382, 1404, *range(1500, 3000, 60)]
    codec = Sized(sizes, None, falls=falls)
    assert len(encode_within(codec, IMAGE, Bytes(1382)).data) == 1382
    assert len(encode_nearest(Sized(sizes, None, falls=falls), IMAGE, Bytes(1383)).data) == 1382
    assert codec.made <= 12


def test_where_sizes_hardly_grow_the_best_quality_is_tried_too() -> None:
    sizes = [*range(64, 94), *range(93, 53, -1)]
    found = encode_within(Sized(sizes, None), IMAGE, Bytes(60))
    assert (len(found.data), found.quality, found.reached) == (54, len(sizes) - 1, True)
    missed = encode_within(Sized(sizes, None), IMAGE, Bytes(50))
    assert (len(missed.data), missed.reached) == (54, False)
    assert missed.notes == ("no file of at most 50 bytes was found: the smallest of those tried has 54",)
    growing = Sized([10 * 2**level for level in range(8)], None)
    assert not encode_within(growing, IMAGE, Bytes(9)).reached
    assert growing.made == 2


def test_a_flat_webp_is_smallest_at_the_best_quality() -> None:
    flat = np.full((64, 64, 3), 120, np.uint8)
    found = encode_within(WebP(), flat, Bytes(60))
    assert (found.reached, found.quality) == (True, 100)
    assert len(found.data) <= 60 < len(WebP().encode(flat, Quality(0)))


@given(st.lists(st.integers(1, 400), min_size=1, max_size=101), st.integers(1, 400), st.booleans())
def test_of_small_images_cheap_codecs_try_all(sizes: list[int], target: int, falls: bool) -> None:
    """Whatever the sizes, which the halving of a range takes for growing."""
    codec = Sized(sizes, None, falls=falls)
    codec.cheap = True  # type: ignore[misc]
    found = encode_within(codec, IMAGE, Bytes(target))
    fitting = [index for index, size in enumerate(sizes) if size <= target]
    best = max(fitting) if fitting else max(index for index, size in enumerate(sizes) if size == min(sizes))
    assert len(found.data) == sizes[best]
    assert found.quality == (len(sizes) - 1 - best if falls else best)
    assert found.reached == bool(fitting)
    nearest = encode_nearest(codec, IMAGE, Bytes(target))
    assert abs(len(nearest.data) - target) == min(abs(size - target) for size in sizes)
    large = Sized(sizes, None, falls=falls)
    large.cheap = True  # type: ignore[misc]
    encode_within(large, np.zeros((65, 64, 3), np.uint8), Bytes(target))
    assert large.made <= 7 + 1 + NEIGHBOURS + 1


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (24, 24)])
def test_no_better_quality_of_a_tiny_image_fits(name: str, size: tuple[int, int]) -> None:
    """Truth: every quality's file. JPEG XL of one pixel has 57 bytes at quality 6, and 54 at 83."""
    codec = make_codec(name)
    low, high, step = codec.quality_range or (0, 0, 1)
    image = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    qualities = [round(low + step * index, 9) for index in range(round((high - low) / step) + 1)]
    files = {quality: len(codec.encode(image, Quality(quality))) for quality in qualities}
    for target in sorted({min(files.values()), *np.quantile([*files.values()], [0.2, 0.4, 0.6, 0.8]).astype(int)}):
        found = encode_within(codec, image, Bytes(int(target)))
        assert found.quality == max(quality for quality, count in files.items() if count <= target)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("growth", [0.8, 1.0, 1.2])
def test_from_usual_sizes_few_files_are_made(scale: float, growth: float) -> None:
    bpp, factor = TransformViqCodec.usual_sizes
    sizes = [round(scale * 512 * 768 * bpp / 8 * factor ** (growth * level)) for level in range(64)]
    image = np.zeros((512, 768, 3), np.uint8)
    counts = []
    for target in range(1000, 60_000, 1000):
        codec, halving = Sized(sizes, (bpp, factor)), Sized(sizes, None)
        assert encode_within(codec, image, Bytes(target)) == encode_within(halving, image, Bytes(target))
        counts.append((codec.made, halving.made))
    guessed, halved = np.mean(counts, axis=0)
    assert guessed <= 4
    assert guessed < 0.6 * halved or scale == 4.0


@given(
    st.floats(0.9, 1.1),
    st.integers(1000, 60_000),
    st.lists(st.floats(1.02, 1.08), min_size=63, max_size=63),
)
def test_from_a_quick_twin_fewer_files_are_made(larger: float, target: int, steps: list[float]) -> None:
    bpp, factor = TransformViqCodec.usual_sizes
    exact = list(accumulate([800.0, *steps], lambda size, step: size * step))
    quick, sizes = [round(size) for size in exact], [round(larger * size) for size in exact]
    image = np.zeros((512, 768, 3), np.uint8)
    codec = Sized(sizes, (bpp, factor), twin=Sized(quick, (bpp, factor)))
    assert encode_within(codec, image, Bytes(target)) == encode_within(Sized(sizes, None), image, Bytes(target))
    assert codec.made <= 7  # a tenth more is up to five steps here
    same = Sized(quick, (bpp, factor), twin=Sized(quick, (bpp, factor)))
    encode_within(same, image, Bytes(target))
    assert same.made <= 2


class Nothing(Filter):
    name, title = "nothing", "Nothing"

    def apply(self, image: ImageU8, data: bytes | None = None) -> ImageU8:
        return image


def test_a_filtered_codec_searches_from_its_codecs_quick_twin() -> None:
    made, sizes = [], [10, 20, 40, 80, 160, 320]
    for filters in ([], [Nothing()]):
        codec = Sized(sizes, (3.0, 2), twin=Sized(sizes, (3.0, 2)))
        searched: Codec = FilteredCodec(codec, filters) if filters else codec
        assert len(encode_within(searched, IMAGE, Bytes(90)).data) == 80
        made.append(codec.made)
    assert made == [2, 2]


def test_a_filtered_codec_hands_on_everything_that_a_codec_states() -> None:
    by_decompress = {"decode", "decode_noted"}
    stated = {name for name in vars(Codec) if not name.startswith("_")} - by_decompress
    filtered = FilteredCodec(Sized([1], None), [Nothing()])
    assert not stated - set(vars(FilteredCodec)) - set(vars(filtered))
