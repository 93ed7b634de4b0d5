"""Vision Transformer and DeiT, with the parameter names of timm, so that its checkpoints load as they are.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words", section 3.1 and Table 1 (arXiv 2010.11929); Touvron et al.
2021, "Training data-efficient image transformers", Table 1 (arXiv 2012.12877).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vitiq.errors import InputError, WeightsError
from vitiq.models.device import exact_convolutions

Positions = Literal["learned", "sincos"]
"""Learned (Dosovitskiy et al.), or the fixed 2-D sines and cosines of MoCo v3 and MAE."""


@dataclass(frozen=True, slots=True)
class ViTConfig:
    """Shape of a Vision Transformer.

    Attributes:
        image_size: side of the square input in pixels; a multiple of `patch`.
        patch: side of a patch in pixels.
        width: token width D.
        depth: transformer blocks.
        heads: attention heads; must divide `width`.
        classes: labels of the head.
        mlp_ratio: hidden units of the MLP over `width`.
        positions: of the patches.
        distilled: a second token and head, taught by another network; labels are the mean of both (DeiT, section 3).
    """

    image_size: int = 224
    patch: int = 16
    width: int = 192
    depth: int = 12
    heads: int = 3
    classes: int = 1000
    mlp_ratio: float = 4.0
    positions: Positions = "learned"
    distilled: bool = False

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.image_size // self.patch

    @property
    def prefix(self) -> int:
        """Tokens before the patches': the class token, and the distillation token if there is one."""
        return 2 if self.distilled else 1

    @property
    def late_blocks(self) -> range:
        """Blocks of the later half (0-based)."""
        return range(self.depth // 2, self.depth)


SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}
"""Width, depth and heads: Ti and S from DeiT (Table 1), B, L and H from Dosovitskiy et al. (Table 1)."""


def named_config(name: str, *, classes: int = 1000) -> ViTConfig:
    """Shape behind a published name such as `vit_tiny_patch16_224` or `deit_small_patch16_224`.

    Args:
        name: `vit` or `deit`, a size of `SIZES`, the patch side and the image side in pixels; a tag after a
            dot, which names how timm's weights were trained, is ignored.
        classes: labels of the head.

    Raises:
        WeightsError: the name is not of this form.
    """
    match = re.fullmatch(rf"(?:vit|deit)_({'|'.join(SIZES)})_patch(\d+)_(\d+)(?:\..+)?", name)
    if match is None or int(match[2]) == 0 or int(match[3]) % int(match[2]):
        raise WeightsError(
            f"{name!r} is not the name of a Vision Transformer: expected for example vit_base_patch16_384 "
            f"or deit_tiny_patch16_224, with one of the sizes {', '.join(SIZES)}"
        )
    width, depth, heads = SIZES[match[1]]
    return ViTConfig(int(match[3]), int(match[2]), width, depth, heads, classes)


def sincos_positions(rows: int, columns: int, width: int, prefix: int = 1) -> Float[Tensor, "1 t d"]:
    """Fixed 2-D position embeddings: sines and cosines of the column, then of the row; zeros for tokens before them.

    Chen, Xie & He 2021, "An Empirical Study of Training Self-Supervised Vision Transformers", section 4.3 (arXiv
    2104.02057), with temperature 10000 as in Vaswani et al. 2017; masked autoencoders have the same (He et al. 2021,
    `util/pos_embed.py`). In Beyer et al. 2022 (arXiv 2205.01580) wavelengths end at the temperature itself: their
    exponents are i / (width / 4 - 1).

    Raises:
        InputError: width not a multiple of 4.
    """
    if width % 4:
        raise InputError(f"width {width} given, a multiple of 4 expected for sine and cosine positions")
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [side.reshape(-1, 1) * frequency for side in (column, row)]
    table = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return torch.cat([torch.zeros(prefix, width, dtype=torch.float64), table]).float()[None]


def without_distillation(tokens: Float[Tensor, "n t d"], config: ViTConfig) -> Float[Tensor, "n p d"]:
    """Class token and patch tokens."""
    return torch.cat([tokens[:, :1], tokens[:, 2:]], dim=1) if config.distilled else tokens


def stack_levels(levels: Sequence[Float[Tensor, "n t d"]], prefix: int) -> Float[Tensor, "n level p d"]:
    """Patch tokens of several depths, without the `prefix` tokens before them."""
    return torch.stack([tokens[:, prefix:] for tokens in levels], dim=1)


