"""`vitiq train vit`: distillation on images and a teacher made here.

Truth: identities (a student that is its teacher has no loss; a mean of weights lies between them).
"""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from training_images import write_blurred
from vitiq.codecs.inversion.generators.embedded import EmbeddedGenerator
from vitiq.errors import WeightsError
from vitiq.models.backbones.base import Preprocessing
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.training.agreement import validate
from vitiq.training.data import ImageSet
from vitiq.training.engine import Inputs, train
from vitiq.training.recipes.vit import VitRecipe, VitTrainingConfig, distillation_loss
from vitiq.training.soup import mean_weights
from vitiq.training.student import export_weights, matched_blocks, prune
from vitiq.training.teachers import Teacher, blended, load_teacher, soft_loss
from vitiq.training.token_readers import TokenReaders
from vitiq.training.vit_views import TrainingViews, degrade, mixed, regenerated, view

TINY = ViTConfig(image_size=32, patch=8, width=24, depth=6, heads=3, classes=150)


def tiny_teacher() -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(TINY).eval().requires_grad_(False)
    torch.nn.init.normal_(model.head.weight)
    return model


def reading(model: VisionTransformer, mean: tuple[float, float, float] = (0.5, 0.5, 0.5)) -> Teacher:
    return Teacher(model, Preprocessing(model.config.image_size, mean))


@pytest.fixture(scope="module")
def teacher_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("teachers")
    paths: list[Path] = []
    for name in ("vit", "deit"):
        torch.manual_seed(len(paths))
        paths.append(folder / f"{name}.safetensors")
        model = VisionTransformer(ViTConfig())
        torch.nn.init.normal_(model.head.weight, std=0.1)
        save_file(model.state_dict(), paths[-1])
    return paths


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blurred(tmp_path_factory.mktemp("data"), 12)


@pytest.mark.parametrize(
    ("kept", "depth", "expected"),
    [
        ((0, 2, 4, 6, 8, 10), 12, [1, 3, 5, 7, 9, 11]),
        ((0, 1, 3, 4, 6, 7, 9, 11), 12, [0, 2, 3, 5, 6, 8, 10, 11]),
        ((0, 1, 2), 3, [0, 1, 2]),
    ],
)
def test_each_student_block_is_matched_with_the_end_of_its_stretch(
    kept: tuple[int, ...], depth: int, expected: list[int]
) -> None:
    assert matched_blocks(kept, depth) == expected


def test_a_student_that_keeps_every_block_is_its_teacher_and_has_no_loss() -> None:
    teacher = tiny_teacher()
    student = prune(teacher, range(6))
    x = torch.randn(3, 3, 32, 32)
    assert torch.equal(student(x), teacher(x))
    config = msgspec.structs.replace(VitTrainingConfig.load(), kept_blocks=tuple(range(6)))
    losses = distillation_loss(config, student, TokenReaders(1, 6, TINY.width), [reading(teacher)], x)
    assert [float(part.detach()) for part in losses] == pytest.approx([0, 0, 0], abs=1e-6)
    assert validate(student, reading(teacher), x) == pytest.approx((1.0, 1.0))


def test_a_pruned_student_has_the_kept_blocks_and_a_loss_with_gradients_everywhere() -> None:
    teacher = tiny_teacher()
    student = prune(teacher, (0, 2, 4))
    own, source = student.state_dict(), teacher.state_dict()
    assert torch.equal(own["blocks.1.mlp.fc1.weight"], source["blocks.2.mlp.fc1.weight"])
    config = msgspec.structs.replace(VitTrainingConfig.load(), kept_blocks=(0, 2, 4))
    other = reading(tiny_teacher(), mean=(0.4, 0.5, 0.6))
    readers = TokenReaders(2, 3, TINY.width)
    loss, _, distance = distillation_loss(
        config, student, readers, [reading(teacher), other], torch.randn(3, 3, 32, 32)
    )
    assert float(loss.detach()) > 0
    assert float(distance) > 0
    torch.autograd.backward(loss)
    named = (*student.named_parameters(), *readers.named_parameters())
    missing = [name for name, p in named if p.grad is None or not bool(p.grad.any())]
    assert missing == []


def test_readers_that_undo_a_turn_of_the_tokens_find_no_distance() -> None:
    torch.manual_seed(0)
    own = F.layer_norm(torch.randn(2, 5, 24), (24,))
    readers = TokenReaders(2, 1, 24)
    order = torch.randperm(24)
    away = readers.distance([own], [[own], [own[..., order]]])
    readers.get_submodule("maps.1.0").get_parameter("weight").data.copy_(torch.eye(24)[order])
    assert float(readers.distance([own], [[own], [own[..., order]]]).detach()) == pytest.approx(0, abs=1e-6)
    # A map of zeros is as far from normalised tokens as their variance, once for all tokens and once for the label's.
    assert float(away.detach()) == pytest.approx((0 + 2) / 2, rel=1e-3)


def test_mixed_views_lie_between_neighbours() -> None:
    views = torch.rand(6, 3, 8, 8)
    assert torch.equal(mixed(np.random.default_rng(0), views, 0.0), views)
    found, neighbour = mixed(np.random.default_rng(0), views, 1.0), views.roll(1, 0)
    part = (found - neighbour) / (views - neighbour)
    assert bool((part >= -1e-3).all())
    assert bool((part <= 1 + 1e-3).all())
    assert float(part.flatten(1).std(1).max()) < 1e-2
    assert float(part.mean((1, 2, 3)).std()) > 0.05


