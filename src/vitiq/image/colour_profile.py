"""ICC profiles: what they say, whether that is sRGB, and the conversion where it is not.

A profile is judged by its numbers, never by its description: a linear-light profile may well be called "sRGB linear".
Profiles of curves and a matrix (nearly all RGB ones) and grey curves are computed here, from 16-bit samples where the
file has them; profiles of look-up tables (CMYK, printers, Lab) go through LittleCMS with 8 bits, perceptual intent.

Source: ICC.1:2022, sections 7.2 (header), 10.6 (curve), 10.18 (parametric curve), 9.2 (tags, cicp).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image, ImageCms

from vitiq.image.colour_space import (
    D50,
    Curve,
    Space,
    check_eight_bits,
    convert,
    d50_to_srgb,
    from_code_points,
    is_srgb,
)
from vitiq.image.depth import to_eight
from vitiq.image.limits import MAX_PROFILE_BYTES
from vitiq.image.raster import Raster

IGNORED = "unusable ICC profile ignored"
_CORBIS_XYZ = b"\x17\xa5\x05\xb8"
"""Type of the colorants in Corbis's profile of 1998, which LittleCMS knows as a broken XYZ; the numbers are good."""
_KINDS = {b"RGB ": "rgb", b"GRAY": "grey", b"CMYK": "cmyk", b"Lab ": "lab"}


_WHITE = 0.3
"""How far the sum of the colorants may lie from D50: D65, which some old profiles leave unadapted, is 0.26 off."""
_RISE = 0.25


class DamagedProfileError(ValueError):
    """Not a profile that can be followed."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An ICC profile, its tags still as bytes."""

    data: bytes
    model: str
    connection: bytes
    tags: dict[bytes, bytes]

    @property
    def name(self) -> str:
        """Its description, for people; nothing is decided by it."""
        return _text(self.tags.get(b"desc", b""))


def parse(data: bytes) -> Profile:
    """Header and tags of a profile; raises DamagedProfileError."""
    if len(data) > MAX_PROFILE_BYTES:
        raise DamagedProfileError(f"more than {MAX_PROFILE_BYTES} bytes")
    if len(data) < 132 or data[36:40] != b"acsp" or data[16:20] not in _KINDS:
        raise DamagedProfileError("no profile header of a known kind")
    count = int.from_bytes(data[128:132], "big")
    if count > 1024 or 132 + 12 * count > len(data):
        raise DamagedProfileError("its table of tags lies outside it")
    tags: dict[bytes, bytes] = {}
    for at in range(132, 132 + 12 * count, 12):
        signature, offset, length = struct.unpack(">4sII", data[at : at + 12])
        if offset + length > len(data):
            raise DamagedProfileError(f"its tag {signature!r} lies outside it")
        tags[signature] = data[offset : offset + length]
    return Profile(data, _KINDS[data[16:20]], data[20:24], tags)


