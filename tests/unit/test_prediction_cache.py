"""Predictions kept by content. Truth: a count of the images that reach the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import vitiq
from vitiq import registry
from vitiq.errors import InputError, WeightsError
from vitiq.losses import loss
from vitiq.metrics.backbone_loss import BackboneLoss
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.models.backbones import load_backbone
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.cache import Cache, key_of
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

CONFIG = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=200)


class Counting(VisionTransformer):
    """Counts the images it embeds: each forward embeds once."""

    seen = 0

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        return super().embed(x)


def counting() -> tuple[Backbone, Counting]:
    torch.manual_seed(0)
    model = Counting(CONFIG)
    labels = tuple(f"class {i}" for i in range(200))
    return Backbone("counting", model, labels, Preprocessing(32), "0" * 64, 0), model


def versions(count: int) -> list[ImageU8]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(count)]


def test_a_sweep_of_m_reconstructions_costs_m_plus_one_forwards() -> None:
    backbone, model = counting()
    original, *rebuilt = versions(8)
    metrics = resolve_metrics("vit-topk,vit-topk@5,vit-topk-adj,vit-topk-area,vit-rbo,vit-js,vit-bc,vit-prob", backbone)
    for image in rebuilt:
        score_pair(original.copy(), image, metrics)  # content counts, not identity
    assert model.seen == 7 + 1


def test_a_batch_reads_each_different_image_once() -> None:
    backbone, model = counting()
    original, *rebuilt = versions(6)
    metric = resolve_metrics("vit-topk@20", backbone)[0]
    scores = metric.batch([original] * 5, rebuilt)  # type: ignore[attr-defined]
    assert model.seen == 6
    assert [s.value for s in scores] == [metric(original, r).value for r in rebuilt]  # type: ignore[operator]
    assert model.seen == 6


def test_the_same_pixels_in_another_shape_are_another_image() -> None:
    flat = np.arange(2 * 3 * 3, dtype=np.uint8)
    assert key_of(flat.reshape(2, 3, 3)) != key_of(flat.reshape(3, 2, 3))
    assert key_of(flat.reshape(2, 3, 3)) == key_of(flat.copy().reshape(2, 3, 3))


@pytest.mark.parametrize("limit", [1, 25, 10**6])
def test_the_longest_unused_goes_first(limit: int) -> None:
    cache, calls = Cache(limit), []

    def compute(missing: list[ImageU8]) -> list[np.ndarray]:
        calls.append(len(missing))
        return [np.full(1, float(image[0, 0, 0])) for image in missing]

    images = [np.full((1, 1, 3), i, np.uint8) for i in range(4)]
    for _ in range(2):
        assert [float(x[0]) for x in cache.get("kind", images, compute)] == [0, 1, 2, 3]
    # 8 bytes an entry: one is kept, three are, all are
    assert calls == {1: [4, 3], 25: [4, 1], 10**6: [4]}[limit]


REFUSED = {
    "image": "an array of shape (32, 32, 3) given, a list of images H×W×3 of uint8 expected; give one image as [image]",
    "'a.png'": "str given, a list of images",
    "['a.png']": "str given as an image",
    "[image / 255]": "an array of shape (32, 32, 3) and float64 given as an image",
    "[]": "an empty list of images given, one image or more expected",
    "None": "NoneType given, a list of images",
    "torch.zeros(1, 32, 32, 3)": "Tensor given, a list of images",
}


def test_what_is_no_list_of_images_is_refused() -> None:
    """Truth: the contract of `Backbone.logits`. A process of its own, as tests check annotations before."""
    code = f"""
import numpy as np, torch
from vitiq.errors import InputError
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.vit import VisionTransformer, ViTConfig
model = VisionTransformer(ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=5))
backbone = Backbone("small", model, tuple("abcde"), Preprocessing(32), "0" * 64, 0)
image = np.zeros((32, 32, 3), np.uint8)
for read in (backbone.logits, backbone.features, backbone.probabilities, backbone.tokens, backbone.levels):
    for given, said in {REFUSED!r}.items():
        try:
            read(eval(given))
        except InputError as error:
            assert said in str(error), (given, str(error))
        else:
            raise AssertionError(given)
    assert len(read([image, image])) == 2
    assert np.array_equal(read(image[None]), read((image,)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["vit-topk", "vit-prob", "vit-tiles", "vit-levels", "fid-vit"])
def test_losses_take_a_backbone_as_metrics_do(name: str, tmp_path: Path) -> None:
    shipped = Path(vitiq.__file__).parent / "weights" / "vit_embedded.safetensors"
    for given in (str(shipped), shipped, load_backbone()):
        found = loss(name, backbone=given)
        assert isinstance(found, BackboneLoss)
        assert found.backbone.weights_sha256 == load_backbone().weights_sha256
    with pytest.raises(WeightsError, match=r"x\.pth"):
        loss(name, backbone=str(tmp_path / "x.pth"))
    with pytest.raises(InputError, match=r"backbone: an empty path given, a path or what vitiq.backbone\(\) gave"):
        loss(name, backbone="")


def test_values_do_not_depend_on_what_was_read_before(bundled: dict[str, ImageU8]) -> None:
    """Truth: each image read by a network of its own. To the last bit, in batches of any size and in any order."""
    images = [np.ascontiguousarray(image[:224, :224]) for image in bundled.values()]
    images += [image[::-1].copy() for image in images]
    load = registry.load("backbones", "vit-embedded")
    for read in ("logits", "features", "tokens", "levels"):
        alone = np.stack([getattr(load(), read)([image])[0] for image in images])
        for count in (2, 3, 8):
            np.testing.assert_array_equal(getattr(load(), read)(images[:count]), alone[:count])
    a, b = images[:2]
    for name in ("vit-prob", "vit-js", "vit-bc", "vit-cls", "vit-tokens", "vit-tiles", "vit-regions", "vit-topk-area"):
        used = load()
        for one in (a, *images[5:7]):
            used.logits([one])
            used.tokens([one])
        fresh, after, batched = (resolve_metrics(name, backbone)[0] for backbone in (load(), used, load()))
        value = score_pair(a, b, [fresh])[name].value
        assert score_pair(a, b, [after])[name].value == value
        assert batched.batch([*images[3:5], a], [*images[5:7], b])[-1].value == value  # type: ignore[attr-defined]
