"""A layer of graphics above the latents: text, lines and flat colours, coded without loss in few colours.

Learned transforms spend many bits on edges that are sharp for a reason. As in mixed raster content (ITU-T T.44; DjVu,
Bottou et al. 1998, DOI 10.1117/1.482609) blocks of few colours are taken out of the image, their colours reduced as the
rate asks, and stored as lossless WebP, transparent elsewhere; the latents code what remains, with the hole filled
smoothly.
"""

from __future__ import annotations

import io
import math
import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8, UInt32
from PIL import Image
from scipy import ndimage

from vitiq.errors import BitstreamError
from vitiq.types import ImageU8

BLOCK = 16
"""Pixels of a block's side."""

MOST_COLOURS = 128
"""Different colours of a block of graphics, at most: antialiased text has 20 to 100."""

LEAST_RUNS = 0.35
"""Share of a block's pixels that repeat their left neighbour, at least. Photographs of few colours have less."""

LEAST_RUNS_BETWEEN = 0.2
"""The same for a block of any number of colours between blocks of graphics."""

FLAT_COLOURS, SHADES = 6, 32
"""Smooth shades, of which few colours make steps, have more colours than the former within a range below the latter."""

AROUND = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=np.int8)
LEAST_AROUND = 5
"""Neighbours that hold graphics of a block between them, at least."""

EDGE = 64
"""Range of values within a block that has an edge worth a layer, at least."""

LEAST_EDGES = 1 / 64
"""Share of an image's blocks that are graphics with an edge, below which no layer is tried."""

LONGEST, MOST_PIXELS = 16_383, 2**23
"""Pixels of a side that WebP takes, and of an image in which a layer is looked for: larger ones take over 1 GB."""

PALETTE = 255
"""Colours of a palette of WebP, but for the transparent one."""

COLOURS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, PALETTE, None)
"""Numbers of colours; None for all. Every second one is tried, then the neighbours of the best."""

ROUNDS = 6
"""Of k-means."""

STRIP = 32
"""Rows of blocks that are looked at together."""

Blocks = Bool[np.ndarray, "rows columns"]


class Layer(NamedTuple):
    """Graphics of an image.

    Attributes:
        data: as stored, see `unpack`.
        error: squared error of its pixels, summed over the three channels.
        cost: bits + weight · error.
    """

    data: bytes
    error: float
    cost: float


def graphic_blocks(image: ImageU8) -> Blocks | None:
    """Blocks of 16×16 pixels that hold graphics; None where too few do for a layer to be tried, as in photographs.

    Blocks at the right and lower border are as large as the image leaves them.
    """
    height, width, _ = image.shape
    if max(height, width) > LONGEST or height * width > MOST_PIXELS:
        return None
    parts, near, edges = [], [], 0
    for top in range(0, height, STRIP * BLOCK):
        strip = image[top : top + STRIP * BLOCK]
        # A last block is extended by its last row or column, which adds neither colours nor edges.
        padding = ((0, -strip.shape[0] % BLOCK), (0, -width % BLOCK), (0, 0))
        graphic, possible, edged = _graphic(np.pad(strip, padding, mode="edge"))
        parts.append(graphic)
        near.append(possible)
        edges += int(edged.sum())
    blocks = np.concatenate(parts)
    if edges < max(1, LEAST_EDGES * blocks.size):
        return None
    around = ndimage.convolve(blocks.astype(np.int8), AROUND, mode="nearest")
    return blocks | np.concatenate(near) & (around >= LEAST_AROUND)


def _graphic(strip: ImageU8) -> tuple[Blocks, Blocks, Blocks]:
    """Which whole blocks of a strip hold graphics, which may, and which of the former have an edge."""
    packed = _packed(strip)
    rows, columns = packed.shape[0] // BLOCK, packed.shape[1] // BLOCK

    def by_block(values: np.ndarray) -> np.ndarray:
        return values.reshape(rows, BLOCK, columns, -1).swapaxes(1, 2).reshape(rows, columns, -1)

    colours = np.sort(by_block(packed), axis=2)
    count = 1 + (colours[:, :, 1:] != colours[:, :, :-1]).sum(axis=2)
    lines = packed.reshape(rows * BLOCK, columns, BLOCK)
    runs = by_block(lines[:, :, 1:] == lines[:, :, :-1]).mean(axis=2)
    ranges = np.stack([np.ptp(by_block(strip[:, :, channel]), axis=2) for channel in range(3)]).max(axis=0)
    shaded = (count > FLAT_COLOURS) & (ranges < SHADES)
    graphic = (count <= MOST_COLOURS) & (runs >= LEAST_RUNS) & ~shaded
    return graphic, (runs >= LEAST_RUNS_BETWEEN) & ~shaded, graphic & (ranges >= EDGE)


