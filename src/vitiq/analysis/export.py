"""A study's points in the forms of others: CSV, CompressAI's JSON, and the batches of Codec-Compare.

- CompressAI (github.com/InterDigitalInc/CompressAI, `results/`): one file a codec, means of the points at one setting.
- Codec-Compare (github.com/webmproject/codec-compare, README, "Plug data at serve time"): one batch a codec, a row a
  file; descriptions and values are lists of equal order.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from vitiq.analysis.anchors import FIXED
from vitiq.analysis.left_out import LeftOut, left_out, not_common
from vitiq.analysis.points import RdPoint, RecordLike, codecs_of, metrics_of
from vitiq.text import number

COMPRESSAI = {"ms-ssim": "ms-ssim-rgb"}
"""Our metric -> the key that CompressAI's plotters read."""

CODEC_COMPARE = {"psnr-rgb": "psnr", "ms-ssim": "msssim"}
"""Our metric -> the field that Codec-Compare knows; ssim, ssimulacra2, lpips and others bear one name."""

LOSSLESS_DB = 100.0
"""What stands for an infinite PSNR where a form has no infinity; Codec-Compare's own batches write it for lossless."""


class FileRecord(RecordLike, Protocol):
    """What a record must have beside a point to be one row of a batch."""

    @property
    def codec(self) -> str: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def quality(self) -> float | None: ...  # noqa: D102
    @property
    def details(self) -> Mapping[str, object]: ...  # noqa: D102


def to_rows(points: Sequence[RdPoint]) -> list[dict[str, str | float | None]]:
    """A mapping a point; infinity is "inf" or "-inf", a value that is not known or not defined None."""
    metrics = metrics_of(points)
    rows = []
    for p in points:
        row: dict[str, str | float | None] = {"image": p.image, "codec": p.codec, "setting": p.setting}
        row |= {name: number(float(getattr(p, name))) for name in FIXED[3:]}
        rows.append(row | {name: number(p.values.get(name, math.nan)) for name in metrics})
    return rows


def to_csv(points: Sequence[RdPoint]) -> str:
    """A row a point, a column a metric; infinity is written `inf`, what is undefined is empty."""
    metrics = metrics_of(points)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*FIXED, *metrics])
    for p in points:
        numbers = [*(getattr(p, name) for name in FIXED[3:]), *(p.values.get(name, math.nan) for name in metrics)]
        writer.writerow([p.image, p.codec, p.setting, *("" if math.isnan(v) else repr(float(v)) for v in numbers)])
    return text.getvalue()


def to_compressai(points: Sequence[RdPoint]) -> dict[str, dict[str, object]]:
    """Label -> CompressAI's table of means at each setting, by growing rate.

    The form has one rate for all metrics, so all means are over the same images (`averaged`). What is left out stands
    in the description; so does a metric that is still not finite everywhere, which would make the lists of different
    length.
    """
    held, said = averaged(points)
    return {codec: _compressai([p for p in held if p.codec == codec], codec, said) for codec in codecs_of(held)}


def averaged(points: Sequence[RdPoint]) -> tuple[list[RdPoint], list[str]]:
    """Points of the images that all means hold, and what is said of the others.

    An image is in them that every codec has at every setting, with a finite value of every metric at half of them or
    more. Where none is at every setting, as in a study at equal bytes, means are over different ones, which is said.
    """
    every = {p.image for p in points}
    without = dict(not_common((p.codec, p.image, p.setting) for p in points).images)
    said = []
    if len(without) == len(every):
        without = {}
        said = ["means over different images, as none is coded at every setting of all codecs"]
    lacking = without.copy()
    for metric in metrics_of(points):
        found = left_out((p.codec, p.image, p.values.get(metric, math.nan)) for p in points if p.image not in lacking)
        without |= found.images
    if len(without) == len(every):
        without = lacking
    said += LeftOut(without).summary(len(every))
    return [p for p in points if p.image not in without], said


def _compressai(own: Sequence[RdPoint], codec: str, said: Sequence[str]) -> dict[str, object]:
    groups = [[p for p in own if p.setting == s] for s in dict.fromkeys(p.setting for p in own)]
    groups.sort(key=lambda group: float(np.mean([p.bpp for p in group])))
    results = {"bpp": [float(np.mean([p.bpp for p in group])) for group in groups]}
    lost = []
    for metric in metrics_of(own):
        column = [float(np.mean([p.values.get(metric, math.nan) for p in group])) for group in groups]
        if np.isfinite(column).all():
            results[COMPRESSAI.get(metric, metric)] = column
        else:
            lost.append(metric)
    for key, name in (("encoding_time", "encode_seconds"), ("decoding_time", "decode_seconds")):
        column = [float(np.mean([getattr(p, name) for p in group])) for group in groups]
        results |= {key: column} if np.isfinite(column).all() else {}
    more = [f"without {', '.join(lost)}, not finite at every setting"] if lost else []
    about = "; ".join([f"{codec}, measured by vitiq", *said, *more])
    return {"name": codec, "description": about, "results": results}


def to_codec_compare(records: Sequence[FileRecord], *, time: str) -> dict[str, dict[str, object]]:
    """Label -> a batch of Codec-Compare, a row a file.

    Args:
        records: of a study; failed ones are left out.
        time: when the study was made, ISO 8601.
    """
    batches: dict[str, dict[str, object]] = {}
    for label in dict.fromkeys(r.label for r in records if r.error is None):
        own = [r for r in records if r.label == label and r.error is None]
        metrics = [
            name
            for name in dict.fromkeys(name for r in own for name in r.scores)
            if all(name in r.scores and not math.isnan(r.scores[name].value) for r in own)
        ]
        constants = {
            "name": ("Name of this batch", label),
            "codec": ("Name of the codec used to generate this data", own[0].codec),
            "version": ("Version of the codec used to generate this data", _version(own[0])),
            "time": ("Timestamp of when this data was generated", time),
        }
        fields = {
            "original_name": "Original image file name",
            "width": "Pixel columns in the original image",
            "height": "Pixel rows in the original image",
            "quality": "Compression quality parameter",
            "encoded_size": "Size of the encoded image file in bytes",
            "encoding_time": "Encoding duration in seconds",
            "decoding_time": "Decoding duration in seconds",
        } | {CODEC_COMPARE.get(m, m.replace("-", "_")): own[0].scores[m].signature for m in metrics}
        batches[label] = {
            "constant_descriptions": [{name: text} for name, (text, _) in constants.items()],
            "constant_values": [value for _, value in constants.values()],
            "field_descriptions": [{name: text} for name, text in fields.items()],
            "field_values": [_batch_row(r, metrics) for r in own],
        }
    return batches


def _batch_row(record: FileRecord, metrics: Sequence[str]) -> list[str | float]:
    quality = record.rate_value if record.quality is None else record.quality
    times = (_finite(record.encode_seconds) or 0.0, _finite(record.decode_seconds) or 0.0)
    values = (record.scores[name].value for name in metrics)
    return [
        record.image, record.width, record.height, quality, record.bytes, *times,
        *(v if math.isfinite(v) else math.copysign(LOSSLESS_DB, v) for v in values),
    ]  # fmt: skip


def _version(record: FileRecord) -> str:
    versions = record.details.get("versions")
    if isinstance(versions, Mapping):
        return ", ".join(f"{name} {version}" for name, version in versions.items())
    return "unknown"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def to_json(value: object) -> str:
    """Text of a table; never NaN or Infinity."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
