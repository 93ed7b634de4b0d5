"""A Vision Transformer at the speed of its matrix products, in bfloat16 or float32.

Nearly all of the work is six products a block. Their weights are packed once in the layout that oneDNN's kernels read
(F.linear packs them again at every call, and in float32 goes to another library, whose kernels are half as fast on
some processors). The scale of attention is folded into the query weights, and with it the step to powers of two, which
cost a fifth less than those of e; GELU is applied to the product while it is in the cache. In bfloat16 attention goes a
few heads at a time, so that their tables stay there too; sums between blocks and norms stay in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import BFloat16, Float
from torch import Tensor, nn

from vitiq.models.vit import Block, VisionTransformer, stack_levels, without_distillation

ROWS = 3072
"""Tokens of a batch: enough for the products' full speed, few enough for the allocator to reuse memory."""

TABLE = 3 * 2**19
"""Entries of the tables of attention at a time: few enough for the cache, enough to hide what each product costs."""

ALIGN = 8
"""Tokens of an image in a table are a multiple of it, the rest zeros: the products' kernels are faster there."""

SOUND = 1e16
"""Queries and keys below it have finite products and sums of them."""

LARGEST = 1e30
"""A sum of powers beyond it, or below its inverse, is not trusted."""


def _packer(dtype: torch.dtype) -> Any:
    """oneDNN's operators, None where torch was built without them or the processor lacks what they need for `dtype`."""
    try:
        operators = torch.ops.mkldnn
        if dtype == torch.bfloat16 and not operators._is_mkldnn_bf16_supported():
            return None
        return operators if operators._linear_pointwise and operators._reorder_linear_weight else None
    except (AttributeError, RuntimeError):
        return None


