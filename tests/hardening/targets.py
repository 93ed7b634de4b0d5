"""Every reader that untrusted bytes can reach, with small seed files made here and the mutators that fit.

A target's `read` gives anything, or raises a VitiqError; whatever else happens is a finding.
"""

from __future__ import annotations

import functools
import io
import json
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mutators
import numpy as np
import profiles
import text_targets as texts
from PIL import Image
from places import write_file

from vitiq.errors import VitiqError

GOLDEN = Path(__file__).parents[1] / "golden" / "data"
SIDE = 9
"""Pixels of a seed image's side: decoders cost microseconds, all of their code is reached."""


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        seeds: whole files to start from.
        read: hands bytes to the reader.
        ways: mutators, one of which is taken a file.
        files: how many of a million files of a campaign it gets.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes], object]
    ways: tuple[mutators.Mutator, ...]
    files: int


@functools.cache
def seeds_of(name: str) -> list[bytes]:
    """The seed files of a target, made once."""
    return TARGETS[name].seeds()


def outcome(target: Target, data: bytes) -> str:
    """ "read", "refused", or the name of what else was raised."""
    try:
        target.read(data)
    except VitiqError:
        return "refused"
    except Exception as error:  # the finding
        return f"{type(error).__name__}: {error}"[:300]
    return "read"


def mutated(target_seeds: list[bytes], ways: tuple[mutators.Mutator, ...], rng: random.Random) -> bytes:
    """One damaged file; a mutator that its own earlier damage trips over gives way to blind damage."""
    data = target_seeds[rng.randrange(len(target_seeds))]
    for _ in range(rng.choice((1, 1, 1, 2))):
        try:
            data = ways[rng.randrange(len(ways))](rng, data)
        except Exception:
            data = mutators.blind(rng, data)
    return data


# Images


def _image(mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(5)
    colours = Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8), "RGBA")
    return (
        colours.convert(mode)
        if mode != "I;16"
        else Image.fromarray(rng.integers(0, 65_536, (SIDE, SIDE), dtype=np.uint16))
    )


