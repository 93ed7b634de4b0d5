"""Images with human opinion scores, read from the folders of the published data sets as they are published.

| layout | known by | opinions |
|---|---|---|
| TID2013 (TID2008) | `mos_with_names.txt`, `reference_images/`, `distorted_images/` | MOS 0 … 9 |
| LIVE release 2 | `refnames_all.mat`, `dmos_realigned.mat` or `dmos.mat`, `refimgs/`, `jp2k/` … | DMOS, negated |
| CSIQ | `csiq.DMOS.xlsx`, `src_imgs/`, `dst_imgs/` | DMOS 0 … 1, negated |
| KADID-10k | `dmos.csv`, `images/` | "DMOS" 1 … 5, where 5 is best |
| CID22 | `CID22_validation_set.csv` and the folders it names | MCOS 0 … 100 |
| PIPAL | `Train_Label/`, `Train_Ref/`, `Train_Dist/` or `Distortion_1/` … | Elo |
| plain | `mos.csv` with columns distorted, reference, mos and, if wanted, distortion | larger is better |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitiq.datasets.spreadsheet import read_sheet
from vitiq.errors import InputError
from vitiq.text import parse_csv


@dataclass(frozen=True, slots=True)
class Opinion:
    """One distorted image and what people think of it.

    Attributes:
        reference, distorted: files.
        distortion: its kind.
        quality: larger is better, on the data set's own scale.
    """

    reference: Path
    distorted: Path
    distortion: str
    quality: float


@dataclass(frozen=True, slots=True)
class OpinionSet:
    """A data set: its layout's name and every opinion."""

    layout: str
    opinions: tuple[Opinion, ...]


TID_DISTORTIONS = (
    "additive noise",
    "colour noise",
    "correlated noise",
    "masked noise",
    "high-frequency noise",
    "impulse noise",
    "quantisation noise",
    "blur",
    "denoising",
    "jpeg",
    "jpeg2000",
    "jpeg errors",
    "jpeg2000 errors",
    "non-eccentric pattern",
    "block-wise",
    "mean shift",
    "contrast",
    "saturation",
    "multiplicative noise",
    "comfort noise",
    "noisy compression",
    "colour quantisation",
    "chromatic aberrations",
    "sparse sampling",
)
"""Ponomarenko et al. 2015, Table 2, DOI 10.1016/j.image.2014.10.009; JPEG is 10 and JPEG 2000 is 11."""

KADID_DISTORTIONS = (
    "gaussian blur",
    "lens blur",
    "motion blur",
    "colour diffusion",
    "colour shift",
    "colour quantisation",
    "saturation 1",
    "saturation 2",
    "jpeg2000",
    "jpeg",
    "white noise",
    "white noise in colour",
    "impulse noise",
    "multiplicative noise",
    "denoise",
    "brighten",
    "darken",
    "mean shift",
    "jitter",
    "non-eccentric patch",
    "pixelate",
    "quantisation",
    "colour block",
    "high sharpen",
    "contrast change",
)
"""Lin, Hosu & Saupe 2019, Table I (KADID-10k), DOI 10.1109/QoMEX.2019.8743252; numbered from 01."""

