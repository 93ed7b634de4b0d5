"""Checkpoint layouts written out from a network of ours: timm's names to those of each format."""

from __future__ import annotations

import torch
from torch import Tensor

State = dict[str, Tensor]
KINDS = ("weight", "bias")


def depth_of(s: State) -> int:
    return 1 + max(int(name.split(".")[1]) for name in s if name.startswith("blocks."))


def hugging_face(s: State) -> State:
    """transformers' ViTForImageClassification, and DeiTForImageClassificationWithTeacher where distilled."""
    root, distilled = ("deit", True) if "dist_token" in s else ("vit", False)
    out = {
        f"{root}.embeddings.cls_token": s["cls_token"],
        f"{root}.embeddings.position_embeddings": s["pos_embed"],
        f"{root}.embeddings.patch_embeddings.projection.weight": s["patch_embed.proj.weight"],
        f"{root}.embeddings.patch_embeddings.projection.bias": s["patch_embed.proj.bias"],
    }
    if distilled:
        out["deit.embeddings.distillation_token"] = s["dist_token"]
    for kind in KINDS:
        out[f"{root}.layernorm.{kind}"] = s[f"norm.{kind}"]
        out[f"{'cls_' if distilled else ''}classifier.{kind}"] = s[f"head.{kind}"]
        if distilled:
            out[f"distillation_classifier.{kind}"] = s[f"head_dist.{kind}"]
        for i in range(depth_of(s)):
            a, b = f"{root}.encoder.layer.{i}.", f"blocks.{i}."
            for part, value in zip(("query", "key", "value"), s[f"{b}attn.qkv.{kind}"].chunk(3), strict=True):
                out[f"{a}attention.attention.{part}.{kind}"] = value.clone()
            out[f"{a}attention.output.dense.{kind}"] = s[f"{b}attn.proj.{kind}"]
            out[f"{a}intermediate.dense.{kind}"] = s[f"{b}mlp.fc1.{kind}"]
            out[f"{a}output.dense.{kind}"] = s[f"{b}mlp.fc2.{kind}"]
            out[f"{a}layernorm_before.{kind}"] = s[f"{b}norm1.{kind}"]
            out[f"{a}layernorm_after.{kind}"] = s[f"{b}norm2.{kind}"]
    return out


def torchvision(s: State) -> State:
    """torchvision's vit_b_16 and its kin."""
    out = {"class_token": s["cls_token"], "encoder.pos_embedding": s["pos_embed"]}
    for kind in KINDS:
        out[f"conv_proj.{kind}"] = s[f"patch_embed.proj.{kind}"]
        out[f"encoder.ln.{kind}"], out[f"heads.head.{kind}"] = s[f"norm.{kind}"], s[f"head.{kind}"]
        for i in range(depth_of(s)):
            a, b = f"encoder.layers.encoder_layer_{i}.", f"blocks.{i}."
            out[f"{a}self_attention.in_proj_{kind}"] = s[f"{b}attn.qkv.{kind}"]
            out[f"{a}self_attention.out_proj.{kind}"] = s[f"{b}attn.proj.{kind}"]
            out[f"{a}ln_1.{kind}"], out[f"{a}ln_2.{kind}"] = s[f"{b}norm1.{kind}"], s[f"{b}norm2.{kind}"]
            out[f"{a}mlp.0.{kind}"], out[f"{a}mlp.3.{kind}"] = s[f"{b}mlp.fc1.{kind}"], s[f"{b}mlp.fc2.{kind}"]
    return out


def pretrained_vit(s: State) -> State:
    """pytorch_pretrained_vit's B_16_imagenet1k, the thesis's."""
    out = {"class_token": s["cls_token"], "positional_embedding.pos_embedding": s["pos_embed"]}
    for kind in KINDS:
        out[f"patch_embedding.{kind}"] = s[f"patch_embed.proj.{kind}"]
        out[f"norm.{kind}"], out[f"fc.{kind}"] = s[f"norm.{kind}"], s[f"head.{kind}"]
        for i in range(depth_of(s)):
            a, b = f"transformer.blocks.{i}.", f"blocks.{i}."
            for part, value in zip("qkv", s[f"{b}attn.qkv.{kind}"].chunk(3), strict=True):
                out[f"{a}attn.proj_{part}.{kind}"] = value.clone()
            out[f"{a}proj.{kind}"] = s[f"{b}attn.proj.{kind}"]
            for name in ("norm1", "norm2"):
                out[f"{a}{name}.{kind}"] = s[f"{b}{name}.{kind}"]
            for name in ("fc1", "fc2"):
                out[f"{a}pwff.{name}.{kind}"] = s[f"{b}mlp.{name}.{kind}"]
    return out


def google(s: State, heads: int) -> State:
    """Dosovitskiy et al.'s .npz: kernels input × output, attention split by head."""
    width = s["norm.weight"].shape[0]
    out = {
        "cls": s["cls_token"],
        "Transformer/posembed_input/pos_embedding": s["pos_embed"],
        "embedding/kernel": s["patch_embed.proj.weight"].permute(2, 3, 1, 0),
        "embedding/bias": s["patch_embed.proj.bias"],
        "Transformer/encoder_norm/scale": s["norm.weight"],
        "Transformer/encoder_norm/bias": s["norm.bias"],
        "head/kernel": s["head.weight"].T,
        "head/bias": s["head.bias"],
    }
    for i in range(depth_of(s)):
        a, b = f"Transformer/encoderblock_{i}/", f"blocks.{i}."
        attention = f"{a}MultiHeadDotProductAttention_1/"
        for place, part in enumerate(("query", "key", "value")):
            out[f"{attention}{part}/kernel"] = s[f"{b}attn.qkv.weight"].chunk(3)[place].T.reshape(width, heads, -1)
            out[f"{attention}{part}/bias"] = s[f"{b}attn.qkv.bias"].chunk(3)[place].reshape(heads, -1)
        out[f"{attention}out/kernel"] = s[f"{b}attn.proj.weight"].T.reshape(heads, -1, width)
        out[f"{attention}out/bias"] = s[f"{b}attn.proj.bias"]
        for norm, name in (("LayerNorm_0", "norm1"), ("LayerNorm_2", "norm2")):
            out[f"{a}{norm}/scale"], out[f"{a}{norm}/bias"] = s[f"{b}{name}.weight"], s[f"{b}{name}.bias"]
        for dense, name in (("Dense_0", "fc1"), ("Dense_1", "fc2")):
            out[f"{a}MlpBlock_3/{dense}/kernel"] = s[f"{b}mlp.{name}.weight"].T
            out[f"{a}MlpBlock_3/{dense}/bias"] = s[f"{b}mlp.{name}.bias"]
    return {name: value if value.is_meta else torch.clone(value).contiguous() for name, value in out.items()}