def test_training_views_are_dealt_without_changing_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    (tmp_path / "in").mkdir()
    for index in range(3):
        pixels = rng.integers(0, 256, (40 + index, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{index}.png")
    images = ImageSet.open([tmp_path / "in"], tmp_path / "cache", short_side=64)
    config = msgspec.structs.replace(VitTrainingConfig.load(), batch=12, detail_share=0.5)
    views = TrainingViews(config, images, range(3), 32)
    whole = views.batch(7, range(12))
    assert whole.shape == (12, 32, 32, 3)
    assert torch.equal(whole[1::2], views.batch(7, range(1, 12, 2)))
    assert not torch.equal(whole, views.batch(8, range(12)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    share=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_a_view_is_a_image_that_depends_on_the_seed_alone(seed: int, height: int, width: int, share: float) -> None:
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    first = view(np.random.default_rng(seed), image, 24, share)
    assert first.shape == (24, 24, 3)
    assert first.dtype == np.uint8
    assert first.flags.c_contiguous
    np.testing.assert_array_equal(first, view(np.random.default_rng(seed), image, 24, share))


def test_degradation_changes_the_image_but_not_its_mean_colour() -> None:
    low = np.random.default_rng(2).integers(60, 200, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(low).resize((64, 64), Image.Resampling.BICUBIC)
    before = np.asarray(image, dtype=np.float64)
    for seed in range(25):
        after = np.asarray(degrade(np.random.default_rng(seed), image), dtype=np.float64)
        assert after.shape == before.shape
        assert np.abs(after - before).mean() > 0.05
        np.testing.assert_allclose(after.mean((0, 1)), before.mean((0, 1)), atol=12)


def test_the_weights_file_holds_the_student(data: Path, teacher_files: list[Path], tmp_path: Path) -> None:
    whole = train(VitRecipe, Inputs([data], tmp_path, teachers=teacher_files, smoke=True))
    with safe_open(whole, "pt") as file:
        metadata = json.loads(file.metadata()["vitiq_config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert {str(value.dtype) for value in tensors.values()} == {"torch.float16"}
    assert metadata["steps"] == 4
    assert metadata["labels"] == "imagenet-1k"
    VisionTransformer(ViTConfig(**metadata["config"])).load_state_dict(tensors)


def test_the_mean_of_two_trainings_lies_in_the_middle_and_takes_one_kind_of_network(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    torch.manual_seed(0)
    for path, config in zip(paths, (TINY, TINY, replace(TINY, depth=5)), strict=True):
        export_weights(VisionTransformer(config), 3, path)
    mean_weights(paths[:2], tmp_path / "mean.safetensors")
    a, b, mean = (load_file(path) for path in (*paths[:2], tmp_path / "mean.safetensors"))
    assert mean.keys() == a.keys()
    for name, value in mean.items():
        torch.testing.assert_close(value.float(), (a[name].float() + b[name].float()) / 2, rtol=1e-3, atol=1e-4)
    with safe_open(tmp_path / "mean.safetensors", "pt") as file:
        assert json.loads(file.metadata()["vitiq_config"])["steps"] == 6
    with pytest.raises(WeightsError, match=r"c\.safetensors: another network than"):
        mean_weights([paths[0], paths[2]], tmp_path / "none.safetensors")


def test_a_checkpoint_of_another_model_is_refused(data: Path, teacher_files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt: cut short, damaged or another kind of file"):
        train(VitRecipe, Inputs([data], tmp_path, teachers=teacher_files, smoke=True))


def test_a_teacher_of_another_shape_is_refused(tmp_path: Path) -> None:
    save_file(VisionTransformer(TINY).state_dict(), tmp_path / "small.safetensors")
    for path in (tmp_path / "small.safetensors", tmp_path / "none.safetensors"):
        with pytest.raises(WeightsError, match=path.name):
            load_teacher(path)


def test_a_larger_teacher_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    save_file(VisionTransformer(replace(ViTConfig(), depth=13)).state_dict(), path)
    with pytest.raises(WeightsError, match=r"deep\.safetensors: .*a teacher must be a ViT-Ti/16 at 224 px"):
        load_teacher(path)


def test_teachers_are_heard_alike_whatever_the_scale_of_their_logits() -> None:
    a, b = torch.randn(4, 50), torch.randn(4, 50)
    alone, loud = blended([a, b]), blended([a, 9 * b + 3])
    ratio = loud / alone
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3, atol=1e-3)
    assert torch.equal(blended([a]), a)
    torch.testing.assert_close(blended([a, a]), a - a.mean(1, keepdim=True))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_soft_loss_is_zero_for_equal_labels_alone(temperature: float) -> None:
    a, b = torch.randn(4, 50), torch.randn(4, 50)
    assert float(soft_loss(a, a + 5, temperature)) == pytest.approx(0, abs=1e-5)
    assert float(soft_loss(a, b, temperature)) > 0.1


def test_each_teacher_gets_its_own_pixels() -> None:
    teacher = reading(tiny_teacher(), mean=(0.4, 0.5, 0.6))
    grey = torch.zeros(1, 3, 32, 32)
    assert teacher.prepared(grey)[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.0, -0.2], abs=1e-6)


def test_a_share_of_the_views_is_regenerated() -> None:
    views = torch.rand(6, 3, 32, 32) * 2 - 1
    generator = EmbeddedGenerator()
    assert torch.equal(regenerated(np.random.default_rng(0), views, generator, 0.0), views)
    some = regenerated(np.random.default_rng(0), views, generator, 0.5)
    changed = [not torch.equal(a, b) for a, b in zip(some, views, strict=True)]
    assert 0 < sum(changed) < 6
    assert float(some.abs().max()) <= 1
