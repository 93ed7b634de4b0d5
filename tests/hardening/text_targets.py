"""Readers of text and of kept results, for `targets`: study files, configurations, tables, stores."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from places import folder, write_file

if TYPE_CHECKING:
    from vitiq.evaluation.parts import Parts
    from vitiq.evaluation.schema import Table
    from vitiq.evaluation.study import Study


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


def part_seeds(table: Table) -> list[bytes]:
    from vitiq.evaluation.parts import Parts

    with tempfile.TemporaryDirectory() as place:
        written = Parts(Path(place)).write(table, [_rows()[table]])
        assert written is not None
        return [written.read_bytes()]


def store(table: Table) -> Callable[[bytes], object]:
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


def study_seeds() -> list[bytes]:
    from vitiq.evaluation.published import PublishedPoint

    points = (PublishedPoint("VTM", "kodak", "point=0", 0.5, {"psnr-rgb": 30.0, "ms-ssim": "inf"}, aggregate=True),)
    return [json.dumps(made.to_json()).encode() for made in (_study(), replace(_study(), published=points))]


def study_json(data: bytes) -> object:
    from vitiq.evaluation.store import Store

    where = folder() / f"{os.getpid()}-study"
    (where / "studies").mkdir(parents=True, exist_ok=True)
    (where / "studies" / "one.json").write_bytes(data)
    return len(list(Store(where).study("one").tasks()))


# Text of people


def study_file_seeds() -> list[bytes]:
    plain = (
        'images = ["a.png", "photos"]\ncodecs = ["jpeg@10:90:20", "avif@bpp=0.1,0.5"]\nmetrics = ["mse", "vit-score"]\n'
    )
    tables = (
        'images = ["a.png"]\nkeep = ["bitstreams"]\nweights = "vit.pth"\npanel = ["b.pth"]\n'
        'precomputed = ["other=folder,sizes.csv"]\n[[codec]]\nname = "jpeg"\nrates = [10, 20.5]\nbytes = [900]\n'
        'bpp = [0.5]\n[codec.options]\nsubsampling = "4:4:4"\n'
    )
    return [plain.encode(), tables.encode()]


def study_file(data: bytes) -> object:
    from vitiq.evaluation.bench import read_study_file

    return read_study_file(write_file("study.toml", data))


def toml_seeds() -> list[bytes]:
    import vitiq.training

    folder = Path(str(vitiq.training.__path__[0])) / "configs"
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def configuration(data: bytes) -> object:
    from vitiq.training.config import read_config
    from vitiq.training.recipes.codec import CodecTrainingConfig

    return read_config(write_file("c.toml", data), "codec", CodecTrainingConfig)


def opinion_seeds() -> list[bytes]:
    return [b"reference,distorted,mos,distortion\na.png,b.png,3.5,jpeg\na.png,c.png,1e0,blur\n"]


def opinions(data: bytes) -> object:
    from vitiq.datasets.opinions import load_opinions

    where = folder() / f"{os.getpid()}-opinions"
    where.mkdir(exist_ok=True)
    for name in ("a.png", "b.png", "c.png"):
        (where / name).touch()
    (where / "mos.csv").write_bytes(data)
    return load_opinions(where)


def anchor_seeds() -> list[bytes]:
    compressai = {"name": "x", "description": "d", "results": {"bpp": [0.1, 0.2], "psnr-rgb": [30.0, 32.0]}}
    own = b"image,codec,quality,bpp,psnr-rgb\na.png,jpeg,10,0.2,28.5\na.png,jpeg,20,0.4,31.5\n"
    return [json.dumps(compressai).encode(), own]


def anchor(data: bytes) -> object:
    from vitiq.analysis.anchors import read_anchor

    return read_anchor(write_file("a.json" if data[:1] == b"{" else "a.csv", data))


def spec_seeds() -> list[bytes]:
    texts = ("avif[subsampling=4:4:4]@bpp=0.1,0.5", "jpeg@10:90:10,avif@bytes=1000", "jpeg+x,generative@q=3", "webp")
    return [text.encode() for text in texts]


def spec(data: bytes) -> object:
    from vitiq.codecs.spec import parse_codecs

    return [rate.at(640, 480) for spec in parse_codecs(data.decode("utf-8", "replace")) for rate in spec.rates]