class Attention(nn.Module):
    """Multi-head self-attention.

    Dropout, here and below, is 0 unless a training sets it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.drop = nn.Dropout(0.0)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Tokens mixed with each other."""
        n, t, d = x.shape
        q, k, v = self._split(x)
        mixed = F.scaled_dot_product_attention(q, k, v)
        result: Tensor = self.drop(self.proj(mixed.transpose(1, 2).reshape(n, t, d)))
        return result

    def weights(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n heads t t"]:
        """Attention of every token (row) to every token, softmaxed."""
        q, k, _ = self._split(x)
        result: Tensor = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(dim=-1)
        return result

    def _split(self, x: Float[Tensor, "n t d"]) -> tuple[Tensor, Tensor, Tensor]:
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v


class Mlp(nn.Module):
    """Two linear layers with exact GELU."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.drop = nn.Dropout(0.0)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Each token by itself."""
        result: Tensor = self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))
        return result


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = Mlp(config.width, round(config.width * config.mlp_ratio))

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        x = x + self.attn(self.norm1(x))
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class PatchEmbed(nn.Module):
    """Images -> one token a patch, row by row."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, config.patch, stride=config.patch)

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n p d"]:
        """N×3×H×W -> N×(H·W/patch²)×D."""
        with exact_convolutions(x.device):
            result: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return result


class VisionTransformer(nn.Module):
    """Images, normalised as the weights expect -> logits.

    Input sides may differ from `config.image_size` by whole patches: position embeddings are interpolated.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.prefix + config.grid**2, config.width))
        self.drop = nn.Dropout(0.0)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, config.classes)
        if config.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, config.width))
            self.head_dist = nn.Linear(config.width, config.classes)
        for parameter in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(parameter, std=0.02)
        if config.positions == "sincos":
            table = sincos_positions(config.grid, config.grid, config.width, config.prefix)
            self.pos_embed = nn.Parameter(table, requires_grad=False)

    def positions(self, rows: int, columns: int) -> Float[Tensor, "1 t d"]:
        """Position embeddings of a rows × columns grid, the class token's first."""
        grid, prefix = self.config.grid, self.config.prefix
        if (rows, columns) == (grid, grid):
            return self.pos_embed
        if self.config.positions == "sincos":
            return sincos_positions(rows, columns, self.config.width, prefix).to(self.pos_embed)
        own = self.pos_embed[:, prefix:].reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        resized = F.interpolate(own, size=(rows, columns), mode="bicubic", align_corners=False, antialias=True)
        return torch.cat([self.pos_embed[:, :prefix], resized.flatten(2).transpose(1, 2)], dim=1)

    def embed(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """Tokens before the first block, class token first.

        Raises:
            InputError: a side is not a whole number of patches.
        """
        patch = self.config.patch
        if x.shape[2] % patch or x.shape[3] % patch:
            raise InputError(
                f"image of {x.shape[3]}×{x.shape[2]} pixels given to a Vision Transformer with patches of "
                f"{patch}: resize both sides to multiples of {patch}"
            )
        tokens = self.patch_embed(x)
        before = [self.cls_token, self.dist_token] if self.config.distilled else [self.cls_token]
        tokens = torch.cat([*(token.expand(len(x), -1, -1) for token in before), tokens], dim=1)
        placed: Tensor = self.drop(tokens + self.positions(x.shape[2] // patch, x.shape[3] // patch))
        return placed

    def forward_hidden(
        self, x: Float[Tensor, "n 3 h w"], blocks: Sequence[int]
    ) -> tuple[Float[Tensor, "n t d"], list[Float[Tensor, "n t d"]]]:
        """Normalised tokens, and the raw tokens after each of the blocks asked for (0-based)."""
        tokens = self.embed(x)
        hidden = []
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index in blocks:
                hidden.append(tokens)
        return self.norm(tokens), hidden

    def forward_levels(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n level p d"]:
        """Patch tokens before the first block, after each block of the later half, and after the last norm."""
        final, hidden = self.forward_hidden(x, self.config.late_blocks)
        return stack_levels([self.embed(x), *hidden, final], self.config.prefix)

    def rollout(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t t"]:
        """Attention rollout: product over the blocks of ½ A + ½ I, A the mean over heads; rows sum to 1.

        Abnar & Zuidema 2020, section 3 (arXiv 2005.00928).
        """
        tokens = self.embed(x)
        identity = torch.eye(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
        flow = identity.expand(len(x), -1, -1)
        for module in self.blocks:
            block = cast(Block, module)
            attention = block.attn.weights(block.norm1(tokens)).mean(dim=1)
            flow = (attention + identity) / 2 @ flow
            tokens = block(tokens)
        return flow

    def forward_features(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """Class token and patch tokens after the last norm."""
        return without_distillation(self.forward_hidden(x, ())[0], self.config)

    def classify(self, first: Float[Tensor, "n prefix d"]) -> Float[Tensor, "n classes"]:
        """Logits from the normalised tokens before the patches: the class token, and the distillation token if any."""
        result: Tensor = self.head(first[:, 0])
        return (result + self.head_dist(first[:, 1])) / 2 if self.config.distilled else result

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Logits from the class token, and the distillation token if there is one."""
        return self.classify(self.forward_hidden(x, ())[0][:, : self.config.prefix])
