"""TransGAN's generator: transformers only, from a latent vector to an image.

Jiang, Chang, Wang 2021, "TransGAN: Two Pure Transformers Can Make One Strong GAN, and That Can Scale Up" (arXiv
2102.07074). Names and shapes of tensors are those of the official code, VITA-Group/TransGAN at 6b85440, so that its
checkpoints load: `ViT_custom_rp` (CIFAR-10 at 32, STL-10 at 48 pixels) numbers its stages `blocks`,
`upsample_blocks.0`, …; `Celeba256_gen` and `ViT_custom_local544444_256_rp_noise` (256 pixels) name them `blocks_1`, ….

A stage is a grid of tokens, a learned position for each, and blocks of attention with relative positions and an MLP.
Between stages the grid doubles: by sub-pixel shuffling, which divides the width by four, or bicubically. From 64 tokens
a side on, attention stays within the squares of a grid.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

Norm = Literal["ln", "pn"]
"""Layer or pixel normalisation, as the official `--g_norm`."""

INDEX = "relative_position_index"
"""Buffers of the official checkpoints that are constants of the window's size; they are not read."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One grid of tokens.

    Attributes:
        width: of a token.
        depth: blocks; 0 where the official code leaves a stage out.
        side: tokens a side.
        window: side of the squares that attention stays within; `side` for attention among all.
    """

    width: int
    depth: int
    side: int
    window: int


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """All that decides the tensors of a generator.

    Attributes:
        latent: numbers in the latent vector.
        stages: coarsest first, each twice the side of the one before.
        heads: of every attention.
        norm: before attention and MLP.
        numbered: stages are called blocks_1, blocks_2, … as in the networks of 256 pixels.
        noise: attention has a strength of noise, as in the networks of 256 pixels; it is learned with, not drawn here.
        cross: blocks first attend to a second projection of the latent, as in the network of CelebA-HQ.
        smoothed: from the fifth stage on, sub-pixel shuffling follows a four-fold enlargement and averaging, as there.
    """

    latent: int
    stages: tuple[Stage, ...]
    heads: int = 4
    norm: Norm = "ln"
    numbered: bool = False
    noise: bool = False
    cross: bool = False
    smoothed: bool = False

    @property
    def resolution(self) -> int:
        """Side of the image in pixels."""
        return self.stages[-1].side


class PixelNorm(nn.Module):
    """A token divided by the root mean square of its numbers."""

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        return x * torch.rsqrt(x.square().mean(dim=2, keepdim=True) + 1e-8)


class NamedNorm(nn.Module):
    """A normalisation under the official name `norm`."""

    def __init__(self, kind: Norm, width: int) -> None:
        super().__init__()
        self.norm: nn.Module = nn.LayerNorm(width) if kind == "ln" else PixelNorm()

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        normed: Tensor = self.norm(x)
        return normed


def relative_positions(window: int) -> Int64[Tensor, "t t"]:
    """Row of the table of relative positions for each pair of tokens of a window, as Swin numbers them."""
    axis = torch.arange(window)
    rows, columns = axis.repeat_interleave(window), axis.repeat(window)
    down, right = rows[:, None] - rows[None], columns[:, None] - columns[None]
    return (down + window - 1) * (2 * window - 1) + right + window - 1


class Attention(nn.Module):
    """Attention among the tokens of a window, with a learned bias for each relative position.

    Args:
        window: side of the window; 0 for attention without positions, among any tokens.
        noise: whether there is a strength of noise, added to tokens in training.
    """

    def __init__(self, width: int, heads: int, window: int, dropout: float = 0.0, *, noise: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        if noise:
            self.noise_strength_1 = nn.Parameter(torch.zeros([]))
        self.noise = noise
        self.window = window
        if window:
            self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
            self.register_buffer("positions", relative_positions(window).flatten(), persistent=False)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        n, tokens, width = x.shape
        if self.noise and self.training:
            x = x + torch.randn(n, tokens, 1, device=x.device) * self.noise_strength_1
        q, k, v = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        # Written out: the gradient penalty differentiates twice, which fused attention cannot.
        weights = q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5
        if self.window:
            bias = self.relative_position_bias_table[self.get_buffer("positions")]
            weights = weights + bias.view(tokens, tokens, self.heads).permute(2, 0, 1)
        mixed = (weights.softmax(dim=-1) @ v).transpose(1, 2).reshape(n, tokens, width)
        result: Tensor = self.drop(self.proj(mixed))
        return result


class CrossAttention(nn.Module):
    """x + attention of x to other tokens."""

    def __init__(self, width: int, other: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_transform = nn.Linear(width, width, bias=False)
        self.k_transform = nn.Linear(other, width, bias=False)
        self.v_transform = nn.Linear(other, width, bias=False)
        self.proj = nn.Linear(width, width)
        self.noise_strength_1 = nn.Parameter(torch.zeros([]))  # in the official file, and unused there too

    def forward(self, x: Float[Tensor, "n t d"], other: Float[Tensor, "n u e"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        n, tokens, width = x.shape
        q, k, v = (
            layer(y).reshape(n, -1, self.heads, width // self.heads).transpose(1, 2)
            for layer, y in ((self.q_transform, x), (self.k_transform, other), (self.v_transform, other))
        )
        weights = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(dim=-1)
        change: Tensor = self.proj((weights @ v).transpose(1, 2).reshape(n, tokens, width))
        return x + change


class Mlp(nn.Module):
    """Two layers with GELU between, four times as wide inside."""

    def __init__(self, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        result: Tensor = self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))
        return result


class Block(nn.Module):
    """Attention within windows, then an MLP, each added to its input.

    Args:
        window: side of the window; 0 for attention without positions among any tokens.
        other: width of tokens that it attends to first; 0 for none.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        window: int,
        norm: Norm = "ln",
        *,
        noise: bool = False,
        other: int = 0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = NamedNorm(norm, width)
        self.attn = Attention(width, heads, window, dropout, noise=noise)
        self.norm2 = NamedNorm(norm, width)
        self.mlp = Mlp(width, dropout)
        self.window = window
        self.cross_attention = CrossAttention(width, other, heads) if other else None

    def forward(self, x: Float[Tensor, "n t d"], other: Float[Tensor, "n u e"] | None = None) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        if self.cross_attention is not None and other is not None:
            x = self.cross_attention(x, other)
        side = math.isqrt(x.shape[1])
        grid = bool(self.window) and self.window < side
        x = windows(x, self.window) if grid else x
        x = x + self.attn(self.norm1(x))
        x = whole(x, side) if grid else x
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


