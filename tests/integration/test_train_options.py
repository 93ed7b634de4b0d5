"""Fixed positions, dropout and label smoothing in `vitiq train vit|classifier|transgan`.

Truth: the formula of the masked autoencoder's positions (He et al. 2021, util/pos_embed.py of the official code);
torch's own label smoothing; identities (what is off changes nothing; a cut run ends with the bytes of a whole one).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from smoke_trainings import Train, smoke_trainings
from training_images import write_gradients
from vitiq.errors import InputError, WeightsError
from vitiq.models.backbones import load_backbone
from vitiq.models.vit import VisionTransformer, ViTConfig, sincos_positions
from vitiq.training.config import TrainingConfig
from vitiq.training.recipes import classifier, codec, transgan, vit
from vitiq.training.student import export_weights, prune, set_dropout, start_from
from vitiq.training.teachers import soft_loss

CONFIGS = Path(codec.__file__).parents[1] / "configs"
KINDS: dict[str, type[TrainingConfig]] = {
    "vit": vit.VitTrainingConfig,
    "classifier": classifier.ClassifierTrainingConfig,
    "transgan": transgan.TransGanConfig,
}
SMALL = ViTConfig(image_size=64, patch=16, width=64, depth=4, heads=1, classes=10)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Train]:
    return smoke_trainings(tmp_path_factory.mktemp("weights"), write_gradients(tmp_path_factory.mktemp("photos")))


def written(model: str, folder: Path, **changed: str) -> Path:
    """The shipped configuration with other values, in a file."""
    text = (CONFIGS / f"{model}.toml").read_text()
    for name, value in changed.items():
        before = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
        text = text.replace(before, f"{name} = {value}")
    path = folder / f"{'-'.join(changed)}.toml"
    path.write_text(text)
    return path


def reference_positions(width: int, side: int) -> np.ndarray:
    """The formula, number by number: a quarter each of sin and cos of the column, then of the row; first a zero row."""
    rows = [[0.0] * width]
    for row in range(side):
        for column in range(side):
            angles = [[place / 10000 ** (4 * k / width) for k in range(width // 4)] for place in (column, row)]
            rows.append([wave(angle) for own in angles for wave in (math.sin, math.cos) for angle in own])
    return np.array(rows)


@pytest.mark.parametrize(("width", "side"), [(192, 14), (64, 5), (8, 2)])
def test_fixed_positions_are_those_of_the_masked_autoencoder(width: int, side: int) -> None:
    found = sincos_positions(side, side, width)[0].numpy()
    np.testing.assert_allclose(found, reference_positions(width, side), atol=1e-6)


def test_a_student_with_fixed_positions_keeps_what_the_class_token_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = VisionTransformer(SMALL)
    student = prune(teacher, (0, 1, 3), "sincos")
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(student.embed(images)[:, 0], teacher.embed(images)[:, 0])
    patches = teacher.patch_embed(images) + sincos_positions(4, 4, 64)[:, 1:]
    torch.testing.assert_close(student.embed(images)[:, 1:], patches)
    assert [name for name, p in student.named_parameters() if not p.requires_grad] == ["pos_embed"]
    export_weights(student, 0, tmp_path / "vit.safetensors")
    loaded = load_backbone("vit", tmp_path / "vit.safetensors").model
    assert loaded.config == student.config
    assert loaded.config.positions == "sincos"
    torch.testing.assert_close(loaded(images), student(images), atol=2e-2, rtol=2e-2)
    # Other grids are computed, not enlarged.
    torch.testing.assert_close(loaded.positions(3, 7), sincos_positions(3, 7, 64))


def test_weights_with_other_positions_are_no_start(tmp_path: Path) -> None:
    teacher = VisionTransformer(SMALL)
    for first, second in (("learned", "sincos"), ("sincos", "learned")):
        export_weights(prune(teacher, range(4), first), 0, tmp_path / "w.safetensors")  # type: ignore[arg-type]
        with pytest.raises(WeightsError, match=f'positions are {first}; set positions = "{first}"') as caught:
            start_from(prune(teacher, range(4), second), tmp_path / "w.safetensors")  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_dropout_that_is_off_changes_nothing() -> None:
    torch.manual_seed(0)
    network, images = VisionTransformer(SMALL), torch.rand(2, 3, 64, 64)
    state = torch.get_rng_state()
    read = network.eval()(images)
    assert torch.equal(network.train()(images), read)
    assert torch.equal(torch.get_rng_state(), state)
    set_dropout(network.eval(), 0.5)
    assert torch.equal(network(images), read)
    network.train()
    assert not torch.equal(network(images), network(images))
    assert network.state_dict().keys() == VisionTransformer(SMALL).state_dict().keys()


def test_half_of_the_tokens_numbers_are_dropped_and_the_rest_doubled() -> None:
    torch.manual_seed(0)
    network = VisionTransformer(SMALL)
    whole = network.eval().embed(torch.rand(8, 3, 64, 64))
    set_dropout(network.train(), 0.5)
    dropped = network.drop(whole)
    kept = dropped != 0
    assert float(kept.float().mean()) == pytest.approx(0.5, abs=0.02)
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_smoothed_labels_have_the_gradient_of_torchs(smoothing: float) -> None:
    torch.manual_seed(0)
    wanted, found = torch.randn(3, 20), torch.randn(3, 20, requires_grad=True)
    (own,) = torch.autograd.grad(soft_loss(found, wanted, 1.0, smoothing), found)
    other = F.cross_entropy(found, wanted.softmax(1), label_smoothing=smoothing)
    torch.testing.assert_close(own, torch.autograd.grad(other, found)[0])
    assert torch.equal(soft_loss(found, wanted, 2.0, 0.0), soft_loss(found, wanted, 2.0))
    even = torch.full((3, 20), 1 / 20).log()
    assert float(soft_loss(even, wanted, 1.0, 1.0)) == pytest.approx(0, abs=1e-6)


OPTIONS = {
    "vit": {"positions": '"sincos"', "dropout": "0.1", "label_smoothing": "0.1"},
    "classifier": {"dropout": "0.1", "label_smoothing": "0.1"},
    "transgan": {"dropout": "0.1", "label_smoothing": "0.1"},
}


class KilledError(Exception):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("model", list(OPTIONS))
def test_a_run_with_all_options_resumes_with_the_same_bytes(
    model: str, trainings: dict[str, Train], tmp_path: Path
) -> None:
    config = written(model, tmp_path, **OPTIONS[model])
    whole = trainings[model](tmp_path / "whole", config=config)

    def kill(done: int, steps: int, _: float) -> None:
        if done == steps - 1:
            raise KilledError

    with pytest.raises(KilledError):
        trainings[model](tmp_path / "cut", config=config, report=kill)
    torch.manual_seed(12345)
    assert trainings[model](tmp_path / "cut", config=config).read_bytes() == whole.read_bytes()
    plain = trainings[model](tmp_path / "plain", config=written(model, tmp_path, seed="2026"))
    assert plain.read_bytes() != whole.read_bytes()
    if model == "vit":
        table = load_file(whole)["pos_embed"].float()
        torch.testing.assert_close(table, sincos_positions(14, 14, 192), atol=1e-3, rtol=0)
        assert load_backbone("vit", whole).model.config.positions == "sincos"


@pytest.mark.parametrize("model", ["vit", "classifier"])
def test_a_configuration_from_before_is_that_with_all_off(
    model: str, trainings: dict[str, Train], tmp_path: Path
) -> None:
    text = (CONFIGS / f"{model}.toml").read_text()
    before = "\n".join(
        line for line in text.splitlines() if not line.startswith(("positions", "dropout", "label_smoothing"))
    )
    (tmp_path / "before.toml").write_text(before)
    assert KINDS[model].load(tmp_path / "before.toml") == KINDS[model].load()


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [(model, "dropout", value) for model in KINDS for value in ("1.0", "-0.1", "nan", '"a"')]
    + [(model, "label_smoothing", value) for model in KINDS for value in ("1.5", "-0.1", "nan")]
    + [("vit", "positions", '"rotary"')],
)
def test_values_out_of_range_are_named_in_one_line(model: str, name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=name) as caught:
        KINDS[model].load(written(model, tmp_path, **{name: value}))
    assert "\n" not in str(caught.value)
