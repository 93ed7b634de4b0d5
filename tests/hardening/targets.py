"""Every reader that untrusted bytes can reach, with small seed files made here and the mutators that fit.

A target's `read` gives anything, or raises a VitiqError; whatever else happens is a finding.
"""

from __future__ import annotations

import functools
import io
import json
import os
import random
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mutators
import numpy as np
import profiles
from PIL import Image

from vitiq.errors import VitiqError

if TYPE_CHECKING:
    from vitiq.evaluation.parts import Parts
    from vitiq.evaluation.schema import Table
    from vitiq.evaluation.study import Study

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


_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def folder() -> Path:
    """For readers of paths; in memory where that is possible, and gone with the process that made it."""
    root = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    given = os.environ.get("VITIQ_HARDENING_FOLDER")
    if given is not None:
        return Path(given)
    _kept.append(tempfile.TemporaryDirectory(prefix="vitiq-hardening-", dir=root))
    return Path(_kept[-1].name)


def _file(name: str, data: bytes) -> Path:
    path = folder() / f"{os.getpid()}-{name}"
    path.write_bytes(data)
    return path


def _weights(data: bytes) -> object:
    from vitiq.weights.file import read_weights

    return read_weights(_file("w.safetensors", data), "vitiq-test", "test")


def _checkpoint(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        from vitiq.models.backbones.formats import read_state, to_timm

        return to_timm(read_state(_file(f"c{suffix}", data)), "checkpoint")

    return read


def _statistics(data: bytes) -> object:
    from vitiq.metrics.sets.moments import load_statistics

    return load_statistics(_file("s.npz", data))


# Results that vitiq keeps


def _study() -> Study:
    from vitiq.evaluation.study import Series, Study, StudyImage

    image = StudyImage("a.png", "/a.png", "ab" * 32, 4, 3, 99, ("grey repeated in three channels",))
    spec = json.dumps({"name": "jpeg", "options": {}})
    series = Series("jpeg", spec, "JPEG", "JPEG", ".jpg", rates=(("quality", 10.0),))
    return Study((image,), (series,), ("mse",), {"mse": "mse:v1"})


def _rows() -> dict[Table, dict[str, object]]:
    """One whole row of each table of the store, of the one task of `_study`."""
    (task,) = _study().tasks()
    encode = {
        "encode_key": task.key,
        "image_sha256": "ab" * 32,
        "codec": "jpeg",
        "label": "JPEG",
        "settings": "{}",
        "rate_kind": "quality",
        "rate_value": 10.0,
        "quality": 10.0,
        "reached": True,
        "width": 4,
        "height": 3,
        "bytes": 321,
        "encode_seconds": 0.1,
        "decode_seconds": 0.1,
        "notes": "[]",
        "error": None,
        "details": '{"extension": ".jpg", "kept": ["bitstreams"]}',
        "written": 1.0,
    }
    score = {"metric": "mse", "signature": "mse:v1", "value": 3.5, "details": "{}", "error": None, "written": 1.0}
    return {"encodes": encode, "scores": {"encode_key": task.key, **score}}


def _part_seeds(table: Table) -> list[bytes]:
    from vitiq.evaluation.parts import Parts

    with tempfile.TemporaryDirectory() as place:
        written = Parts(Path(place)).write(table, [_rows()[table]])
        assert written is not None
        return [written.read_bytes()]


def _store(table: Table) -> Callable[[bytes], object]:
    """Reads a store whose part of one table is `data`, and whose other part is whole."""

    def read(data: bytes) -> object:
        from vitiq.evaluation.rows import read_done, read_records

        root = folder() / f"{os.getpid()}-store-{table}"
        parts = _whole_store(root)
        (part,) = (path for paths in parts.files(table).values() for path in paths)
        part.write_bytes(data)
        read_done(parts, _study().signatures)
        return read_records(parts, _study())

    return read


@functools.cache
def _whole_store(root: Path) -> Parts:
    from vitiq.evaluation.parts import Parts

    parts = Parts(root)
    for table, row in _rows().items():
        parts.write(table, [row])
    return parts


def _study_seeds() -> list[bytes]:
    return [json.dumps(_study().to_json()).encode()]


def _study_json(data: bytes) -> object:
    from vitiq.evaluation.store import Store

    where = folder() / f"{os.getpid()}-study"
    (where / "studies").mkdir(parents=True, exist_ok=True)
    (where / "studies" / "one.json").write_bytes(data)
    return len(list(Store(where).study("one").tasks()))


# Text of people


def _study_file_seeds() -> list[bytes]:
    plain = (
        'images = ["a.png", "photos"]\ncodecs = ["jpeg@10:90:20", "avif@bpp=0.1,0.5"]\nmetrics = ["mse", "vit-score"]\n'
    )
    tables = (
        'images = ["a.png"]\nkeep = ["bitstreams"]\nweights = "vit.pth"\npanel = ["b.pth"]\n'
        'precomputed = ["other=folder,sizes.csv"]\n[[codec]]\nname = "jpeg"\nrates = [10, 20.5]\nbytes = [900]\n'
        'bpp = [0.5]\n[codec.options]\nsubsampling = "4:4:4"\n'
    )
    return [plain.encode(), tables.encode()]


def _study_file(data: bytes) -> object:
    from vitiq.evaluation.bench import read_study_file

    return read_study_file(_file("study.toml", data))


def _toml_seeds() -> list[bytes]:
    import vitiq.training

    folder = Path(str(vitiq.training.__path__[0])) / "configs"
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def _configuration(data: bytes) -> object:
    from vitiq.training.config import read_config
    from vitiq.training.recipes.codec import CodecTrainingConfig

    return read_config(_file("c.toml", data), "codec", CodecTrainingConfig)


def _opinion_seeds() -> list[bytes]:
    return [b"reference,distorted,mos,distortion\na.png,b.png,3.5,jpeg\na.png,c.png,1e0,blur\n"]


def _opinions(data: bytes) -> object:
    from vitiq.datasets.opinions import load_opinions

    where = folder() / f"{os.getpid()}-opinions"
    where.mkdir(exist_ok=True)
    for name in ("a.png", "b.png", "c.png"):
        (where / name).touch()
    (where / "mos.csv").write_bytes(data)
    return load_opinions(where)


def _anchor_seeds() -> list[bytes]:
    compressai = {"name": "x", "description": "d", "results": {"bpp": [0.1, 0.2], "psnr-rgb": [30.0, 32.0]}}
    own = b"image,codec,quality,bpp,psnr-rgb\na.png,jpeg,10,0.2,28.5\na.png,jpeg,20,0.4,31.5\n"
    return [json.dumps(compressai).encode(), own]


def _anchor(data: bytes) -> object:
    from vitiq.analysis.anchors import read_anchor

    return read_anchor(_file("a.json" if data[:1] == b"{" else "a.csv", data))


def _spec_seeds() -> list[bytes]:
    texts = ("avif[subsampling=4:4:4]@bpp=0.1,0.5", "jpeg@10:90:10,avif@bytes=1000", "jpeg+x,generative@q=3", "webp")
    return [text.encode() for text in texts]


def _spec(data: bytes) -> object:
    from vitiq.codecs.spec import parse_codecs

    return [rate.at(640, 480) for spec in parse_codecs(data.decode("utf-8", "replace")) for rate in spec.rates]


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
    "training-toml": Target(_toml_seeds, _configuration, (mutators.text,), 10_000),
    "study-file": Target(_study_file_seeds, _study_file, (mutators.text, mutators.blind), 40_000),
    "study-json": Target(_study_seeds, _study_json, (mutators.json_tree, mutators.text), 40_000),
    "store-encodes": Target(lambda: _part_seeds("encodes"), _store("encodes"), _PARTS, 2_000),
    "store-scores": Target(lambda: _part_seeds("scores"), _store("scores"), _PARTS, 2_000),
    "icc": Target(_icc_seeds, _icc, (mutators.icc, mutators.icc, mutators.blind), 60_000),
    "csv": Target(_opinion_seeds, _opinions, (mutators.text, mutators.blind), 20_000),
    "anchors": Target(_anchor_seeds, _anchor, (mutators.text, mutators.json_tree), 30_000),
    "codec-spec": Target(_spec_seeds, _spec, (mutators.text, mutators.blind), 100_000),
}
"""Reader -> how it is tried. The shares follow the cost: cheap readers carry most of the files."""