class PackedLinear:
    """A linear layer on the last dimension.

    Args:
        weight, bias: out × in and out, float32.
        dtype: bfloat16 or float32, in which numbers are multiplied.
    """

    def __init__(self, weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"], dtype: torch.dtype) -> None:
        self._operators, self._dtype = _packer(dtype), dtype
        self._weight, self._bias = weight.to(dtype).contiguous(), bias.to(dtype)
        if self._operators is not None:
            self._weight = self._operators._reorder_linear_weight(self._weight, ROWS)

    def __call__(self, x: Tensor, *, gelu: bool = False) -> Float[Tensor, "*rows o"]:
        """x Wᵀ + b in the layer's numbers, then exact GELU if asked."""
        x = x.to(self._dtype)
        if self._operators is not None:
            after: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
            return cast(Tensor, self._operators._linear_pointwise(x, self._weight, self._bias, *after))
        result = F.linear(x, self._weight, self._bias)
        return F.gelu(result) if gelu else result


def attend_whole(qkv: Float[Tensor, "n t c"], heads: int) -> Float[Tensor, "n t d"]:
    """Multi-head attention of fused queries (scaled as by `_scaled`), keys and values."""
    n, t, fused = qkv.shape
    q, k, v = qkv.view(n, t, 3, heads, -1).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, scale=math.log(2))
    return mixed.transpose(1, 2).reshape(n, t, fused // 3)


def attend(qkv: BFloat16[Tensor, "n t c"], heads: int) -> BFloat16[Tensor, "n t d"]:
    """As `attend_whole`, a few heads at a time.

    Weights are powers of two divided by their sum after the values are mixed, without its largest taken off first;
    images where that leaves the numbers' range go the ordinary way.
    """
    n, t, fused = qkv.shape
    size, padded = fused // 3 // heads, -(-t // ALIGN) * ALIGN
    images = max(1, TABLE // (heads * padded**2))
    step = max(1, min(images * heads, TABLE // padded**2))
    out = qkv.new_empty(n, t, heads, size)
    table, inputs = qkv.new_empty(step, padded, padded), qkv.new_zeros(3, images, heads, padded, size)
    mixed, sums = qkv.new_empty(images, heads, padded, size), qkv.new_empty(images, heads, padded, 1)
    for part, result in zip(torch.split(qkv, images), torch.split(out, images), strict=True):
        each = [x[: len(part)] for x in (*inputs, mixed, sums)]
        for x, source in zip(each, part.view(-1, t, 3, heads, size).permute(2, 0, 3, 1, 4), strict=False):
            x[:, :, :t] = source
        for q, k, v, m, s in zip(*(torch.split(x.flatten(0, 1), step) for x in each), strict=True):
            weights = torch.bmm(q, k.transpose(1, 2), out=table[: len(q)]).exp2_()
            torch.sum(weights[:, :, :t], -1, keepdim=True, out=s)
            torch.bmm(weights, v, out=m)
        q, k, v, m, s = (x[:, :, :t] for x in each)
        if s.amin() > 1 / LARGEST and s.amax() < LARGEST:
            torch.div(m, s, out=result.transpose(1, 2))
        else:
            result[:] = F.scaled_dot_product_attention(q, k, v, scale=math.log(2)).transpose(1, 2)
    return out.view(n, t, heads * size)


def poison(mixed: Tensor, *parts: Tensor) -> Tensor:
    """`mixed`, NaN for the images whose queries or keys are not finite, or so large that their products are not.

    torch's attention gives zeros for some rows of such products, which a network goes on with as if they were sound.

    Args:
        mixed: attention's result, an image first.
        parts: queries and keys, in one tensor or two.
    """
    ends = [torch.aminmax(part.flatten(1), dim=1) for part in parts]
    largest = torch.stack([torch.maximum(-low, high).float() for low, high in ends])
    unsound = ~(largest.amax(dim=0) < SOUND)
    if bool(unsound.any()):
        mixed[unsound] = math.nan
    return mixed


def largest(norm: nn.LayerNorm, weight: Float[Tensor, "o i"], bias: Float[Tensor, " o"]) -> float:
    """More than the size of any number of a linear layer behind a norm, whatever finite numbers the norm is given.

    A norm's outputs are at most √i times its weights, plus its biases: the squares of i normalised numbers sum to i.
    """
    most = norm.weight.detach().abs() * math.sqrt(weight.shape[1]) + norm.bias.detach().abs()
    return float((weight.abs() @ most + bias.abs()).max())


class PackedBlock:
    """A block of `VisionTransformer`."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        self._norms = (block.norm1, block.norm2)
        self._heads = block.attn.heads
        self._attend = attend if dtype == torch.bfloat16 else attend_whole
        self._qkv = PackedLinear(*_scaled(block), dtype)
        self._bounded = largest(block.norm1, *_scaled(block)) < SOUND / 2
        others = (block.attn.proj, block.mlp.fc1, block.mlp.fc2)
        self._proj, self._fc1, self._fc2 = (PackedLinear(y.weight.detach(), y.bias.detach(), dtype) for y in others)

    def __call__(self, x: Float[Tensor, "n t d"]) -> Float[Tensor, "n t d"]:
        """Same shape as `x`."""
        y = self._norms[0](x)
        sound = self._sound(y)
        y = self._qkv(y)  # each array goes before the next but one comes, which has its memory while the cache does
        y = self._attended(y, sound=sound)
        y = self._proj(y)
        x = x + y
        del y
        x += self._fc2(self._fc1(self._norms[1](x), gelu=True))
        return x

    def _attended(self, qkv: Float[Tensor, "n t c"], *, sound: bool) -> Float[Tensor, "n t d"]:
        mixed = self._attend(qkv, self._heads)
        return mixed if sound else poison(mixed, qkv)

    def _sound(self, y: Float[Tensor, "n t d"]) -> bool:
        """Whether `poison` has nothing to do: weights bound queries and keys, and no output of the norm is NaN."""
        return self._bounded and bool(y.sum().isfinite())


class PackedLastBlock(PackedBlock):
    """The last block, which can also give the class token alone."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        super().__init__(block, dtype)
        weight, bias = _scaled(block)
        width = weight.shape[1]
        self._query = PackedLinear(weight[:width], bias[:width], dtype)
        self._pair = PackedLinear(weight[width:], bias[width:], dtype)

    def first(self, x: Float[Tensor, "n t d"], count: int) -> Float[Tensor, "n count d"]:
        """The first tokens of all of them, for about a sixth of the work; only their queries are computed."""
        y = self._norms[0](x)
        n, t, d = y.shape
        query, pair = self._query(y[:, :count]), self._pair(y)
        q = query.view(n, count, self._heads, -1).transpose(1, 2)
        k, v = pair.view(n, t, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, scale=math.log(2))
        mixed = mixed if self._sound(y) else poison(mixed, query, pair)
        tokens = x[:, :count] + self._proj(mixed.transpose(1, 2).reshape(n, count, d))
        return tokens + self._fc2(self._fc1(self._norms[1](tokens), gelu=True))


def _scaled(block: Block) -> tuple[Tensor, Tensor]:
    """Weights and biases of queries, keys and values; the queries' such that products with keys are exponents of 2."""
    weight, bias = block.attn.qkv.weight.detach().clone(), block.attn.qkv.bias.detach().clone()
    width = weight.shape[1]
    for side in (weight, bias):
        side[:width] *= (width // block.attn.heads) ** -0.5 / math.log(2)
    return weight, bias


class PlainViT:
    """The network itself with the face of `PackedViT`, for devices that pack on their own.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: VisionTransformer) -> None:
        self._model = model
        self.forward_levels, self.forward_features = model.forward_levels, model.forward_features

    def forward_class(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n prefix d"]:
        """As `PackedViT.forward_class`."""
        return self._model.forward_hidden(x, ())[0][:, : self._model.config.prefix]


class PackedViT:
    """As the network it is made of, without gradients.

    Args:
        model: in evaluation mode.
        dtype: bfloat16 or float32, in which products are computed.
    """

    def __init__(self, model: VisionTransformer, dtype: torch.dtype) -> None:
        self._model = model
        *most, last = (cast(Block, block) for block in model.blocks)
        self._last = PackedLastBlock(last, dtype)
        self._blocks = [*(PackedBlock(block, dtype) for block in most), self._last]

    def forward_hidden(
        self, x: Float[Tensor, "n 3 h w"], blocks: Sequence[int]
    ) -> tuple[Float[Tensor, "n t d"], list[Float[Tensor, "n t d"]]]:
        """As `VisionTransformer.forward_hidden`."""
        tokens, hidden = self._model.embed(x), []
        for index, block in enumerate(self._blocks):
            tokens = block(tokens)
            if index in blocks:
                hidden.append(tokens)
        return self._model.norm(tokens), hidden

    def forward_levels(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n level p d"]:
        """As `VisionTransformer.forward_levels`."""
        final, hidden = self.forward_hidden(x, self._model.config.late_blocks)
        return stack_levels([self._model.embed(x), *hidden, final], self._model.config.prefix)

    def forward_features(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n t d"]:
        """As `VisionTransformer.forward_features`."""
        return without_distillation(self.forward_hidden(x, ())[0], self._model.config)

    def forward_class(self, x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n prefix d"]:
        """The tokens that labels come from, after the last norm; the last block leaves out what no one reads."""
        tokens = self._model.embed(x)
        for block in self._blocks[:-1]:
            tokens = block(tokens)
        return cast(Tensor, self._model.norm(self._last.first(tokens, self._model.config.prefix)))