def _saved(form: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    _image(mode).save(buffer, form, **options)
    return buffer.getvalue()


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _png() -> list[bytes]:
    modes = [_saved("PNG", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")]
    extras = _saved("PNG", exif=_exif(), icc_profile=_profile())
    animated = _saved("PNG", save_all=True, append_images=[_image().rotate(90)], duration=9)
    return [*modes, extras, animated]


def _jpeg() -> list[bytes]:
    kinds = [_saved("JPEG", mode, quality=60) for mode in ("L", "RGB", "CMYK")]
    return [*kinds, _saved("JPEG", progressive=True), _saved("JPEG", exif=_exif(), icc_profile=_profile())]


def _tiff() -> list[bytes]:
    import tifffile

    made = [_saved("TIFF", mode) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16")]
    made += [_saved("TIFF", compression=name) for name in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")]
    made.append(_saved("TIFF", "1", compression="group4"))
    deep = np.random.default_rng(6).integers(0, 65_536, (SIDE, SIDE, 3), dtype=np.uint16)
    for samples, options in (
        (deep, {"photometric": "rgb"}),
        (deep, {"photometric": "rgb", "compression": "zlib", "predictor": True}),
        (deep.transpose(2, 0, 1).copy(), {"photometric": "rgb", "planarconfig": "separate"}),
        ((deep / 65_535).astype(np.float32), {"photometric": "rgb"}),
        (deep, {"photometric": "rgb", "bigtiff": True, "tile": (16, 16)}),
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, samples, **options)
        made.append(buffer.getvalue())
    return made


def _webp() -> list[bytes]:
    return [
        _saved("WEBP"),
        _saved("WEBP", "RGBA", lossless=True),
        _saved("WEBP", "RGBA", quality=40),
        _saved("WEBP", exif=_exif(), icc_profile=_profile()),
        _saved("WEBP", save_all=True, append_images=[_image().rotate(90)], duration=9),
    ]


def _plain(form: str, *modes: str) -> Callable[[], list[bytes]]:
    return lambda: [_saved(form, mode) for mode in modes]


def _jxl() -> list[bytes]:
    import pillow_jxl  # noqa: F401 - registers the format

    return [_saved("JXL", mode, num_threads=1) for mode in ("RGB", "RGBA", "L")]


def _deep_jpeg2000() -> list[bytes]:
    from openjpeg.utils import encode_array

    deep = np.random.default_rng(0).integers(0, 4096, (33, 34, 4), dtype=np.uint16)
    whole = [(deep[:, :, :3].copy(), 1, True), (deep, 0, False)]
    return [
        bytes(encode_array(a, bits_stored=12, codec_format=form, photometric_interpretation=kind, use_mct=mct))
        for a, kind, mct in whole
        for form in (0, 1)
    ]


def _netpbm() -> list[bytes]:
    pam = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n12345678"
    floats = b"PF\n2 1\n-1.0\n" + np.linspace(0, 1, 6, dtype="<f4").tobytes()
    texts = [b"P3 2 1 9 1 2 3 4 5 6", b"P1 2 2 1010", b"P6 2 1 1000 " + bytes(12)]
    return [*_plain("PPM", "1", "L", "RGB")(), *texts, pam, floats]


def _decode(data: bytes, name: str = "file") -> object:
    from vitiq.image.read import decode_image

    return decode_image(data, name)


def _icc_seeds() -> list[bytes]:
    from PIL import ImageCms

    made = [ImageCms.ImageCmsProfile(ImageCms.createProfile(kind)).tobytes() for kind in ("sRGB", "LAB", "XYZ")]
    return [*made, profiles.gamma_profile(), profiles.table_profile()]


def _icc(data: bytes) -> object:
    from vitiq.image.colour_profile import to_srgb
    from vitiq.image.colour_space import UnsupportedColourError
    from vitiq.image.raster import Raster

    samples = np.arange(48, dtype=np.uint8).reshape(4, 3, 4)
    model = {b"GRAY": "grey", b"CMYK": "cmyk", b"Lab ": "lab"}.get(data[16:20], "rgb")
    channels = {"grey": 1, "cmyk": 4}.get(model, 3)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as decode_image does
            return to_srgb(Raster(samples[:, :, :channels], model), data)  # type: ignore[arg-type]
    except UnsupportedColourError as error:
        raise VitiqError(str(error)) from error


# Compressed files


def _viq_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(GOLDEN.glob("*.viq"))]


def _container(data: bytes) -> object:
    from vitiq.bitstream.container import unpack

    return unpack(data)


def _whole_viq() -> list[bytes]:
    return [(GOLDEN / name).read_bytes() for name in ("generative.viq", "inversion.viq", "inversion-vector.viq")]


def _decoded(data: bytes) -> object:
    from vitiq.codecs.detect import codec_of
    from vitiq.codecs.spec import make_codec

    return make_codec(codec_of(data)).decode(data)


def _inspected(data: bytes) -> object:
    from vitiq.codecs.detect import codec_of
    from vitiq.codecs.spec import make_codec

    return make_codec(codec_of(data)).inspect(data)


# Weights


def _state() -> dict[str, object]:
    import torch

    return {"patch_embed.proj.weight": torch.zeros(64, 3, 2, 2), "head.weight": torch.zeros(3, 64), "n": torch.ones(1)}


def _safetensors_seeds() -> list[bytes]:
    from safetensors.torch import save

    config = json.dumps({"format": "vitiq-test", "steps": 3})
    return [save(_state(), metadata={"vitiq_config": config}), save(_state())]  # type: ignore[arg-type]


def _pth_seeds() -> list[bytes]:
    import torch

    made = []
    for value in (_state(), {"state_dict": _state()}):
        for form in (True, False):
            buffer = io.BytesIO()
            torch.save(value, buffer, _use_new_zipfile_serialization=form)
            made.append(buffer.getvalue())
    return made


def _npz_seeds() -> list[bytes]:
    made = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, mu=np.zeros(3), sigma=np.eye(3), count=7, key="k", metric="m")
        made.append(buffer.getvalue())
    return made


def _weights(data: bytes) -> object:
    from vitiq.weights.file import read_weights

    return read_weights(write_file("w.safetensors", data), "vitiq-test", "test")


def _checkpoint(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        from vitiq.models.backbones.formats import read_state, to_timm

        return to_timm(read_state(write_file(f"c{suffix}", data)), "checkpoint")

    return read


def _statistics(data: bytes) -> object:
    from vitiq.metrics.sets.moments import load_statistics

    return load_statistics(write_file("s.npz", data))


_PARTS = (mutators.parquet, mutators.blind)

TARGETS: dict[str, Target] = {
    "viq": Target(_viq_seeds, _container, (mutators.viq, mutators.viq, mutators.blind), 260_000),
    "viq-inspect": Target(_viq_seeds, _inspected, (mutators.viq,), 1_000),
    "viq-decode": Target(_whole_viq, _decoded, (mutators.viq,), 300),
    "png": Target(_png, _decode, (mutators.png, mutators.png, mutators.blind), 100_000),
    "jpeg": Target(_jpeg, _decode, (mutators.jpeg, mutators.blind), 100_000),
    "tiff": Target(_tiff, _decode, (mutators.tiff, mutators.tiff, mutators.blind), 80_000),
    "webp": Target(_webp, _decode, (mutators.riff, mutators.blind), 50_000),
    "avif": Target(_plain("AVIF", "RGB", "RGBA"), _decode, (mutators.boxes,), 6_000),
    "jpeg2000": Target(_plain("JPEG2000", "L", "RGB", "I;16"), _decode, (mutators.boxes, mutators.blind), 20_000),
    "jpeg2000-deep": Target(_deep_jpeg2000, _decode, (mutators.boxes, mutators.blind), 10_000),
    "jxl": Target(_jxl, _decode, (mutators.boxes, mutators.blind), 6_000),
    "gif": Target(_plain("GIF", "L", "P"), _decode, (mutators.blind,), 30_000),
    "bmp": Target(_plain("BMP", "1", "L", "P", "RGB", "RGBA"), _decode, (mutators.blind,), 40_000),
    "netpbm": Target(_netpbm, _decode, (mutators.blind, mutators.text), 50_000),
    "tga": Target(
        _plain("TGA", "L", "P", "RGB", "RGBA"), lambda data: _decode(data, "x.tga"), (mutators.blind,), 30_000
    ),
    "safetensors": Target(_safetensors_seeds, _weights, (mutators.safetensors, mutators.blind), 80_000),
    "safetensors-backbone": Target(_safetensors_seeds, _checkpoint(".safetensors"), (mutators.safetensors,), 20_000),
    "pth": Target(_pth_seeds, _checkpoint(".pth"), (mutators.archive, mutators.blind), 10_000),
    "npz": Target(_npz_seeds, _statistics, (mutators.archive, mutators.blind), 20_000),
    "npz-backbone": Target(_npz_seeds, _checkpoint(".npz"), (mutators.archive,), 6_000),
    "training-toml": Target(texts.toml_seeds, texts.configuration, (mutators.text,), 10_000),
    "study-file": Target(texts.study_file_seeds, texts.study_file, (mutators.text, mutators.blind), 40_000),
    "study-json": Target(texts.study_seeds, texts.study_json, (mutators.json_tree, mutators.text), 40_000),
    "store-encodes": Target(lambda: texts.part_seeds("encodes"), texts.store("encodes"), _PARTS, 2_000),
    "store-scores": Target(lambda: texts.part_seeds("scores"), texts.store("scores"), _PARTS, 2_000),
    "icc": Target(_icc_seeds, _icc, (mutators.icc, mutators.icc, mutators.blind), 60_000),
    "csv": Target(texts.opinion_seeds, texts.opinions, (mutators.text, mutators.blind), 20_000),
    "anchors": Target(texts.anchor_seeds, texts.anchor, (mutators.text, mutators.json_tree), 30_000),
    "codec-spec": Target(texts.spec_seeds, texts.spec, (mutators.text, mutators.blind), 100_000),
}
"""Reader -> how it is tried. The shares follow the cost: cheap readers carry most of the files."""
