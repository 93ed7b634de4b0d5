"""Checkpoint formats of Vision Transformers.

Truth: the key layouts of timm, transformers' ViTForImageClassification and DeiTForImageClassificationWithTeacher,
torchvision's vit_b_16, pytorch_pretrained_vit's B_16_imagenet1k and Google's ViT-B_16.npz: the names and shapes below
are theirs at 384 px. A network written out in any of them must be read back as itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import State, google, hugging_face, pretrained_vit, torchvision
from safetensors.torch import load_file, save_file

from vitiq.errors import WeightsError
from vitiq.image.io import read_image
from vitiq.models.backbones import load_backbone
from vitiq.models.backbones.base import Backbone
from vitiq.models.backbones.checkpoint import config_of, load_checkpoint
from vitiq.models.backbones.formats import to_timm
from vitiq.models.vit import VisionTransformer, ViTConfig, named_config, sincos_positions
from vitiq.types import ImageU8
from vitiq.weights.store import model_info

CONFIG = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=1000)
HEADS = {64: 1, 192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16}
Layout = Callable[[State], State]
LAYOUTS: dict[str, Layout] = {
    "timm": dict,
    "Hugging Face ViT": hugging_face,
    "torchvision": torchvision,
    "pytorch_pretrained_vit": pretrained_vit,
    "Google npz": lambda s: google(s, HEADS[s["norm.weight"].shape[0]]),
}

PUBLISHED: dict[str, dict[str, tuple[int, ...]]] = {
    "timm": {
        "cls_token": (1, 1, 768),
        "pos_embed": (1, 577, 768),
        "patch_embed.proj.weight": (768, 3, 16, 16),
        "blocks.11.attn.qkv.weight": (2304, 768),
        "blocks.11.attn.proj.bias": (768,),
        "blocks.11.mlp.fc1.weight": (3072, 768),
        "norm.weight": (768,),
        "head.weight": (1000, 768),
    },
    "Hugging Face ViT": {
        "vit.embeddings.cls_token": (1, 1, 768),
        "vit.embeddings.position_embeddings": (1, 577, 768),
        "vit.embeddings.patch_embeddings.projection.weight": (768, 3, 16, 16),
        "vit.encoder.layer.11.attention.attention.query.weight": (768, 768),
        "vit.encoder.layer.11.attention.output.dense.bias": (768,),
        "vit.encoder.layer.11.intermediate.dense.weight": (3072, 768),
        "vit.encoder.layer.11.layernorm_before.weight": (768,),
        "vit.layernorm.bias": (768,),
        "classifier.weight": (1000, 768),
    },
    "torchvision": {
        "class_token": (1, 1, 768),
        "conv_proj.weight": (768, 3, 16, 16),
        "encoder.pos_embedding": (1, 577, 768),
        "encoder.layers.encoder_layer_11.self_attention.in_proj_weight": (2304, 768),
        "encoder.layers.encoder_layer_11.self_attention.out_proj.weight": (768, 768),
        "encoder.layers.encoder_layer_11.mlp.0.weight": (3072, 768),
        "encoder.layers.encoder_layer_11.ln_2.bias": (768,),
        "encoder.ln.weight": (768,),
        "heads.head.weight": (1000, 768),
    },
    "pytorch_pretrained_vit": {
        "class_token": (1, 1, 768),
        "positional_embedding.pos_embedding": (1, 577, 768),
        "patch_embedding.weight": (768, 3, 16, 16),
        "transformer.blocks.11.attn.proj_q.weight": (768, 768),
        "transformer.blocks.11.proj.weight": (768, 768),
        "transformer.blocks.11.norm1.weight": (768,),
        "transformer.blocks.11.pwff.fc1.weight": (3072, 768),
        "norm.bias": (768,),
        "fc.weight": (1000, 768),
    },
    "Google npz": {
        "cls": (1, 1, 768),
        "Transformer/posembed_input/pos_embedding": (1, 577, 768),
        "embedding/kernel": (16, 16, 3, 768),
        "Transformer/encoderblock_11/MultiHeadDotProductAttention_1/query/kernel": (768, 12, 64),
        "Transformer/encoderblock_11/MultiHeadDotProductAttention_1/query/bias": (12, 64),
        "Transformer/encoderblock_11/MultiHeadDotProductAttention_1/out/kernel": (12, 64, 768),
        "Transformer/encoderblock_11/MlpBlock_3/Dense_0/kernel": (768, 3072),
        "Transformer/encoderblock_11/LayerNorm_2/scale": (768,),
        "Transformer/encoder_norm/bias": (768,),
        "head/kernel": (768, 1000),
    },
}


def network(config: ViTConfig = CONFIG) -> State:
    torch.manual_seed(0)
    state = VisionTransformer(config).state_dict()
    return {k: torch.randn_like(v) * 0.1 if k.endswith("bias") else v for k, v in state.items()}


def on_meta(name: str) -> State:
    with torch.device("meta"):
        return VisionTransformer(named_config(name)).state_dict()


def write(state: State, path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    elif path.suffix == ".npz":
        np.savez(path, **{k: v.numpy() for k, v in state.items()})  # type: ignore[arg-type]
    else:
        torch.save(state, path)
    return path


def alike(backbone: Backbone, other: Backbone) -> Backbone:
    """`backbone` with the preprocessing of `other`: formats are published with different ones."""
    labels, weights = backbone.labels, (backbone.weights_sha256, backbone.weights_bytes)
    return Backbone("same", backbone.model, labels, other.preprocessing, *weights, "float32")


@pytest.mark.parametrize("form", LAYOUTS)
def test_names_and_shapes_are_the_published_ones(form: str) -> None:
    state = LAYOUTS[form](on_meta("vit_base_patch16_384"))
    for name, shape in PUBLISHED[form].items():
        assert tuple(state[name].shape) == shape, name


@pytest.mark.parametrize("form", LAYOUTS)
@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "deit_small_patch16_224",
        "vit_base_patch32_384",
        "vit_large_patch16_224",
        "vit_huge_patch14_224",
    ],
)
def test_every_size_is_recognised_by_its_tensors(form: str, name: str) -> None:
    found, state = to_timm(LAYOUTS[form](on_meta(name)), "x")
    assert found == form
    expected = on_meta(name)
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in expected.items()}
    config = config_of({**state, "pos_embed": torch.randn(state["pos_embed"].shape)}, "x")
    assert config == named_config(name)


@pytest.mark.parametrize(
    ("form", "suffix"),
    [
        ("timm", ".safetensors"),
        ("timm", ".pth"),
        ("Hugging Face ViT", ".safetensors"),
        ("Hugging Face ViT", ".bin"),
        ("torchvision", ".pth"),
        ("pytorch_pretrained_vit", ".pth"),
        ("Google npz", ".npz"),
    ],
)
def test_formats_give_the_same_logits(tmp_path: Path, small: ImageU8, form: str, suffix: str) -> None:
    state = network()
    expected = load_checkpoint(write(state, tmp_path / "timm.safetensors"))
    found = load_checkpoint(write(LAYOUTS[form](state), tmp_path / f"other{suffix}"))
    plain = form != "torchvision"
    assert found.preprocessing.mean == ((0.5,) * 3 if plain else (0.485, 0.456, 0.406))
    assert np.array_equal(alike(found, expected).logits([small]), expected.logits([small]))
    assert found.image_size == 32


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "module"])
def test_wrapped_checkpoints_are_unwrapped(tmp_path: Path, wrapper: str) -> None:
    state = network()
    if wrapper == "module":
        torch.save({f"module.{k}": v for k, v in state.items()}, tmp_path / "x.pth")
    else:
        torch.save({wrapper: state, "epoch": 3}, tmp_path / "x.pth")
    assert load_checkpoint(tmp_path / "x.pth").image_size == 32


@pytest.mark.parametrize("form", ["timm", "Hugging Face DeiT"])
def test_distilled_deit_reads_both_heads(tmp_path: Path, small: ImageU8, form: str) -> None:
    config = ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=1000, distilled=True)
    state = network(config)
    written = state if form == "timm" else hugging_face(state)
    backbone = load_checkpoint(write(written, tmp_path / "deit_distilled.pth"))
    assert backbone.model.config == config
    assert backbone.preprocessing.mean == (0.485, 0.456, 0.406)
    model = VisionTransformer(config).eval()
    model.load_state_dict(state)
    with torch.inference_mode():
        x = backbone.normalised(torch.zeros(1, 3, 32, 32))
        first = model.forward_hidden(x, ())[0][:, :2]
        expected = (model.head(first[:, 0]) + model.head_dist(first[:, 1])) / 2
    torch.testing.assert_close(torch.from_numpy(backbone.logits([np.zeros((32, 32, 3), np.uint8)])), expected)
    assert backbone.tokens([small]).shape == (1, 1 + 4, 64), "class token and patches"
    assert backbone.rollout(small).shape == (2, 2)
    assert model(torch.zeros(1, 3, 48, 32)).shape == (1, 1000), "positions interpolated"


def test_fixed_positions_are_recognised_and_computed(tmp_path: Path) -> None:
    state = network()
    fixed = {**state, "pos_embed": sincos_positions(2, 2, 64)}
    assert load_checkpoint(write(state, tmp_path / "learned.pth")).model.config.positions == "learned"
    model = load_checkpoint(write(fixed, tmp_path / "fixed.pth")).model
    assert model.config.positions == "sincos"
    torch.testing.assert_close(model.positions(3, 5), sincos_positions(3, 5, 64))
    del fixed["pos_embed"]
    assert load_checkpoint(write(fixed, tmp_path / "without.pth")).image_size == 224


def test_damaged_files_are_reported(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".pth", ".npz"):
        state = google(network(), 1) if suffix == ".npz" else network()
        good = write(state, tmp_path / f"good{suffix}").read_bytes()
        for share in (0.3, 0.9, 0.999):
            cut = tmp_path / f"cut{suffix}"
            cut.write_bytes(good[: int(len(good) * share)])
            with pytest.raises(WeightsError, match="cut"):
                load_checkpoint(cut)
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "text.pth").write_text("not weights")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    for name in ("empty.pth", "text.pth", "gone.pth", "list.pth"):
        with pytest.raises(WeightsError, match=name):
            load_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head.bias": torch.zeros(10)}, "head.bias"),
        ({"head.weight": torch.zeros(1000, 32)}, "head.weight"),
        ({"blocks.1.mlp.fc2.weight": torch.zeros(64, 8)}, "fc2"),
        ({"pos_embed": torch.zeros(1, 7, 64)}, "6 position embeddings"),
        ({"pos_embed": torch.zeros(5)}, "lacks"),
        ({"patch_embed.proj.weight": torch.zeros(60, 3, 16, 16)}, "width 60"),
        ({"reg_token": torch.zeros(1, 4, 64)}, "reg_token"),
        ({"blocks.0.ls1.gamma": torch.zeros(64)}, "ls1"),
        ({"pre_logits.fc.weight": torch.zeros(64, 64)}, "pre_logits"),
        ({"norm.weight": None}, "norm.weight"),
        ({"head.weight": None, "head.bias": None}, "head"),
        ({"blocks.0.attn.qkv.weight": None}, "qkv"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, change: State, said: str) -> None:
    state = {k: v for k, v in {**network(), **change}.items() if v is not None}
    with pytest.raises(WeightsError, match=rf"x\.pth.*{said}"):
        load_checkpoint(write(state, tmp_path / "x.pth"))


@pytest.mark.parametrize("form", ["Hugging Face ViT", "torchvision", "pytorch_pretrained_vit", "Google npz"])
def test_other_formats_with_missing_or_foreign_parts_are_reported(tmp_path: Path, form: str) -> None:
    whole = LAYOUTS[form](network())
    suffix = ".npz" if form == "Google npz" else ".pth"
    missing = next(
        k for k in whole if "query/kernel" in k or "query.weight" in k or "proj_q.weight" in k or "in_proj_w" in k
    )
    short = {k: v for k, v in whole.items() if k != missing}
    foreign = {**whole, "pre_logits/kernel" if form == "Google npz" else "pre_logits.weight": torch.zeros(64, 64)}
    for state in (short, foreign):
        with pytest.raises(WeightsError, match="x"):
            load_checkpoint(write(state, tmp_path / f"x{suffix}"))


def test_other_networks_are_reported(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(2), "layer1.0.bn1.weight": torch.zeros(2)}, tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match=r"resnet\.pth: no Vision Transformer layout.*conv1\.weight.*Google npz"):
        load_checkpoint(tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match="--weights PATH"):
        load_checkpoint(None)


def test_a_fetched_checkpoint_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    info = model_info("vit-b16-224-torchvision")
    with pytest.raises(WeightsError, match=f"`vitiq models fetch {info.name}`"):
        load_backbone(weights=Path(info.name))
    path = write(torchvision(network()), tmp_path / info.file)
    found = load_backbone(weights=Path(info.name))
    assert found.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found is load_backbone(weights=path)
    assert load_backbone(weights=Path("vit-embedded")) is load_backbone()
    # A file of that name comes first.
    own = tmp_path / "deit-small-224"
    torch.save(network(), own)
    assert load_backbone(weights=Path(own.name)).weights_sha256 == hashlib.sha256(own.read_bytes()).hexdigest()


@pytest.mark.parametrize("form", LAYOUTS)
def test_real_weights_name_real_images_in_every_format(
    vitiq_data: Path, bundled: dict[str, ImageU8], tmp_path: Path, form: str
) -> None:
    source = vitiq_data / "weights" / "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors"
    suffix = ".npz" if form == "Google npz" else ".pth"
    found = load_checkpoint(write(LAYOUTS[form](load_file(source)), tmp_path / f"real{suffix}"))
    expected = load_checkpoint(source)
    images = [bundled["animal"], read_image(vitiq_data / "kodak_odd" / "kodim23.png")]
    logits = alike(found, expected).logits(images)
    assert np.array_equal(logits, expected.logits(images))
    best = [{expected.labels[i] for i in row.argsort()[-3:]} for row in logits]
    assert best[0] & {"tabby", "tiger cat", "Egyptian cat"}
    assert "macaw" in best[1]


def test_the_real_deit_names_real_images(vitiq_data: Path, bundled: dict[str, ImageU8]) -> None:
    backbone = load_backbone(weights=vitiq_data / "weights" / "deit_tiny_patch16_224.safetensors")
    assert backbone.preprocessing.mean == (0.485, 0.456, 0.406)
    images = [bundled["animal"], read_image(vitiq_data / "kodak_odd" / "kodim23.png")]
    best = [{backbone.labels[i] for i in row.argsort()[-3:]} for row in backbone.logits(images)]
    assert best[0] & {"tabby", "tiger cat", "Egyptian cat"}
    assert "macaw" in best[1]


def test_the_embedded_vit_reads_the_cat(bundled: dict[str, ImageU8]) -> None:
    backbone = load_backbone()
    best = {backbone.labels[i] for i in backbone.logits([bundled["animal"]])[0].argsort()[-5:]}
    assert best & {"tabby", "tiger cat", "Egyptian cat"}
    assert len(backbone.labels) == 1000


def test_a_plug_ins_backbone_states_its_package_and_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "own_vit-1.5.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-vit\nVersion: 1.5\n")
    (metadata / "entry_points.txt").write_text("[vitiq.backbones]\nown-vit = own_vit:load\n")
    (tmp_path / "own_vit.py").write_text(
        "from vitiq.models.backbones import load_backbone\n\ndef load(path=None):\n    return load_backbone()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = load_backbone().signature()
    assert load_backbone("own-vit").signature() == f"{own}|own-vit 1.5"
    assert load_backbone().signature() == own
    placed = load_backbone("own-vit").on(torch.device("meta"))
    assert placed.signature().endswith("|float32|own-vit 1.5"), "a copy on a device is the plug-in's too"


def test_a_copy_on_a_device_is_what_it_was_and_leaves_the_first_as_it_was() -> None:
    class Own(Backbone):
        pass

    first = copy(load_backbone())
    first.__class__ = Own
    placed = first.on(torch.device("meta"))
    assert type(placed) is Own
    assert {parameter.device.type for parameter in placed.model.parameters()} == {"meta"}
    assert {parameter.device.type for parameter in first.model.parameters()} == {"cpu"}
    assert (first.device.type, placed.device.type) == ("cpu", "meta")