LIVE_FOLDERS = (("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174))
"""Images a folder, in the order of the .mat files (LIVE release 2, readme.txt)."""

CSIQ_KINDS = {
    "noise": ("awgn", "AWGN"),
    "jpeg": ("jpeg", "JPEG"),
    "jpeg 2000": ("jpeg2000", "jpeg2000"),
    "fnoise": ("fnoise", "fnoise"),
    "blur": ("blur", "BLUR"),
    "contrast": ("contrast", "contrast"),
}
"""Kind in the table -> folder and part of the file name."""


def load_opinions(folder: Path) -> OpinionSet:
    """Every opinion of a data set in the layout found.

    Raises:
        InputError: no such folder, no known layout, a damaged table, or none of its images there.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder of a data set with opinion scores")
    for mark, (layout, read) in LAYOUTS.items():
        if (folder / mark).exists():
            try:
                found = tuple(read(folder))
            except (KeyError, ValueError, IndexError, TypeError, OSError) as error:
                raise InputError(
                    f"{folder / mark}: not as {layout} publishes it ({error!r}); unpack it again"
                ) from error
            present = tuple(o for o in found if o.reference.is_file() and o.distorted.is_file())
            if not present:
                example = f"{found[0].distorted} and {found[0].reference}" if found else "a table with rows"
                raise InputError(f"{folder}: looks like {layout}, but no image is there; expected {example}")
            return OpinionSet(layout, present)
    raise InputError(f"{folder}: no known layout; expected one of {', '.join(sorted(LAYOUTS))} in it")


class _Files:
    """Files of folders by name whatever the case: the data sets mix i01.bmp and I01.BMP."""

    def __init__(self, *folders: Path) -> None:
        self._found: dict[str, Path] = {}
        self._first = folders[0]
        for folder in folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
                self._found.setdefault(path.name.lower(), path)

    def __getitem__(self, name: str) -> Path:
        return self._found.get(name.lower(), self._first / name)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    yield from parse_csv(path.read_bytes().decode("utf-8-sig"))


def _plain(folder: Path) -> Iterator[Opinion]:
    for row in _rows(folder / "mos.csv"):
        distorted = folder / row["distorted"]
        kind = row.get("distortion") or distorted.parent.name
        yield Opinion(folder / row["reference"], distorted, kind, float(row["mos"]))


def _tid(folder: Path) -> Iterator[Opinion]:
    references, distorted = _Files(folder / "reference_images"), _Files(folder / "distorted_images")
    for line in (folder / "mos_with_names.txt").read_text(encoding="utf-8").split("\n"):
        if line.strip():
            mos, name = line.split()
            image, kind, _ = name.split(".")[0].split("_")
            number = int(kind)
            if not 1 <= number <= len(TID_DISTORTIONS):
                raise ValueError(f"distortion {number} in {name}")
            yield Opinion(references[f"{image}.bmp"], distorted[name], TID_DISTORTIONS[number - 1], float(mos))


def _live(folder: Path) -> Iterator[Opinion]:
    from scipy.io import loadmat  # noqa: PLC0415 - slow to import

    realigned = folder / "dmos_realigned.mat"
    scores = loadmat(realigned if realigned.exists() else folder / "dmos.mat")
    dmos = scores["dmos_new" if "dmos_new" in scores else "dmos"].ravel()
    originals = scores["orgs"].ravel()
    cells = loadmat(folder / "refnames_all.mat")["refnames_all"].ravel()
    names = [str(np.asarray(cell).item()) for cell in cells]
    place = 0
    for kind, count in LIVE_FOLDERS:
        for number in range(1, count + 1):
            if place < len(dmos) and not originals[place]:
                distorted = folder / kind / f"img{number}.bmp"
                yield Opinion(folder / "refimgs" / names[place], distorted, kind, -float(dmos[place]))
            place += 1


def _csiq(folder: Path) -> Iterator[Opinion]:
    references, distorted = _Files(folder / "src_imgs", folder), _Files(folder / "dst_imgs", folder)
    rows = read_sheet(folder / "csiq.DMOS.xlsx", "all_by_image")
    start, header = next((i, row) for i, row in enumerate(rows) if "image" in row and "dmos" in row)
    columns = {name: header.index(name) for name in ("image", "dst_type", "dst_lev", "dmos")}
    for row in rows[start + 1 :]:
        padded = [*row, *[""] * (len(header) - len(row))]
        image, kind, level, dmos = (padded[columns[name]] for name in columns)
        if not image:
            continue
        folder_name, token = CSIQ_KINDS[kind]
        stem = f"{float(image):.0f}" if image.replace(".", "", 1).isdigit() else image
        name = f"{stem}.{token}.{float(level):.0f}.png"
        yield Opinion(references[f"{stem}.png"], distorted[name], folder_name, -float(dmos))


def _kadid(folder: Path) -> Iterator[Opinion]:
    images = folder / "images"
    for row in _rows(folder / "dmos.csv"):
        kind = KADID_DISTORTIONS[int(row["dist_img"].split("_")[1]) - 1]
        yield Opinion(images / row["ref_img"], images / row["dist_img"], kind, float(row["dmos"]))


def _cid22(folder: Path) -> Iterator[Opinion]:
    for row in _rows(folder / "CID22_validation_set.csv"):
        if row["encoder"] != "Reference":
            distorted = folder / row["distorted_img"]
            yield Opinion(folder / row["reference_img"], distorted, row["encoder"], float(row["MCOS"]))


def _pipal(folder: Path) -> Iterator[Opinion]:
    references = _Files(folder / "Train_Ref")
    distorted = _Files(folder / "Train_Dist", *sorted(folder.glob("Distortion_*")))
    for table in sorted((folder / "Train_Label").glob("*.txt")):
        for line in table.read_text(encoding="utf-8").split("\n"):
            if line.strip():
                name, elo = line.split(",")
                image, kind, _ = name.split(".")[0].split("_")
                yield Opinion(references[f"{image}.bmp"], distorted[name], f"group {kind}", float(elo))


LAYOUTS: dict[str, tuple[str, Callable[[Path], Iterator[Opinion]]]] = {
    "mos_with_names.txt": ("TID2013", _tid),
    "refnames_all.mat": ("LIVE", _live),
    "csiq.DMOS.xlsx": ("CSIQ", _csiq),
    "dmos.csv": ("KADID-10k", _kadid),
    "CID22_validation_set.csv": ("CID22", _cid22),
    "Train_Label": ("PIPAL", _pipal),
    "mos.csv": ("plain", _plain),
}
"""File that gives a layout away -> its name and its reader."""
