"""Data sets of coded images with opinion scores, as they are published.

| layout | known by | opinions |
|---|---|---|
| JPEG AIC-3 (CTC) | `decoded/info.csv` or `decoded/info_with_bitrates.csv`, `original/` | JND, negated |
| JPEG AIC-4 example | `JPEG_AIC_reconstructed_jnd_scores.csv`, `PTC_images/` | JND, negated; values of nine metrics |
| CID22 | `CID22_validation_set.csv` and the folders it names | MCOS 0 … 100 |
| mucped23 | `answers.csv`, `originals/`, a folder a method; `elo.csv` if there | Elo of each image, from its answers |
| mucped22 | `evaluations.json`, `originals/`, a folder a distortion | Elo of each image, as published |

Sources: AIC-3 and AIC-4: Testolina et al. 2025 (arXiv 2410.09501), Jenadeleh et al. 2025 (arXiv 2504.06301); CID22:
Sneyers, Ben Baruch & Vaxman 2023, cloudinary.com/labs/cid22. Tables of AIC-4 (jpeg-aic/JPEG-AIC-4-datasets on GitHub,
56723f7; names of its 300 images: e3497bc) and of mucped22 and mucped23 (google-research/google-research, 193eb9d) were
read as published. Archives of AIC-3 and CID22 were not at hand: their columns, folders and directions are those on
which two public programs agree that read them independently of each other (imazen/zensim, 2026, and one that asserts
CID22's 4341 rows of 49 references and AIC-3's columns).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitiq.datasets.elo import elo_scores
from vitiq.datasets.opinion import Choice, Opinion, OpinionSet
from vitiq.text import parse_csv, parse_json, read_text

AIC4_CODECS = {1: "AVIF", 2: "JPEG-1", 3: "JPEG-2000", 4: "JPEG-XL", 5: "VVC", 6: "JPEG-AI"}
"""Numbers of AIC-4's table, as its file names resolve them."""

AIC4_KEYS = {
    "PSNR-Y": "psnr-y",
    "SSIM": "ssim-y",
    "MS-SSIM": "ms-ssim-y",
    "IW-SSIM": "iw-ssim",
    "VMAF-neg": "vmaf-neg",
    "SSIMULACRA2": "ssimulacra2",
    "HDR-VDP-2 Q": "hdr-vdp-2",
    "HDR-VDP-3 Q": "hdr-vdp-3",
    "CVVDP": "cvvdp",
}
"""Columns of AIC-4's table of metrics -> their key here; each is larger for better images."""

LEARNED = frozenset({"jpeg-ai", "jpegai", "vtm-ai", "hific", "ilo", "cheng2020", "elic", "tcm", "mlic", "generative"})
"""Codecs that are neural networks, as data sets write them, in lower case."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a header; rows without any text, which some sets put between codecs, are left out."""
    for row in parse_csv(read_text(path)):
        if any(value and value.strip() for value in row.values() if isinstance(value, str)):
            yield row


def is_learned(codec: str, more: frozenset[str] = frozenset()) -> bool:
    """Whether a codec is a neural network.

    Args:
        codec: as its data set writes it.
        more: further names, in lower case.
    """
    name = codec.lower()
    return name in LEARNED or name in more or any(name.startswith(f"{known}-") for known in LEARNED)


def aic3(folder: Path) -> OpinionSet:
    """The set that JPEG's common test conditions of AIC-3 use: 10 references, 6 codecs, 10 levels.

    The table's `quality` numbers the levels from the weakest distortion on, about 0.25 JND each; `quality.selected` is
    the encoder's own number, whose direction differs from codec to codec.
    """
    table = folder / "decoded" / "info_with_bitrates.csv"
    if not table.exists():
        table = folder / "decoded" / "info.csv"
    found, in_bits = [], False
    for row in rows(table):
        name, codec, level = row["img.name"], row["codec"].strip(), row["quality"]
        bits = row.get("bpp") or ""
        in_bits = in_bits or bool(bits)
        # score.jnd is already negative: further below zero is further from the reference.
        rate = float(bits) if bits else float(level)
        distorted = folder / "decoded" / name / f"{codec}_{name}_{level}.png"
        found.append(Opinion(folder / "original" / f"{name}.png", distorted, codec, float(row["score.jnd"]), rate))
    return OpinionSet("AIC-3", tuple(found), "JND", "bits per pixel" if in_bits else "level")


