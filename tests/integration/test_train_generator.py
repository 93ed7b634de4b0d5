"""`vitiq train generator` on pictures made here.

Truth: identities (an interrupted run ends where an uninterrupted one does; the critic leaves the encoder alone).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from vitiq.errors import InputError, WeightsError
from vitiq.training.crops import draw_graphic
from vitiq.training.generator import load_config, train_generator
from vitiq.training.generator_adversarial import PAINTERS


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five noisy pictures."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for k in range(5):
        Image.fromarray(rng.integers(0, 256, (90, 110, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    return folder


def tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_an_interrupted_run_ends_where_a_whole_one_does(photos: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, loss: float) -> None:
        if done == 5:
            raise KeyboardInterrupt

    whole = tensors(train_generator(None, [photos], tmp_path / "whole", smoke=True, threads=1))
    with pytest.raises(KeyboardInterrupt):
        train_generator(None, [photos], tmp_path / "cut", smoke=True, threads=1, report=interrupt)
    resumed = tensors(train_generator(None, [photos], tmp_path / "cut", smoke=True, threads=1))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    begun = train_generator(
        None, [photos], tmp_path / "begun", begin=tmp_path / "whole" / "generator_embedded.safetensors", smoke=True
    )
    assert set(tensors(begun)) == set(whole)


def test_the_critic_changes_the_finest_scales_alone(photos: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, loss: float) -> None:
        if done == load_config(smoke=True).plain_steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_generator(None, [photos], tmp_path, smoke=True, threads=1, report=interrupt)
    before = tensors(tmp_path / "generator_embedded.safetensors")
    both = train_generator(None, [photos], tmp_path, smoke=True, threads=1)
    moved = {name for name, value in tensors(both).items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.removeprefix("synthesis.").startswith(PAINTERS) for name in moved)
    with (tmp_path / "log.csv").open(newline="") as file:
        critic = [float(row["critic_loss"]) for row in csv.DictReader(file) if row["critic_loss"]]
    assert len(critic) == 4
    assert critic[-1] < critic[0], "the critic learns"


def test_foreign_weights_are_told(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="foreign"):
        train_generator(None, [photos], tmp_path / "run", begin=tmp_path / "foreign.safetensors", smoke=True)


def test_drawn_graphics_are_flat() -> None:
    picture = draw_graphic(np.random.default_rng(3), 64)
    assert picture.shape == (64, 64, 3)
    values, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    assert len(values) > 1
    assert counts.max() > 64 * 64 / 10


def test_bad_configurations_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load_config(tmp_path / "nowhere.toml")
