"""What trainings keep in their run folder is made again where it would be of something else.

Truth: views and hyper-latents that say what they were made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from training_images import write_blurred
from vitiq.errors import InputError
from vitiq.training.crops import stacked
from vitiq.training.data import ImageSet
from vitiq.training.latent_views import PART, LatentView, held_out_views, training_views
from vitiq.training.recipes.context import ContextTrainingConfig, collected
from vitiq.types import ImageU8


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    folder = tmp_path / "images"
    folder.mkdir()
    return ImageSet.open([write_blurred(folder, 3)], tmp_path / "cache", short_side=64)


def views_of(crops: Sequence[ImageU8], levels: Sequence[int]) -> list[LatentView]:
    """A view whose only symbol is its crop's first byte."""
    logits = np.zeros(4, np.float32)
    return [
        LatentView(np.full((1, 1, 1), crop[0, 0, 0], np.int16), crop.shape[0], crop.shape[1], level, logits)
        for crop, level in zip(crops, levels, strict=True)
    ]


@pytest.mark.parametrize(("first", "then"), [(PART + 3, PART + 7), (PART + 7, PART + 3), (4, PART), (PART, PART + 1)])
def test_another_number_of_views_gives_as_many_as_a_folder_of_its_own(
    images: ImageSet, tmp_path: Path, first: int, then: int
) -> None:
    def made(count: int, folder: Path) -> list[tuple[int, int, int, int]]:
        views = training_views(images, [0, 1, 2], count, (16, 24), 0, views_of, folder)
        return [(int(v.symbols[0, 0, 0]), v.height, v.width, v.level) for v in views]

    made(first, tmp_path / "kept")
    again = made(then, tmp_path / "kept")
    assert len(again) == then
    assert again == made(then, tmp_path / "fresh")


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_damaged_caches_are_made_again(images: ImageSet, tmp_path: Path, keep: int) -> None:
    def views() -> list[int]:
        return [int(v.symbols[0, 0, 0]) for v in training_views(images, [0, 1, 2], 4, (16, 24), 0, views_of, tmp_path)]

    def grids() -> dict[str, np.ndarray]:
        codec: Any = SimpleNamespace(weights_sha256="a", analyse_image=lambda *_: (None, np.full((1, 2, 2), 7)))
        return collected(images, codec, ContextTrainingConfig.load(), tmp_path)

    before = views(), grids()
    files = list(tmp_path.glob("*.npz"))
    assert len(files) == 2
    for path in files:
        data = path.read_bytes()
        # A bit of the first array, or all behind a byte.
        path.write_bytes(data[:90] + bytes([data[90] ^ 1]) + data[91:] if keep < 0 else data[:keep])
    after = views(), grids()
    assert after[0] == before[0]
    assert all(np.array_equal(after[1][name], grid) for name, grid in before[1].items())


def test_no_held_out_image_has_no_views(images: ImageSet, tmp_path: Path) -> None:
    assert held_out_views(images, [], (5, 18), views_of, tmp_path) == []
    assert [v.level for v in held_out_views(images, [0, 1], (5, 18), views_of, tmp_path)] == [5, 5, 18, 18]
    with pytest.raises(InputError, match="no image held out"):
        stacked([])


def test_hyper_latents_are_made_again_of_other_images_another_codec_or_other_qualities(
    images: ImageSet, tmp_path: Path
) -> None:
    def codec(name: str) -> Any:
        value = len(name)
        return SimpleNamespace(weights_sha256=name, analyse_image=lambda *_: (None, np.full((1, 2, 2), value)))

    def values(images: ImageSet, codec: Any, config: ContextTrainingConfig) -> tuple[int, set[int]]:
        found = collected(images, codec, config, tmp_path)
        return len(found), {int(grid[0, 0, 0]) for grid in found.values()}

    config = msgspec.structs.replace(ContextTrainingConfig.load(), qualities=2)
    assert values(images, codec("a"), config) == (6, {1})
    assert values(images, codec("ab"), config) == (6, {2})
    assert values(images, codec("a"), msgspec.structs.replace(config, qualities=3)) == (9, {1})
    folder = tmp_path / "more"
    folder.mkdir()
    more = ImageSet.open([write_blurred(folder, 4)], tmp_path / "cache of more", short_side=64)
    assert values(more, codec("a"), config) == (8, {1})
    assert len(list(tmp_path.glob("hyper-latents-*.npz"))) == 4