def aic4(folder: Path) -> OpinionSet:
    """The example set of JPEG AIC-4: 5 references, 6 codecs, 10 levels, and what it publishes of nine metrics."""
    values: dict[str, dict[str, float]] = {}
    table = folder / "JPEG-AIC_metric_scores.csv"
    if table.exists():
        for row in rows(table):
            values[row["img_distorted"]] = {key: float(row[name]) for name, key in AIC4_KEYS.items() if row.get(name)}
    found = []
    for row in rows(folder / "JPEG_AIC_reconstructed_jnd_scores.csv"):
        images = folder / "PTC_images" / f"{int(row['img_num']):05d}"
        source, distorted = images / row["img_source"], images / row["img_distorted"]
        codec, level = AIC4_CODECS[int(row["codec"])], float(row["dlevel"])
        published = values.get(row["img_distorted"], {})
        found.append(Opinion(source, distorted, codec, -float(row["distortion"]), level, published))
    return OpinionSet("AIC-4", tuple(found), "JND", "level")


def cid22(folder: Path) -> OpinionSet:
    """The validation part of CID22: 49 references."""
    found = []
    for row in rows(folder / "CID22_validation_set.csv"):
        if row["encoder"] != "Reference":
            rate = float(row["bpp"]) if row.get("bpp") else math.nan
            images = folder / row["reference_img"], folder / row["distorted_img"]
            found.append(Opinion(*images, row["encoder"], float(row["MCOS"]), rate))
    return OpinionSet("CID22", tuple(found), "MCOS", "bits per pixel")


def mucped23(folder: Path) -> OpinionSet:
    """Answers A and B name the image that looked further from the original (compute_elo.ipynb counts them so)."""
    answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows(folder / "answers.csv"):
        pair = row["methodA"], row["methodB"]
        better = pair[1] if {"A": True, "B": False}[row["answerValue"]] else pair[0]
        answers[row["originalName"]].append((better, pair[0] if better == pair[1] else pair[1]))
    methods = {row["method"]: row for row in rows(folder / "elo.csv")} if (folder / "elo.csv").exists() else {}
    found, choices = [], []
    for name, pairs in answers.items():
        order = sorted({method for pair in pairs for method in pair})
        wins = np.zeros((len(order), len(order)), np.int64)
        for better, worse in pairs:
            wins[order.index(better), order.index(worse)] += 1
            choices.append(Choice(*(folder / method / f"{name}.png" for method in (better, worse))))
        for method, elo in zip(order, elo_scores(wins), strict=True):
            listed = methods.get(method, {})
            codec = listed.get("label") or method.rsplit("-q", 1)[0]
            rate = float(listed.get("bpp") or math.nan)
            images = folder / "originals" / f"{name}.png", folder / method / f"{name}.png"
            found.append(Opinion(*images, codec, float(elo), rate))
    return OpinionSet("mucped23", tuple(found), "Elo", "bits per pixel" if methods else "", tuple(choices))


def mucped22(folder: Path) -> OpinionSet:
    """Whole images; people saw crops of them. The README's advice what to discard changes no published Elo."""
    scores: dict[tuple[str, str], float] = {}
    for answer in parse_json(read_text(folder / "evaluations.json")):
        for side in ("greater", "lesser"):
            scores[answer["image"], answer[side]] = float(answer[f"{side}_elo"])
    found = [
        Opinion(folder / "originals" / image, folder / kind / image, kind, elo) for (image, kind), elo in scores.items()
    ]
    return OpinionSet("mucped22", tuple(found), "Elo")
