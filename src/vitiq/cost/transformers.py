"""Parameters and operations of Vision Transformers, by formula and counted.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", section 3.1 (arXiv 2010.11929). A multiplication with an
addition is two operations (FLOPs); papers that speak of "GFLOPs" of a ViT often count them as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vitiq.errors import InputError

SIZES: dict[str, tuple[int, int, int]] = {
    "ti": (192, 12, 3),
    "s": (384, 12, 6),
    "b": (768, 12, 12),
    "l": (1024, 24, 16),
    "h": (1280, 32, 16),
    "g": (1536, 40, 24),
}
"""Width, depth and heads. Ti and S: DeiT, Table 1; B, L, H: Dosovitskiy et al., Table 1; g: DINOv2, Table 17, whose
SwiGLU has about as many weights as the MLP counted here."""


@dataclass(frozen=True, slots=True)
class Transformer:
    """Shape of a Vision Transformer.

    Attributes:
        name: as given.
        width: of a token.
        depth: blocks.
        heads: of the attention.
        patch: side of a patch in pixels.
        side: of the square input in pixels, a multiple of `patch`.
        classes: labels of the head.
    """

    name: str
    width: int
    depth: int
    heads: int
    patch: int
    side: int = 224
    classes: int = 1000

    @property
    def tokens(self) -> int:
        """Patches and the class token."""
        return (self.side // self.patch) ** 2 + 1


def parse_transformer(text: str, side: int = 224, *, others: Sequence[str] = ()) -> Transformer:
    """The shape behind `vit-h/14` or `deit-s/16`, with a head of 1000 labels.

    Args:
        text: the name.
        side: of the square input in pixels.
        others: what else could have been given, for the error.

    Raises:
        InputError: not of that form, or a side that patches do not fill.

    Example:
        >>> parse_transformer("vit-h/14").tokens
        257
    """
    match = re.fullmatch(rf"(?:vit|deit)-({'|'.join(SIZES)})/(\d{{1,3}})", text.lower())
    if match is None or int(match[2]) == 0:
        sizes = ", ".join(SIZES)
        or_else = f"; or one of {', '.join(others)}" if others else ""
        raise InputError(
            f"model {text!r} given, expected for example vit-h/14: a size of {sizes} and the side of a patch{or_else}"
        )
    patch = int(match[2])
    if side % patch or side < patch:
        raise InputError(f"images of {side} pixels per side given, a multiple of the patch side {patch} expected")
    return Transformer(text, *SIZES[match[1]], patch, side, 1000)


def parameters(model: Transformer) -> int:
    """Weights and biases, with positions, class token and head.

    Example:
        >>> round(parameters(parse_transformer("vit-b/16")) / 1e6, 1)
        86.6
    """
    d = model.width
    embedding = 3 * model.patch**2 * d + d + (model.tokens + 1) * d
    block = 12 * d * d + 13 * d  # 4d² attention, 8d² MLP; their biases and two norms
    return embedding + model.depth * block + 2 * d + d * model.classes + model.classes


def forward_flops(model: Transformer, tokens: int | None = None) -> int:
    """Operations of one image through the network, two for each multiplication with addition.

    Args:
        tokens: that the blocks see; all if not given (a masked autoencoder's encoder sees a part).

    Example:
        >>> round(forward_flops(parse_transformer("vit-h/14")) / 2e9, 1)
        167.3
    """
    d, n = model.width, model.tokens if tokens is None else tokens
    embedding = (model.tokens - 1) * 3 * model.patch**2 * d
    block = 12 * n * d * d + 2 * n * n * d
    return 2 * (embedding + model.depth * block + d * model.classes)


def counted(model: Transformer) -> tuple[int, int]:
    """Parameters and operations of one image, counted by torch on a network without numbers (the meta device)."""
    import torch  # noqa: PLC0415 - heavy
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

    from vitiq.models.vit import VisionTransformer, ViTConfig  # noqa: PLC0415

    shape = ViTConfig(model.side, model.patch, model.width, model.depth, model.heads, model.classes)
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network = VisionTransformer(shape)
        network(torch.empty(1, 3, model.side, model.side))
    return sum(weight.numel() for weight in network.parameters()), int(counter.get_total_flops())
