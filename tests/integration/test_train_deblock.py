"""`vitiq train deblock` on images made here.

Truth: identities (a run that was stopped ends with the bits of one that was not; weights in the file are those of the
network to the precision they are kept in).
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from training_images import write_gradients
from vitiq.errors import WeightsError
from vitiq.filters.deblock.dct import basis, to_coefficients
from vitiq.filters.deblock.embedded import EmbeddedCorrector
from vitiq.filters.deblock.filter import restore_jpeg
from vitiq.filters.deblock.network import Corrector
from vitiq.training.engine import Inputs, train
from vitiq.training.jpeg_views import code
from vitiq.training.recipes.deblock import DeblockRecipe, DeblockTrainingConfig, export_weights, relative_error
from vitiq.weights.file import steps_behind


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gradients(tmp_path_factory.mktemp("photos"), height=110, width=120)


@pytest.fixture(scope="module")
def weights(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an uninterrupted smoke run."""
    return train(DeblockRecipe, Inputs([photos], tmp_path_factory.mktemp("whole"), smoke=True), threads=1)


def test_a_stopped_run_ends_with_the_same_bits(photos: Path, weights: Path, tmp_path: Path) -> None:
    train(DeblockRecipe, Inputs([photos], tmp_path, smoke=True), threads=1, time_limit=0)
    path = train(DeblockRecipe, Inputs([photos], tmp_path, smoke=True), threads=1)
    assert path.read_bytes() == weights.read_bytes()


def test_the_log_has_losses_and_gains(weights: Path) -> None:
    head, *rows = (weights.parent / "log.csv").read_text().splitlines()
    assert head.startswith("step,loss,luma,chroma,")
    assert len(rows) == 6
    assert "luma_gain_10" in head


def test_a_run_can_start_from_weights(photos: Path, weights: Path, tmp_path: Path) -> None:
    path = train(DeblockRecipe, Inputs([photos], tmp_path, begin=weights, smoke=True), threads=1)
    assert steps_behind(path) == 2 * steps_behind(weights) == 12


def test_weights_are_kept_to_their_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Corrector()
    export_weights(model, 7, tmp_path / "w.safetensors")
    found = EmbeddedCorrector(tmp_path / "w.safetensors")
    assert found.steps_trained == 7
    for name, value in model.state_dict().items():
        step = float(value.abs().max()) / 127
        assert float((found.model.state_dict()[name] - value).abs().max()) <= 0.51 * step + 1e-6


def test_other_weights_are_refused_in_one_line(tmp_path: Path, weights: Path) -> None:
    tensors = load_file(weights)
    tensors.pop("luma.phase")
    save_file(tensors, tmp_path / "w.safetensors", {"vitiq_config": '{"format": "vitiq-deblock-1"}'})
    with pytest.raises(WeightsError, match="do not fit the correction of JPEG artefacts"):
        EmbeddedCorrector(tmp_path / "w.safetensors")


def test_the_learning_rate_rises_is_held_and_falls() -> None:
    config = DeblockTrainingConfig.load()
    first, middle, last = (config.rate(step) for step in (0, config.steps // 2, config.steps - 1))
    assert first < config.learning_rate == middle
    assert last < 2 * config.final_learning_rate


def test_perfect_offsets_have_no_error() -> None:
    torch.manual_seed(0)
    planes = 40 * torch.randn(2, 1, 16, 24)
    coded = code(planes, torch.full((2, 1, 64), 16.0))
    perfect = to_coefficients(planes) / 16 - coded.quantised
    assert float(relative_error(coded, perfect, 1.0)) < 1e-6
    assert float(relative_error(coded, torch.zeros_like(perfect), 1.0)) > 0.5


def test_training_follows_a_correction_in_one_process(photos: Path, tmp_path: Path) -> None:
    """What is kept between calls must do for both."""
    basis.cache_clear()
    jpeg = tmp_path / "a.jpg"
    Image.open(next(photos.glob("*.png"))).save(jpeg)
    restore_jpeg(jpeg.read_bytes(), "a.jpg")
    planes = torch.zeros(1, 1, 8, 8, requires_grad=True)
    torch.autograd.backward(to_coefficients(planes).sum())
    assert planes.grad is not None