def _packed(pixels: UInt8[np.ndarray, "*n 3"]) -> UInt32[np.ndarray, "*n"]:
    """A number for each colour."""
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    packed: UInt32[np.ndarray, "*n"] = red << 16 | green << 8 | blue
    return packed


def covered(blocks: Blocks, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """The pixels of some blocks."""
    return blocks.repeat(BLOCK, axis=0)[:height].repeat(BLOCK, axis=1)[:, :width]


def filled(image: ImageU8, blocks: Blocks) -> ImageU8:
    """The image with the pixels of some blocks replaced by what lies around them, smoothly: mean colours of blocks."""
    height, width, _ = image.shape
    rows, columns = blocks.shape
    padded = np.pad(image, ((0, rows * BLOCK - height), (0, columns * BLOCK - width), (0, 0)), mode="edge")
    means = padded.reshape(rows, BLOCK, columns, BLOCK, 3).mean(axis=(1, 3), dtype=np.float32)
    colours = np.rint(_spread(means, (~blocks).astype(np.float32))).astype(np.uint8)
    inside = covered(blocks, height, width)
    return np.where(inside[:, :, None], colours.repeat(BLOCK, axis=0)[:height].repeat(BLOCK, axis=1)[:, :width], image)


def _spread(values: Float32[np.ndarray, "h w 3"], weights: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w 3"]:
    """Values where weights are 1, and averages of ever larger surroundings where they are 0.

    Push and pull of Gortler et al. 1996, section 3.4 (DOI 10.1145/237170.237200).
    """
    height, width = weights.shape
    if weights.all() or height * width == 1:
        return values if weights.all() else np.full_like(values, 128)
    even = ((0, height % 2), (0, width % 2))
    sums = np.pad(values * weights[:, :, None], (*even, (0, 0)))
    counts = np.pad(weights, even)
    total = _quartered(counts[:, :, None])
    coarse = _quartered(sums) / np.maximum(total, 1)
    below = _spread(coarse, np.minimum(total[:, :, 0], 1))
    fine = below.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    found: Float32[np.ndarray, "h w 3"] = np.where(weights[:, :, None] > 0, values, fine)
    return found


def _quartered(values: np.ndarray) -> np.ndarray:
    """Sums of 2×2 pixels."""
    height, width, channels = values.shape
    found: np.ndarray = values.reshape(height // 2, 2, width // 2, 2, channels).sum(axis=(1, 3))
    return found


def find_layer(image: ImageU8, blocks: Blocks, weight: float, most: float = math.inf) -> Layer | None:
    """The layer of least bits + weight · squared error, among some numbers of colours.

    Args:
        blocks: what it covers.
        weight: bits that a squared error of 1 is worth, in one channel of one pixel.
        most: bits + weight · squared error that it must stay below; None where none does.
    """
    inside = covered(blocks, *image.shape[:2])
    colours, index, counts = np.unique(_packed(image[inside]), return_inverse=True, return_counts=True)
    exact = np.stack([colours >> shift & 0xFF for shift in (16, 8, 0)], axis=1).astype(np.float64)
    seeds = _seeds(exact, counts)
    channels = 3 if inside.all() else 4

    def layer_of(rank: int) -> Layer:
        count = COLOURS[rank]
        reduced = exact
        if count is not None and count < len(exact):
            palette = _palette(exact, counts, seeds[:count])
            reduced = palette[_assigned(exact, palette)]
        error = float((counts[:, None] * (reduced - exact) ** 2).sum())
        opaque = np.full((len(exact), channels - 3), 255)
        pixels = np.zeros((*inside.shape, channels), dtype=np.uint8)
        pixels[inside] = np.concatenate([reduced, opaque], axis=1).astype(np.uint8)[index]
        data = pack(pixels)
        return Layer(data, error, 8 * len(data) + weight * error)

    # More colours than there are repeat the layer that has them all.
    last = next(rank for rank, count in enumerate(COLOURS) if count is None or count >= len(exact))
    found: dict[int, Layer] = {}
    for rank in sorted({*range(0, last, 2), last}):
        found[rank] = layer_of(rank)
        if 8 * len(found[rank].data) > most:  # more colours take yet more bits
            break
    best = min(found, key=lambda rank: found[rank].cost)
    found |= {rank: layer_of(rank) for rank in {max(best - 1, 0), min(best + 1, last)} - found.keys()}
    layer = min(found.values(), key=lambda layer: layer.cost)
    return layer if layer.cost < most else None


def _seeds(colours: Float64[np.ndarray, "n 3"], counts: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, "k 3"]:
    """Colours that palettes start from, the most needed first: each is the one that those before it miss by most.

    Weighted by the square root of their use, so that a small spot of a colour of its own is not lost.
    """
    weights = np.sqrt(counts)
    chosen = [int(weights.argmax())]
    missed = ((colours - colours[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < PALETTE and missed.any():
        chosen.append(int((weights * missed).argmax()))
        missed = np.minimum(missed, ((colours - colours[chosen[-1]]) ** 2).sum(axis=1))
    found: Float64[np.ndarray, "k 3"] = colours[chosen]
    return found


def _palette(
    colours: Float64[np.ndarray, "n 3"], counts: Int64[np.ndarray, " n"], seeds: Float64[np.ndarray, "k 3"]
) -> Float64[np.ndarray, "j 3"]:
    """At most as many colours as seeds, for some that are used `counts` times each: k-means."""
    centres = seeds
    for _ in range(ROUNDS):
        nearest = _assigned(colours, centres)
        used = np.bincount(nearest, counts, len(centres))
        sums = np.stack([np.bincount(nearest, counts * colours[:, k], len(centres)) for k in range(3)], axis=1)
        centres = sums[used > 0] / used[used > 0, None]
    found: Float64[np.ndarray, "j 3"] = np.rint(centres)
    return found


def _assigned(colours: Float64[np.ndarray, "n 3"], palette: Float64[np.ndarray, "k 3"]) -> Int64[np.ndarray, " n"]:
    """Index of the nearest colour of a palette."""
    norms = (palette**2).sum(axis=1)
    parts = (colours[at : at + 4096] for at in range(0, len(colours), 4096))
    return np.concatenate([(norms - 2 * part @ palette.T).argmin(axis=1) for part in parts])


_CONTAINER = 20
"""Bytes of a WebP file before its only chunk's data: `RIFF`, length, `WEBP`, `VP8L`, length."""


def pack(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """Pixels of RGB, or RGBA with an alpha of 0 or 255, as the chunk `VP8L` of a WebP file, without loss."""
    buffer = io.BytesIO()
    # Method 6 packs a little tighter, in many times the time.
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, method=4, quality=100, exact=True)
    whole = buffer.getvalue()
    assert whole[12:16] == b"VP8L"
    return whole[_CONTAINER : _CONTAINER + int.from_bytes(whole[16:20], "little")]


def unpack(data: bytes, height: int, width: int) -> UInt8[np.ndarray, "height width 4"]:
    """Pixels of a layer; alpha is 255 where they hold.

    Raises:
        BitstreamError: damaged, translucent, or of another size.
    """
    head = int.from_bytes(data[1:5], "little")
    size = (head & 0x3FFF) + 1, (head >> 14 & 0x3FFF) + 1
    if len(data) < 5 or size != (width, height):
        raise BitstreamError(
            f"a layer of graphics of {size[0]}×{size[1]} pixels given, {width}×{height} expected; the file is damaged"
        )
    chunk = b"VP8L" + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
    riff = b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a size that the container has been checked for
            with Image.open(io.BytesIO(riff), formats=("WEBP",)) as opened:
                pixels = np.array(opened.convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise BitstreamError(f"the layer of graphics cannot be read ({error}); the file is damaged") from error
    if not np.isin(pixels[:, :, 3], (0, 255)).all():
        raise BitstreamError("the layer of graphics is translucent in places; the file is damaged")
    return pixels
