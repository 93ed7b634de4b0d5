"""Changes of an image that keep its looks and change what it shows, and the other way round.

Every change is made where a box says, in parts of width and height, so that what it does is known: the object in the
box is another one, the sign reads another word, a face has its mouth where an eye was, the object has another colour.
Edges are blended over a tenth of the box, so that no seam gives them away. What only looks worse is done to the whole
image, in three strengths, of which even the last leaves what the image shows to be seen.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from vitiq.image.geometry import resize
from vitiq.types import ImageU8

Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge, in parts of width and height."""

FEATHER = 0.1
"""Share of a box, at each of its edges, over which a change grows from nothing to all."""

WORDS = (
    ("OPEN", "SHUT"),
    ("STOP", "SLOW"),
    ("EAST", "WEST"),
    ("EXIT 12", "EXIT 78"),
    ("PULL", "PUSH"),
    ("4:30", "8:50"),
)
"""What a sign reads, and what it reads instead: as many letters of the same type."""


@dataclass(frozen=True, slots=True)
class Face:
    """Where the parts of a face are.

    Attributes:
        eye: one of its eyes.
        mouth: its mouth, or an animal's nose.
    """

    eye: Box
    mouth: Box


def pixels(image: ImageU8, box: Box) -> tuple[slice, slice]:
    """Rows and columns of a box, at least one pixel each way."""
    height, width, _ = image.shape
    x0, y0, x1, y1 = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    left, upper = round(x0), round(y0)
    return slice(upper, max(upper + 1, round(y1))), slice(left, max(left + 1, round(x1)))


def blend(image: ImageU8, box: Box, patch: Float[np.ndarray, "h w 3"]) -> ImageU8:
    """The image with a patch in a box, its edges blended.

    Args:
        patch: of the box's size, 0 … 255.
    """
    place = pixels(image, box)
    ramps = []
    for size in patch.shape[:2]:
        steps = np.arange(size) + 0.5
        ramps.append(np.clip(np.minimum(steps, size - steps) / max(1.0, FEATHER * size), 0, 1))
    weight = np.outer(*ramps)[..., None]
    out = image.astype(np.float64)
    out[place] = weight * patch + (1 - weight) * out[place]
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def other_object(image: ImageU8, box: Box, other: ImageU8, other_box: Box) -> ImageU8:
    """The object in the box replaced by another image's object, stretched to the box."""
    rows, columns = pixels(image, box)
    patch = np.ascontiguousarray(other[pixels(other, other_box)])
    size = columns.stop - columns.start, rows.stop - rows.start
    return blend(image, box, resize(patch, *size, "bicubic").astype(np.float64))


def other_hue(image: ImageU8, box: Box) -> ImageU8:
    """Colours in the box turned by 120° in the plane of Cb and Cr, BT.601 luma kept as far as it fits 0 … 255."""
    patch = image[pixels(image, box)].astype(np.float64)
    luma = patch @ np.array([0.299, 0.587, 0.114])
    blue, red = (patch[..., 2] - luma) / 1.772, (patch[..., 0] - luma) / 1.402
    angle = np.deg2rad(120)
    blue, red = np.cos(angle) * blue - np.sin(angle) * red, np.sin(angle) * blue + np.cos(angle) * red
    r, b = luma + 1.402 * red, luma + 1.772 * blue
    g = (luma - 0.299 * r - 0.114 * b) / 0.587
    return blend(image, box, np.clip(np.stack([r, g, b], axis=-1), 0, 255))


def moved_features(image: ImageU8, face: Face) -> ImageU8:
    """An eye and the mouth change places."""
    out = image
    for target, source in ((face.eye, face.mouth), (face.mouth, face.eye)):
        out = other_object(out, target, image, source)
    return out


def sign_box(image: ImageU8) -> Box:
    """Where `sign` puts its sign: in the lower left corner, about a sixth of the image's height."""
    height, width, _ = image.shape
    size = _letters(image)
    left, upper = width // 20, height - height // 20 - round(1.5 * size)
    right, lower = (
        left + round(0.68 * size * max(len(word) for pair in WORDS for word in pair)),
        upper + round(1.5 * size),
    )
    return left / width, upper / height, right / width, lower / height


def _letters(image: ImageU8) -> int:
    height, width, _ = image.shape
    return int(max(8, min(height // 9, width // 6)))


def sign(image: ImageU8, word: str) -> ImageU8:
    """The image with a sign that reads `word`."""
    size = _letters(image)
    rows, columns = pixels(image, sign_box(image))
    drawn = Image.fromarray(image)
    pen = ImageDraw.Draw(drawn)
    edges = (columns.start, rows.start, columns.stop, rows.stop)
    pen.rounded_rectangle(edges, radius=size // 5, fill=(246, 240, 214), outline=(40, 40, 40))
    middle = ((columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2)
    pen.text(middle, word, font=ImageFont.load_default(size), fill=(30, 30, 40), anchor="mm")
    return np.asarray(drawn)


def regrown(image: ImageU8, box: Box, rebuild: Callable[[ImageU8], ImageU8]) -> ImageU8:
    """What is in the box as a codec of few bits rebuilds it: plausible texture in the place of the real one.

    Args:
        rebuild: the codec's reconstruction of a whole image.
    """
    return blend(image, box, rebuild(image)[pixels(image, box)].astype(np.float64))


def only_there(image: ImageU8, boxes: Sequence[Box], change: Callable[[ImageU8], ImageU8]) -> ImageU8:
    """A change of the whole image, kept in some boxes alone."""
    whole, out = change(image), image
    for box in boxes:
        out = blend(out, box, whole[pixels(image, box)].astype(np.float64))
    return out


def downscaled(image: ImageU8, factor: float) -> ImageU8:
    """Fewer pixels, and back to as many as before."""
    height, width, _ = image.shape
    small = resize(image, max(1, round(width / factor)), max(1, round(height / factor)), "bicubic")
    return resize(small, width, height, "bicubic")


def jpeg(image: ImageU8, quality: int) -> ImageU8:
    """Through a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer, formats=["JPEG"]).convert("RGB"))


def blurred(image: ImageU8, deviation: float) -> ImageU8:
    """Through a Gaussian of so many pixels."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(deviation)))


LOOKS: dict[str, tuple[Callable[[ImageU8], ImageU8], ...]] = {
    "downscaled": tuple(partial(downscaled, factor=factor) for factor in (1.5, 2.0, 3.0)),
    "JPEG": tuple(partial(jpeg, quality=quality) for quality in (40, 20, 10)),
    "blur": tuple(partial(blurred, deviation=deviation) for deviation in (0.8, 1.5, 2.5)),
}
"""What looks worse and shows the same: name -> mild, medium, strong."""

STRENGTHS = ("mild", "medium", "strong")