def windows(x: Float[Tensor, "n t d"], window: int) -> Float[Tensor, "m w d"]:
    """The tokens of a square grid, cut into windows: their number takes the place of images."""
    n, tokens, width = x.shape
    cells = math.isqrt(tokens) // window
    cut = x.view(n, cells, window, cells, window, width).transpose(2, 3)
    return cut.reshape(n * cells**2, window**2, width)


def whole(x: Float[Tensor, "m w d"], side: int) -> Float[Tensor, "n t d"]:
    """The grid again of its windows."""
    window, width = math.isqrt(x.shape[1]), x.shape[2]
    cells = side // window
    cut = x.view(-1, cells, cells, window, window, width).transpose(2, 3)
    return cut.reshape(-1, side**2, width)


class StageBlock(nn.Module):
    """The blocks of a stage under the official name `block`."""

    def __init__(self, shape: GeneratorShape, stage: Stage) -> None:
        super().__init__()
        other = shape.stages[0].width if shape.cross else 0
        kind = (stage.width, shape.heads, stage.window, shape.norm)
        self.block = nn.ModuleList(Block(*kind, noise=shape.noise, other=other) for _ in range(stage.depth))

    def forward(self, x: Float[Tensor, "n t d"], other: Float[Tensor, "n u e"] | None) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        for block in self.block:
            x = block(x, other)
        return x


