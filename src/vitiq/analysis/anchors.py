"""Published rate-distortion tables as points, to stand beside a study's own.

| file | from | points |
|---|---|---|
| `.json` | CompressAI `results/`: `name`, `description`, `results` with `bpp` and a list a metric | means of a set |
| `.tsv` | Cool-Chic `results/`: a row an image with `rate_bpp`, `psnr_db`, `lmbda` | one an image |
| `.txt` | TensorFlow Compression `results/image_compression/`: comments, then `bpp, value` | means of a set |
| `.csv` | ILLM (NeuralCompression): `model, dataset, bpp` and a column a metric | means of a set |
| `.csv` | `vitiq rd`: `image, codec, setting, bpp` and a column a metric | one an image |
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from vitiq.analysis.labels import distinct_labels
from vitiq.analysis.points import RdPoint
from vitiq.errors import InputError
from vitiq.text import parse_csv, parse_json, read_text
from vitiq.wrong_kind import HEAD_BYTES, wrong_kind

METRICS = {
    "psnr": "psnr-rgb",
    "ms-ssim-rgb": "ms-ssim",
    "ms_ssim": "ms-ssim",
    "psnr_db": "psnr-rgb",
    "PSNR/sRGB/RGB": "psnr-rgb",
    "PSNR/sRGB/Y'": "psnr-y",
    "MS-SSIM/sRGB/RGB": "ms-ssim",
    "MS-SSIM/sRGB/Y'": "ms-ssim-y",
}
"""Published name -> ours; every other keeps its own."""

TIMES = {"encoding_time": "encode_seconds", "decoding_time": "decode_seconds"}

FIXED = ("image", "codec", "setting", "bytes", "bpp", "encode_seconds", "decode_seconds")
"""Columns of `vitiq rd` before those of the metrics."""


def read_anchors(paths: Iterable[Path]) -> list[RdPoint]:
    """Points of published tables; where two have a curve of one name, enough of the file's path is added to it.

    Raises:
        InputError: a file that cannot be read, or is no such table.
    """
    found: dict[Path, list[RdPoint]] = {path: read_anchor(path) for path in paths}
    labels = distinct_labels({path: [p.codec for p in points] for path, points in found.items()})
    return [replace(p, codec=labels[path, p.codec]) for path, points in found.items() for p in points]


def read_anchor(path: Path) -> list[RdPoint]:
    """Points of one published table, its layout known by its content.

    Raises:
        InputError: the file cannot be read, or is no such table.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); give a table of rate and distortion") from error
    try:
        points = _parse(text, path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"no column {error.args[0]}" if isinstance(error, KeyError) and error.args else str(error)
        kind = wrong_kind(text[:HEAD_BYTES].encode())
        raise InputError(
            f"{path}: this is {kind}"
            if kind
            else f"{path}: not a known table of rate and distortion ({said}); expected one of those that "
            "`vitiq bd --help` names"
        ) from error
    odd = next(((number, p.bpp) for number, p in enumerate(points, 1) if not 0 < p.bpp < math.inf), None)
    if odd is not None:
        raise InputError(
            f"{path}: point {odd[0]} has a rate of {odd[1]:g} bits per pixel, a number above 0 is expected; "
            "correct the table"
        )
    if not points:
        raise InputError(f"{path}: no points in it; expected rows of bits per pixel and a metric")
    return points


def _parse(text: str, path: Path) -> list[RdPoint]:
    if text.lstrip().startswith("{"):
        return _compressai(parse_json(text), path)
    if text.startswith("#"):
        return _tfc(text)
    header = text.split("\n", 1)[0].rstrip("\r")
    rows = parse_csv(text, "\t" if "\t" in header else ",")
    names = set(rows[0]) if rows else set()
    if {"rate_bpp", "psnr_db"} <= names:
        return [_coolchic(row, path) for row in rows]
    if {"model", "dataset", "bpp"} <= names:
        return _illm(rows)
    if {"image", "codec", "setting", "bpp"} <= names:
        return [_own(row) for row in rows]
    raise ValueError(f"columns {', '.join(sorted(names)) or 'none'}")


def _compressai(table: Mapping[str, object], path: Path) -> list[RdPoint]:
    results = table.get("results", table)
    if not isinstance(results, dict) or not isinstance(results.get("bpp"), list):
        raise ValueError("no list 'bpp' in 'results'")
    columns = {name: [float(v) for v in column] for name, column in results.items() if isinstance(column, list)}
    rates = columns.pop("bpp")
    uneven = [name for name, column in columns.items() if len(column) != len(rates)]
    if uneven:
        raise ValueError(f"{', '.join(uneven)}: not as many values as bpp")
    name = str(table.get("name") or path.stem)
    points = []
    for i, rate in enumerate(rates):
        values: dict[str, float] = {}
        times = dict.fromkeys(TIMES.values(), float("nan"))
        for key, column in columns.items():
            if key in TIMES:
                times[TIMES[key]] = column[i]
            else:
                metric, value = _renamed(key, column[i])
                values[metric] = value
        seconds = times["encode_seconds"], times["decode_seconds"]
        points.append(RdPoint(path.parent.name, name, f"point={i}", rate, values, float("nan"), *seconds, True))
    return points


def _renamed(key: str, value: float) -> tuple[str, float]:
    """Our name, and decibels of an MS-SSIM, -10 log10(1 - x), as the plain value."""
    if key in ("ms-ssim-db-rgb", "ms-ssim-db"):
        return "ms-ssim", 1 - 10 ** (-value / 10)
    return METRICS.get(key, key), value


def _tfc(text: str) -> list[RdPoint]:
    title = re.search(r'for "(?P<codec>[^"]+)" on (?P<set>\w+)', text)
    metric = re.search(r"second column contains (?P<metric>\S+) values", text)
    if title is None or metric is None:
        raise ValueError("comments without the codec and the metric")
    rows = [line.split(",") for line in text.split("\n") if line.strip() and not line.startswith("#")]
    name = METRICS.get(metric["metric"], metric["metric"])
    return [
        RdPoint(title["set"], title["codec"], f"point={i}", float(rate), {name: float(value)}, aggregate=True)
        for i, (rate, value) in enumerate(rows)
    ]


def _coolchic(row: Mapping[str, str], path: Path) -> RdPoint:
    image = row.get("seq_name") or row["seq"]
    version = next((part for part in reversed(path.parts[:-1]) if re.fullmatch(r"v\d+(\.\d+)*", part)), "")
    setting = f"lambda={float(row.get('lmbda') or row['lambda']):g}"
    rate, pixels = float(row["rate_bpp"]), float(row.get("n_pixels") or "nan")
    seconds = float(row.get("dec_time_all_sec") or "nan")
    values = {"psnr-rgb": float(row["psnr_db"])}
    return RdPoint(
        image, f"Cool-Chic {version}".strip(), setting, rate, values, rate * pixels / 8, decode_seconds=seconds
    )


def _illm(rows: Sequence[Mapping[str, str]]) -> list[RdPoint]:
    several = len({row["dataset"] for row in rows}) > 1
    points = []
    for i, row in enumerate(rows):
        values = dict(
            _renamed(key, float(text)) for key, text in row.items() if key not in ("model", "dataset", "bpp") and text
        )
        name = f"{row['model']} ({row['dataset']})" if several else row["model"]
        points.append(RdPoint(row["dataset"], name, f"point={i}", float(row["bpp"]), values, aggregate=True))
    return points


def _own(row: Mapping[str, str]) -> RdPoint:
    size, rate, encode, decode = (float(row.get(name) or "nan") for name in FIXED[3:])
    values = {name: float(text) for name, text in row.items() if name not in FIXED and text}
    return RdPoint(row["image"], row["codec"], row["setting"], rate, values, size, encode, decode)


def aligned(points: Sequence[RdPoint], anchors: Sequence[RdPoint]) -> list[RdPoint]:
    """Anchors with the image names of a study, where a name without its suffix is one of the study's."""
    stems: dict[str, str | None] = {}
    for image in dict.fromkeys(p.image for p in points):
        stem = PurePath(image).stem
        stems[stem] = None if stem in stems else image
    return [replace(p, image=stems.get(PurePath(p.image).stem) or p.image) if not p.aggregate else p for p in anchors]
