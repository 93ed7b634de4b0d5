"""Checkpoint formats of Vision Transformers, recognised by their keys and renamed to timm's.

timm and Hugging Face (.safetensors, .pth, .bin), torchvision (.pth), Google's .npz (Dosovitskiy et al.), and
pytorch_pretrained_vit (.pth), the thesis's. Files are read as `weights.checkpoint` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitiq.errors import WeightsError
from vitiq.weights.checkpoint import checked_tensors, read_checkpoint

State = dict[str, Tensor]


def read_state(path: Path) -> State:
    """Tensors of a checkpoint file, unwrapped from `state_dict`, `model` and `module.`.

    Raises:
        WeightsError: missing, empty, truncated, no checkpoint, or with numbers that are not finite.
    """
    loaded: Any = read_checkpoint(path)
    for key in ("state_dict", "model", "model_state_dict", "state_dict_ema"):
        if isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    tensors = checked_tensors(path, loaded)
    return {re.sub(r"^module\.", "", name): value for name, value in tensors.items()}


def to_timm(state: State, name: str) -> tuple[str, State]:
    """Format found, and the tensors under timm's names.

    Raises:
        WeightsError: no known layout.
    """
    for form, (mark, convert) in FORMATS.items():
        if mark in state:
            try:
                return form, convert(state)
            except KeyError as error:
                raise WeightsError(f"{name}: looks like {form}, but tensor {error} is missing") from error
    first = ", ".join(list(state)[:3])
    raise WeightsError(
        f"{name}: no Vision Transformer layout vitiq knows (first tensors: {first}); "
        f"expected one of {', '.join(FORMATS)}"
    )


def _rename(state: State, rules: Mapping[str, str], elsewhere: str = "") -> State:
    """Tensors renamed by the rule that matches their whole name.

    A tensor that no rule knows keeps its name, so that a network with a part ours lacks is refused, not misread.

    Args:
        elsewhere: names of tensors that are used in another way, or not needed for labels.
    """
    out: State = {}
    for name, value in state.items():
        if elsewhere and re.fullmatch(elsewhere, name):
            continue
        found = next((pattern for pattern in rules if re.fullmatch(pattern, name)), None)
        out[name if found is None else re.sub(found, rules[found], name)] = value
    return out


def _fuse(blocks: int, parts: Callable[[int, str], tuple[Tensor, Tensor, Tensor]]) -> State:
    """Fused qkv weights and biases of all blocks."""
    return {
        f"blocks.{i}.attn.qkv.{kind}": torch.cat(parts(i, kind)) for i in range(blocks) for kind in ("weight", "bias")
    }


def _depth(state: State, pattern: str) -> int:
    found = [int(m.group(1)) for name in state if (m := re.match(pattern, name))]
    return max(found, default=-1) + 1


def _timm(state: State) -> State:
    return dict(state)


def _hugging_face(state: State) -> State:
    layer = r"(?:vit|deit)\.encoder\.layer\.(\d+)\."
    out = _rename(
        state,
        {
            r"(?:vit|deit)\.embeddings\.cls_token": "cls_token",
            r"deit\.embeddings\.distillation_token": "dist_token",
            r"(?:vit|deit)\.embeddings\.position_embeddings": "pos_embed",
            r"(?:vit|deit)\.embeddings\.patch_embeddings\.projection\.(\w+)": r"patch_embed.proj.\1",
            layer + r"layernorm_before\.(\w+)": r"blocks.\1.norm1.\2",
            layer + r"layernorm_after\.(\w+)": r"blocks.\1.norm2.\2",
            layer + r"attention\.output\.dense\.(\w+)": r"blocks.\1.attn.proj.\2",
            layer + r"intermediate\.dense\.(\w+)": r"blocks.\1.mlp.fc1.\2",
            layer + r"output\.dense\.(\w+)": r"blocks.\1.mlp.fc2.\2",
            r"(?:vit|deit)\.layernorm\.(\w+)": r"norm.\1",
            r"(?:cls_)?classifier\.(\w+)": r"head.\1",
            r"distillation_classifier\.(\w+)": r"head_dist.\1",
        },
        layer + r"attention\.attention\.(?:query|key|value)\.\w+|(?:vit|deit)\.(?:pooler\.|embeddings\.mask_token).*",
    )
    root = "vit" if "vit.embeddings.cls_token" in state else "deit"

    def parts(i: int, kind: str) -> tuple[Tensor, Tensor, Tensor]:
        base = f"{root}.encoder.layer.{i}.attention.attention."
        q, k, v = (state[f"{base}{part}.{kind}"] for part in ("query", "key", "value"))
        return q, k, v

    return out | _fuse(_depth(state, layer), parts)


def _torchvision(state: State) -> State:
    layer = r"encoder\.layers\.encoder_layer_(\d+)\."
    return _rename(
        state,
        {
            "class_token": "cls_token",
            r"encoder\.pos_embedding": "pos_embed",
            r"conv_proj\.(\w+)": r"patch_embed.proj.\1",
            layer + r"ln_1\.(\w+)": r"blocks.\1.norm1.\2",
            layer + r"self_attention\.in_proj_(weight|bias)": r"blocks.\1.attn.qkv.\2",
            layer + r"self_attention\.out_proj\.(\w+)": r"blocks.\1.attn.proj.\2",
            layer + r"ln_2\.(\w+)": r"blocks.\1.norm2.\2",
            layer + r"mlp\.(?:linear_1|0)\.(\w+)": r"blocks.\1.mlp.fc1.\2",
            layer + r"mlp\.(?:linear_2|3)\.(\w+)": r"blocks.\1.mlp.fc2.\2",
            r"encoder\.ln\.(\w+)": r"norm.\1",
            r"heads\.head\.(\w+)": r"head.\1",
        },
    )


def _pretrained_vit(state: State) -> State:
    layer = r"transformer\.blocks\.(\d+)\."
    out = _rename(
        state,
        {
            "class_token": "cls_token",
            r"positional_embedding\.pos_embedding": "pos_embed",
            r"patch_embedding\.(\w+)": r"patch_embed.proj.\1",
            layer + r"(norm[12])\.(\w+)": r"blocks.\1.\2.\3",
            layer + r"proj\.(\w+)": r"blocks.\1.attn.proj.\2",
            layer + r"pwff\.(fc[12])\.(\w+)": r"blocks.\1.mlp.\2.\3",
            r"norm\.(\w+)": r"norm.\1",
            r"fc\.(\w+)": r"head.\1",
        },
        layer + r"attn\.proj_[qkv]\.\w+",
    )

    def parts(i: int, kind: str) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (state[f"transformer.blocks.{i}.attn.proj_{part}.{kind}"] for part in "qkv")
        return q, k, v

    return out | _fuse(_depth(state, layer), parts)


def _google(state: State) -> State:
    """Flax layout: kernels are input × output, attention is split by head."""
    block = "Transformer/encoderblock_{}/"
    out: State = {
        "cls_token": state["cls"],
        "pos_embed": state["Transformer/posembed_input/pos_embedding"],
        "patch_embed.proj.weight": state["embedding/kernel"].permute(3, 2, 0, 1),
        "patch_embed.proj.bias": state["embedding/bias"],
        "norm.weight": state["Transformer/encoder_norm/scale"],
        "norm.bias": state["Transformer/encoder_norm/bias"],
        "head.weight": state["head/kernel"].T,
        "head.bias": state["head/bias"],
    }
    if "pre_logits/kernel" in state:  # a layer before the head of ImageNet-21k, which ours lacks: refused by this name
        out["pre_logits"] = state["pre_logits/kernel"]
    for i in range(_depth(state, r"Transformer/encoderblock_(\d+)/")):
        source, target = block.format(i), f"blocks.{i}."
        width = state[source + "LayerNorm_0/scale"].shape[0]
        attention = source + "MultiHeadDotProductAttention_1/"
        out[target + "attn.qkv.weight"] = torch.cat(
            [state[f"{attention}{part}/kernel"].reshape(width, width).T for part in ("query", "key", "value")]
        )
        out[target + "attn.qkv.bias"] = torch.cat(
            [state[f"{attention}{part}/bias"].reshape(width) for part in ("query", "key", "value")]
        )
        out[target + "attn.proj.weight"] = state[attention + "out/kernel"].reshape(width, width).T
        out[target + "attn.proj.bias"] = state[attention + "out/bias"]
        for norm, name in (("LayerNorm_0", "norm1"), ("LayerNorm_2", "norm2")):
            out[f"{target}{name}.weight"] = state[f"{source}{norm}/scale"]
            out[f"{target}{name}.bias"] = state[f"{source}{norm}/bias"]
        for dense, name in (("Dense_0", "fc1"), ("Dense_1", "fc2")):
            out[f"{target}mlp.{name}.weight"] = state[f"{source}MlpBlock_3/{dense}/kernel"].T
            out[f"{target}mlp.{name}.bias"] = state[f"{source}MlpBlock_3/{dense}/bias"]
    return out


FORMATS: dict[str, tuple[str, Callable[[State], State]]] = {
    "timm": ("patch_embed.proj.weight", _timm),
    "Hugging Face ViT": ("vit.embeddings.cls_token", _hugging_face),
    "Hugging Face DeiT": ("deit.embeddings.cls_token", _hugging_face),
    "torchvision": ("conv_proj.weight", _torchvision),
    "pytorch_pretrained_vit": ("patch_embedding.weight", _pretrained_vit),
    "Google npz": ("embedding/kernel", _google),
}
"""Format -> the tensor that gives it away, and the conversion."""