class TransGenerator(nn.Module):
    """G(z): a latent vector to an image in about [-1, 1].

    Tensors have the official names, without `relative_position_index`.
    """

    def __init__(self, shape: GeneratorShape) -> None:
        super().__init__()
        self.shape = shape
        first = shape.stages[0]
        self.l1 = nn.Linear(shape.latent, first.side**2 * first.width)
        if shape.cross:
            self.embedding_transform = nn.Linear(shape.latent, first.side**2 * first.width)
            self.embed_pos = nn.Parameter(torch.zeros(1, first.side**2, first.width))
        for number, stage in enumerate(shape.stages, 1):
            position = nn.Parameter(torch.empty(1, stage.side**2, stage.width))
            nn.init.trunc_normal_(position, std=0.02)
            self.register_parameter(f"pos_embed_{number}", position)
        blocks = [StageBlock(shape, stage) for stage in shape.stages]
        if shape.numbered:
            for number, stage_blocks in enumerate(blocks, 1):
                if shape.stages[number - 1].depth:
                    self.add_module(f"blocks_{number}", stage_blocks)
        else:
            self.blocks, self.upsample_blocks = blocks[0], nn.ModuleList(blocks[1:])
        to_image = nn.Conv2d(shape.stages[-1].width, 3, 1)
        nn.init.xavier_uniform_(to_image.weight)
        self.deconv = nn.Sequential(to_image)

    def stage_blocks(self, index: int) -> nn.Module | None:
        """The blocks of a stage, by its 0-based number; None where it has none."""
        if self.shape.numbered:
            return self.get_submodule(f"blocks_{index + 1}") if self.shape.stages[index].depth else None
        return self.blocks if index == 0 else self.upsample_blocks[index - 1]

    def forward(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n 3 r r"]:
        """Images, not clipped."""
        first = self.shape.stages[0]
        x = self.l1(z).view(-1, first.side**2, first.width)
        other: Tensor | None = None
        if self.shape.cross:
            other = self.embedding_transform(z).view(-1, first.side**2, first.width) + self.embed_pos
        for index, stage in enumerate(self.shape.stages):
            if index:
                smoothed = self.shape.smoothed and index >= SMOOTHED_FROM
                x = doubled(x, self.shape.stages[index - 1], stage, smoothed=smoothed)
            x = x + self.get_parameter(f"pos_embed_{index + 1}")
            blocks = self.stage_blocks(index)
            x = x if blocks is None else blocks(x, other)
        image: Tensor = self.deconv(as_image(x))
        return image


SMOOTHED_FROM = 4
"""0-based stage from which on the network of CelebA-HQ smooths."""


def as_image(x: Float[Tensor, "n t d"]) -> Float[Tensor, "n d s s"]:
    """Tokens of a square grid as an image of as many channels as their width."""
    side = math.isqrt(x.shape[1])
    return x.transpose(1, 2).reshape(len(x), -1, side, side)


def doubled(x: Float[Tensor, "n t d"], before: Stage, after: Stage, *, smoothed: bool) -> Float[Tensor, "n u e"]:
    """Tokens of a stage at twice the side: bicubically at the same width, else by sub-pixel shuffling."""
    image = as_image(x)
    if before.width == after.width:
        return F.interpolate(image, scale_factor=2, mode="bicubic").flatten(2).transpose(1, 2)
    if smoothed:
        image = F.avg_pool2d(F.interpolate(image, scale_factor=4, mode="bicubic"), 4)
    return F.pixel_shuffle(image, 2).flatten(2).transpose(1, 2)


def shape_of(state: Mapping[str, Tensor]) -> GeneratorShape:
    """The shape of a generator from the names and shapes of its tensors.

    Raises:
        KeyError, ValueError: they are no generator's of the official code; says what is amiss.
    """
    numbered = any(name.startswith("blocks_") for name in state)
    heads = {v.shape[1] for name, v in state.items() if name.endswith("relative_position_bias_table")}
    if len(heads) != 1:
        raise ValueError(f"relative positions of {sorted(heads)} heads, one number expected")
    count = sum(re.fullmatch(r"pos_embed_\d+", name) is not None for name in state)
    stages = []
    for number in range(1, count + 1):
        _, tokens, width = state[f"pos_embed_{number}"].shape
        own = f"blocks_{number}." if numbered else "blocks." if number == 1 else f"upsample_blocks.{number - 2}."
        blocks = {int(m[1]) for name in state if (m := re.match(re.escape(own) + r"block\.(\d+)\.", name))}
        side = math.isqrt(tokens)
        table = f"{own}block.0.attn.relative_position_bias_table"
        window = (math.isqrt(len(state[table])) + 1) // 2 if blocks else side
        stages.append(Stage(width, len(blocks), side, min(window, side)))
    for before, after in pairwise(stages):
        if after.side != 2 * before.side or after.width not in {before.width, before.width // 4}:
            raise ValueError(f"stage of {after.side}²×{after.width} after {before.side}²×{before.width}")
    cross = "embedding_transform.weight" in state
    return GeneratorShape(
        latent=state["l1.weight"].shape[1],
        stages=tuple(stages),
        heads=int(heads.pop()),
        norm="ln" if any(name.endswith("norm1.norm.weight") for name in state) else "pn",
        numbered=numbered,
        noise=any(name.endswith("attn.noise_strength_1") for name in state),
        cross=cross,
        smoothed=cross,
    )
