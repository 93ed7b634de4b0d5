"""The packed engine. Truth: the same network as plain modules, to the precision of bfloat16 (8 bits) or float32."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vitiq.models.backbones import packed
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.backbones.packed import PackedLinear, PackedViT
from vitiq.models.backbones.precision import choose_precision, label_overlap, native_bfloat16, probe_images
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.types import ImageU8

CONFIG = ViTConfig(image_size=64, patch=16, width=128, depth=4, heads=2, classes=50)


def network() -> VisionTransformer:
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG).eval().requires_grad_(False)
    for block in model.blocks:
        torch.nn.init.normal_(block.attn.qkv.bias, std=0.3)  # type: ignore[union-attr, arg-type]
    return model


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.05), (torch.float32, 5e-5)])
@pytest.mark.parametrize("onednn", [True, False])
def test_every_output_is_the_networks(
    onednn: bool, dtype: torch.dtype, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not onednn:
        monkeypatch.setattr(packed, "_packer", lambda _: None)
    model, x = network(), torch.randn(3, 3, 64, 96)
    fast = PackedViT(model, dtype)
    with torch.inference_mode():
        pairs = [
            (fast.forward_features(x), model.forward_features(x)),
            (fast.forward_class(x), model.forward_hidden(x, ())[0][:, :1]),
            (fast.forward_levels(x), model.forward_levels(x)),
            (fast.forward_hidden(x, (1, 3))[1][1], model.forward_hidden(x, (1, 3))[1][1]),
        ]
    for ours, exact in pairs:
        assert ours.dtype == torch.float32
        assert float((ours - exact).abs().max()) < most
        assert float((ours - exact).square().mean().sqrt()) < most / 5


def test_the_class_token_alone_is_that_of_all_tokens() -> None:
    model, x = network(), torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        first = PackedViT(model, torch.float32).forward_class(x)
        torch.testing.assert_close(first[:, 0], model.forward_features(x)[:, 0])
        torch.testing.assert_close(model.classify(first), model(x))


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.02), (torch.float32, 1e-4)])
def test_a_linear_layer_by_hand(dtype: torch.dtype, most: float) -> None:
    layer = PackedLinear(torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([0.5, 0.0]), dtype)
    x = torch.tensor([[1.0, 1.0]])
    assert layer(x).tolist() == [[3.5, -1.0]]
    assert layer(x, gelu=True)[0].tolist() == pytest.approx([3.4992, -0.1587], abs=most)  # x Φ(x)


@pytest.mark.parametrize("table", [1, 2 * 16**2, 7 * 16**2, 2**20])
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e3])
def test_attention_of_any_grouping_and_range(table: int, offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """`offset` is added to every q·k: the powers of two alone would be infinite, or all zero."""
    monkeypatch.setattr(packed, "TABLE", table)
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(5, 13, 3, 3, 8, generator=generator)
    qkv[:, :, 0, :, 0], qkv[:, :, 1, :, 0] = offset, 1
    qkv = qkv.bfloat16()
    q, k, v = qkv.float().permute(2, 0, 3, 1, 4)
    expected = torch.softmax(q @ k.transpose(-1, -2) * math.log(2), dim=-1) @ v
    ours = packed.attend(qkv.flatten(2), 3)
    assert ours.shape == (5, 13, 24)
    assert float((ours.float() - expected.transpose(1, 2).flatten(2)).abs().max()) < 0.05


def test_the_rule_keeps_small_networks_and_label_sets() -> None:
    model = network()
    assert choose_precision(model) == "float32"
    probes = probe_images(64)
    assert probes.shape == (8, 3, 64, 64)
    assert float(probes.abs().max()) <= 1
    assert label_overlap(model, probes) > 0.9


def test_large_networks_take_bfloat16_where_it_keeps_the_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    from vitiq.models.backbones import precision

    monkeypatch.setattr(precision, "LARGE", 1)
    monkeypatch.setattr(precision, "native_bfloat16", lambda: True)
    for keeps, expected in ((0.989, "float32"), (0.99, "bfloat16")):
        monkeypatch.setattr(precision, "label_overlap", lambda *_, keeps=keeps: keeps)
        assert choose_precision(network()) == expected
    monkeypatch.setattr(precision, "native_bfloat16", lambda: False)
    assert choose_precision(network()) == "float32"
    assert isinstance(native_bfloat16(), bool)


def test_the_precision_stands_in_the_signature(small: ImageU8) -> None:
    def backbone(precision: str) -> Backbone:
        labels = tuple(f"class {i}" for i in range(50))
        return Backbone("x", network(), labels, Preprocessing(64), "0" * 64, 0, precision)  # type: ignore[arg-type]

    exact, fast = backbone("float32"), backbone("bfloat16")
    assert exact.signature().endswith("|float32")
    assert fast.signature().endswith("|bfloat16")
    assert np.abs(exact.logits([small]) - fast.logits([small])).max() < 0.05
    assert np.abs(exact.tokens([small]) - fast.tokens([small])).max() < 0.1
