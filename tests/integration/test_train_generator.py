"""`vitiq train generator` on images made here.

Truth: identities (the discriminator leaves the encoder alone).
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from vitiq import training
from vitiq.errors import WeightsError
from vitiq.training.crops import draw_graphic, zoomed_crop
from vitiq.training.data import ImageSet
from vitiq.training.engine import Inputs, train
from vitiq.training.generator_adversarial import FINEST
from vitiq.training.hardware import Hardware
from vitiq.training.recipes.generator import GeneratorRecipe, GeneratorTrainingConfig, TrainingCrops

CONFIGS = Path(training.__file__).parent / "configs"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five noisy images."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for k in range(5):
        Image.fromarray(rng.integers(0, 256, (90, 110, 3), dtype=np.uint8)).save(folder / f"{k}.png")
    return folder


def tensors(path: Path) -> dict[str, torch.Tensor]:
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_run_can_start_from_weights(photos: Path, tmp_path: Path) -> None:
    whole = train(GeneratorRecipe, Inputs([photos], tmp_path / "whole", smoke=True), threads=1)
    begun = train(GeneratorRecipe, Inputs([photos], tmp_path / "begun", begin=whole, smoke=True), threads=1)
    assert set(tensors(begun)) == set(tensors(whole))


def test_the_discriminator_changes_the_finest_scales_alone(photos: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int, loss: float) -> None:
        if done == GeneratorTrainingConfig.load(smoke=True).plain_steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(GeneratorRecipe, Inputs([photos], tmp_path, smoke=True), threads=1, report=interrupt)
    before = tensors(tmp_path / "generator_embedded.safetensors")
    both = train(GeneratorRecipe, Inputs([photos], tmp_path, smoke=True), threads=1)
    moved = {name for name, value in tensors(both).items() if not torch.equal(value, before[name])}
    assert moved
    assert all(name.removeprefix("synthesis.").startswith(FINEST) for name in moved)
    with (tmp_path / "log.csv").open(newline="") as file:
        discriminator = [float(row["discriminator_loss"]) for row in csv.DictReader(file) if row["discriminator_loss"]]
    assert len(discriminator) == 4
    assert discriminator[-1] < discriminator[0], "the discriminator learns"


def test_the_adversarial_phase_can_be_trained_alone(photos: Path, tmp_path: Path) -> None:
    settings, path = (CONFIGS / "generator.toml").read_text(), tmp_path / "alone.toml"
    head, tables = settings.split("\n[[phases]]", 1)
    path.write_text(f"{head}\nphases = []\n[adversarial]{tables.split('[adversarial]')[1]}")
    config = GeneratorTrainingConfig.load(path)
    assert config.steps == config.adversarial.steps
    small = msgspec.structs.replace(config.small(), phases=())
    recipe = GeneratorRecipe(small, Inputs([photos], tmp_path / "run"), Hardware(torch.device("cpu")))
    assert recipe.step(recipe.batch(0), 0)["discriminator_loss"] > 0


def test_foreign_weights_are_reported(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "foreign.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="foreign"):
        train(GeneratorRecipe, Inputs([photos], tmp_path / "run", begin=tmp_path / "foreign.safetensors", smoke=True))


def test_drawn_graphics_are_flat() -> None:
    image = draw_graphic(np.random.default_rng(3), 64)
    assert image.shape == (64, 64, 3)
    values, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
    assert len(values) > 1
    assert counts.max() > 64 * 64 / 10


def test_two_processes_share_a_batch(photos: Path, tmp_path: Path) -> None:
    images, cpu = ImageSet.open([photos], tmp_path / "cache", short_side=512), torch.device("cpu")
    crops = TrainingCrops(GeneratorTrainingConfig.load(smoke=True), images, range(5))
    whole = crops.batch(1, Hardware(cpu))
    assert whole.shape == (2, 64, 64, 3)
    for rank in (0, 1):
        assert torch.equal(whole[rank : rank + 1], crops.batch(1, Hardware(cpu, rank, 2)))


def test_training_runs_in_two_processes(photos: Path, tmp_path: Path) -> None:
    settings, half = (CONFIGS / "generator.toml").read_text(), tmp_path / "half.toml"
    half.write_text(settings.replace("vector_share = 0.12", "vector_share = 0.5"))
    assert half.read_text() != settings
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "vitiq"]
    command += ["train", "generator", "--data", str(photos), "-o", str(tmp_path), "--config", str(half), "--smoke"]
    command += ["--quiet", "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert {row["vector"] for row in rows} == {"0", "1"}
    assert (tmp_path / "generator_embedded.safetensors").exists()


def test_crops_of_large_images_are_never_enlarged() -> None:
    def slopes(short: int) -> list[float]:
        ramp = np.broadcast_to(np.arange(short, dtype=np.uint8)[None, :, None], (short, short, 3))
        crops = [zoomed_crop(np.random.default_rng(seed), np.ascontiguousarray(ramp), 64) for seed in range(40)]
        return [abs(float(crop[0, 60, 0]) - float(crop[0, 4, 0])) / 56 for crop in crops]

    downscaled = slopes(160)
    assert min(downscaled) > 0.95
    assert max(downscaled) > 1.8
    enlarged = slopes(48)
    assert max(enlarged) < 0.8
    assert min(enlarged) > 0.55


@pytest.mark.parametrize("name", ["generator", "generator_gpu"])
def test_shipped_configurations_are_read(name: str) -> None:
    config = GeneratorTrainingConfig.load(CONFIGS / f"{name}.toml")
    assert config.all_phases[-1].steps == config.adversarial.steps > 0
    assert config.plain_steps > 1000