def to_srgb(raster: Raster, profile_bytes: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """8-bit sRGB through an image's profile, with a note; None where the profile says sRGB or cannot be used.

    Raises:
        UnsupportedColourError: the profile states HDR (its cicp tag names PQ or HLG), or needs bits that are gone.
    """
    try:
        profile = parse(profile_bytes)
        code = profile.tags.get(b"cicp", b"")
        if len(code) >= 12:
            from_code_points(code[8], code[9])
        if profile.model != raster.model and (profile.model, raster.model) != ("rgb", "grey"):
            raise DamagedProfileError(f"made for {profile.model} samples, not for {raster.model}")
        return _convert(raster, profile)
    except (DamagedProfileError, struct.error, ImageCms.PyCMSError, OSError) as error:
        raster.notes.append(f"{IGNORED} ({error})" if isinstance(error, DamagedProfileError) else IGNORED)
        return None


def _convert(raster: Raster, profile: Profile) -> UInt8[np.ndarray, "h w 3"] | None:
    space = _space(profile)
    if space is None:
        return _through_tables(raster, profile)
    if is_srgb(space):
        return None
    check_eight_bits(space, raster.cut_from)
    raster.notes.append(f"converted from the profile {profile.name!r} to sRGB")
    samples = raster.samples
    return convert(np.broadcast_to(samples, (*samples.shape[:2], 3)), space)


def _space(profile: Profile) -> Space | None:
    """The colour space of a profile of curves; None for one of tables."""
    tags = profile.tags
    if b"A2B0" in tags or profile.connection != b"XYZ ":
        return None
    if profile.model == "grey" and b"kTRC" in tags:
        curve = _rising(_curve(tags[b"kTRC"]))
        return Space(profile.name, (curve, curve, curve), np.eye(3))
    if profile.model == "rgb" and {b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ"} <= tags.keys():
        columns = [_xyz(tags[key]) for key in (b"rXYZ", b"gXYZ", b"bXYZ")]
        if (np.abs(sum(columns) - np.array(D50)) > _WHITE).any():
            raise DamagedProfileError("colorants that make no white")
        red, green, blue = (_rising(_curve(tags[key])) for key in (b"rTRC", b"gTRC", b"bTRC"))
        return Space(profile.name, (red, green, blue), d50_to_srgb() @ np.stack(columns, 1))
    return None


def _xyz(tag: bytes) -> Float64[np.ndarray, " 3"]:
    if tag[:4] not in {b"XYZ ", _CORBIS_XYZ} or len(tag) < 20:
        raise DamagedProfileError("a colorant that is no XYZ")
    return np.frombuffer(tag, ">i4", 3, 8) / 65_536


def _rising(curve: Curve) -> Curve:
    """A curve from dark to light; one that is flat or falls would leave nothing of an image."""
    with np.errstate(all="ignore"):
        dark, light = curve(np.array([0.0, 1.0]))
    if not light - dark >= _RISE:
        raise DamagedProfileError("a curve that does not rise")
    return curve


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"curv" and len(tag) >= 12:
        count = int.from_bytes(tag[8:12], "big")
        if count == 0:
            return lambda value: value
        if len(tag) < 12 + 2 * count:
            raise DamagedProfileError("a curve cut short")
        points = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            gamma = float(points[0]) / 256
            return lambda value: np.asarray(value**gamma)
        return lambda value: np.interp(value, np.linspace(0, 1, count), points / 65_535)
    if tag[:4] == b"para" and len(tag) >= 12:
        return _parametric(int.from_bytes(tag[8:10], "big"), tag[12:])
    raise DamagedProfileError("a curve of an unknown kind")


def _parametric(kind: int, data: bytes) -> Curve:
    """Functions 0 … 4 of ICC.1:2022, table 68: (a x + b)^g + e from the break d on, c x + f below it."""
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(kind)
    if count is None or len(data) < 4 * count:
        raise DamagedProfileError("a parametric curve of an unknown kind")
    g, *rest = (np.frombuffer(data, ">i4", count) / 65_536).tolist()
    a, b, c, d, e, f = (*rest, *[0.0] * 6)[:6] if kind else (1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    if kind in {1, 2}:
        e = f = c if kind == 2 else 0.0
        c, d = 0.0, (-b / a if a else 0.0)

    def curve(value: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        return np.asarray(np.where(value >= d, np.maximum(a * value + b, 0) ** g + e, c * value + f))

    return curve


def _through_tables(raster: Raster, profile: Profile) -> UInt8[np.ndarray, "h w 3"] | None:
    mode = {"rgb": "RGB", "grey": "L", "cmyk": "CMYK", "lab": "LAB"}[profile.model]
    samples = to_eight(raster.samples)
    if profile.model == "rgb":
        samples = np.repeat(samples, 3 // samples.shape[2], axis=2)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile.data))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if profile.model == "rgb":
        lattice = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), -1).reshape(-1, 1, 3).astype(np.uint8)
        turned = np.asarray(ImageCms.applyTransform(Image.fromarray(lattice), transform))
        if np.abs(turned.astype(int) - lattice).max() <= 1:  # within what 8 bits of LittleCMS round to
            return None
    image = _as_pillow(samples, mode)
    converted = ImageCms.applyTransform(image, transform)
    raster.notes.append(f"converted from the profile {profile.name!r} to sRGB")
    return np.array(converted, np.uint8)


def _as_pillow(samples: UInt8[np.ndarray, "h w c"], mode: str) -> Image.Image:
    height, width, _ = samples.shape
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(samples).tobytes())


def lab_to_srgb(samples: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """CIE L*a*b* (D50, as TIFF's ICCLab and CIELab) to sRGB."""
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return np.array(ImageCms.applyTransform(_as_pillow(samples, "LAB"), transform), np.uint8)


def _text(tag: bytes) -> str:
    """The text of a description: textDescriptionType of version 2, multiLocalizedUnicode of version 4."""
    if tag[:4] == b"desc" and len(tag) > 12:
        text = tag[12 : 12 + min(int.from_bytes(tag[8:12], "big"), 200)].decode("latin-1")
    elif tag[:4] == b"mluc" and len(tag) >= 28:
        length, offset = struct.unpack(">II", tag[20:28])
        text = tag[offset : offset + min(length, 400)].decode("utf-16-be", "replace")
    else:
        text = ""
    return " ".join("".join(c if c.isprintable() else " " for c in text.split("\0")[0]).split()) or "without a name"
