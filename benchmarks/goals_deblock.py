"""The correction of JPEG artefacts: LIVE1, Classic5 and BSDS500's test part by PSNR, PSNR-B and SSIM; peers.

Sub-folders of $VITIQ_DATA: `live1` (29 colour images), `classic5` (5 grey ones), `bsds500` (200 test images); where
each comes from stands in docs/howto/restore-jpegs.md. jpegqs, where it is installed, is measured beside it.
"""

from __future__ import annotations

import io
import math
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from goals import AbsentError, Figure, kodak, needed, psnr, scores, short, teachers
from goals_codec import Curve, compared, curve
from PIL import Image

from vitiq.codecs.base import Codec
from vitiq.codecs.classical.pillow import Avif, Jpeg, WebP
from vitiq.codecs.spec import make_codec
from vitiq.filters.deblock.filter import restore_jpeg
from vitiq.metrics.fidelity.ssim import WANG, mean_similarity
from vitiq.types import ImageU8, Quality

GOALS = {10: 29.0, 20: 31.3, 30: 32.7}
PUBLISHED = {
    10: "JPEG 27.77 (PSNR-B 25.33), DnCNN 29.19, QGAC 29.51, FBCNN 29.75",
    20: "JPEG 30.07 (PSNR-B 27.57), DnCNN 31.59, QGAC 31.83, FBCNN 32.13",
    30: "JPEG 31.41 (PSNR-B 28.92), DnCNN 32.98, QGAC 33.20, FBCNN 33.54",
}
"""Of LIVE1 in grey, as the papers give them."""

EVERY_QUALITY = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90)
EVERY_NTH = 3
"""Of LIVE1, for all these qualities."""
LADDER = (5, 10, 20, 30, 45, 60, 80)
RATES = (0.25, 1.2)
VIT_QUALITY = (5, 10, 20)

Grey = np.ndarray
Restore = Callable[[bytes], ImageU8]


def psnr_b(reference: Grey, found: Grey) -> float:
    """PSNR with the blocking effect factor added to the squared error (Yim and Bovik 2011,
    DOI 10.1109/TIP.2010.2053549), as BasicSR and FBCNN compute it."""
    reference, found = reference.astype(np.float64), found.astype(np.float64)
    height, width = found.shape
    sums, counts = np.zeros(2), np.zeros(2)
    for differences, size, other in (
        (np.square(np.diff(found, axis=1)).sum(axis=0), width, height),
        (np.square(np.diff(found, axis=0)).sum(axis=1), height, width),
    ):
        ends = np.arange(size - 1) % 8 == 7
        sums += differences[ends].sum(), differences[~ends].sum()
        at_ends = other * (size / 8 - 1)
        counts += at_ends, other * (size - 1) - at_ends
    at_borders, inside = sums / counts
    share = math.log2(8) / math.log2(min(height, width)) if at_borders > inside else 0.0
    error = np.square(reference - found).mean() + share * (at_borders - inside)
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def ssim(reference: Grey, found: Grey) -> float:
    """SSIM of grey images, Gaussian window of 11 pixels (Wang et al. 2004)."""
    planes = [np.ascontiguousarray(image[:, None, :]) for image in (reference, found)]
    return float(mean_similarity(planes[0], planes[1], WANG)[0].mean())


def luma(image: ImageU8) -> Grey:
    """Luma as MATLAB's rgb2ycbcr gives it, 16 … 235: what the published grey figures are of."""
    weighted = image.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16
    return np.round(weighted).astype(np.uint8)


def images(folder: Path) -> list[ImageU8]:
    """All images of a folder in RGB."""
    found = [p for p in sorted(needed(folder).iterdir()) if p.suffix in {".bmp", ".png", ".jpg"}]
    if not found:
        raise AbsentError(f"{folder} holds no images")
    return [np.asarray(Image.open(p).convert("RGB")) for p in found]


def coded(image: np.ndarray, quality: int) -> bytes:
    """A JPEG of Pillow's, 4:2:0 in colour."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def plain(data: bytes) -> ImageU8:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def deblocked(data: bytes) -> ImageU8:
    return restore_jpeg(data, "JPEG")[0]


def jpegqs(data: bytes) -> ImageU8:
    """The output of jpegqs (Debian 1.20210408), a JPEG with finer steps, at its default settings."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.jpg"), Path(folder, "b.jpg")
        source.write_bytes(data)
        subprocess.run(["jpegqs", "-i", "0", str(source), str(target)], check=True, capture_output=True)
        return plain(target.read_bytes())


def grey_figures(references: Sequence[Grey], quality: int, restore: Restore) -> tuple[float, float, float]:
    """Mean PSNR, PSNR-B and SSIM."""
    rows = []
    for reference in references:
        found = restore(coded(reference, quality))[..., 0]
        rows.append((psnr(reference, found), psnr_b(reference, found), ssim(reference, found)))
    a, b, c = np.mean(rows, axis=0)
    return float(a), float(b), float(c)


def grey_set(name: str, references: Sequence[Grey], *, goals: bool) -> Iterator[Figure]:
    """A test set in grey at three qualities, with JPEG and jpegqs beside."""
    for quality, target in GOALS.items():
        before = grey_figures(references, quality, plain)
        found = grey_figures(references, quality, deblocked)
        note = f"JPEG {before[0]:.2f} dB, PSNR-B {before[1]:.2f} dB, SSIM {before[2]:.4f}"
        if shutil.which("jpegqs"):
            peer = grey_figures(references, quality, jpegqs)
            note += f"; jpegqs {peer[0]:.2f}, {peer[1]:.2f}, {peer[2]:.4f}"
        if goals:
            note += f"; published: {PUBLISHED[quality]}"
        goal = target if goals else None
        label = f"{name}, grey, quality {quality}"
        yield Figure(f"{label}: PSNR", found[0], goal, unit=" dB", note=note)
        gap = 0.3 if goals else None
        yield Figure(f"{label}: PSNR less PSNR-B", found[0] - found[1], gap, at_least=False, unit=" dB")
        yield Figure(f"{label}: SSIM", found[2], before[2], note="goal: JPEG's")


def every_quality(references: Sequence[Grey]) -> Iterator[Figure]:
    """Gain over JPEG at each quality, and over jpegqs: the least of all."""
    peer = bool(shutil.which("jpegqs"))
    over_jpeg, over_peer = {}, {}
    for quality in EVERY_QUALITY:
        found = grey_figures(references, quality, deblocked)[0]
        over_jpeg[quality] = found - grey_figures(references, quality, plain)[0]
        if peer:
            over_peer[quality] = found - grey_figures(references, quality, jpegqs)[0]
    for name, gains in (("JPEG", over_jpeg), ("jpegqs", over_peer)):
        if gains:
            note = ", ".join(f"{quality}: {gain:+.2f}" for quality, gain in gains.items())
            yield Figure(
                f"LIVE1, grey: least gain over {name}, qualities 5-90", min(gains.values()), 0.0, unit=" dB", note=note
            )


def colour_set(name: str, references: Sequence[ImageU8]) -> Iterator[Figure]:
    """PSNR over RGB, 4:2:0."""
    for quality in GOALS:
        before = float(np.mean([psnr(x, plain(coded(x, quality))) for x in references]))
        found = float(np.mean([psnr(x, deblocked(coded(x, quality))) for x in references]))
        note = "goal: JPEG's"
        if shutil.which("jpegqs"):
            note += f"; jpegqs {np.mean([psnr(x, jpegqs(coded(x, quality))) for x in references]):.2f} dB"
        yield Figure(f"{name}, colour 4:2:0, quality {quality}: PSNR", found, before, unit=" dB", note=note)


def towards_others(references: Sequence[ImageU8]) -> Iterator[Figure]:
    """BD-rate against WebP and AVIF, of JPEG alone and corrected."""
    curves: dict[str, Curve] = {}
    filtered: Codec = make_codec("jpeg+deblock")
    for title, codec in (("JPEG", Jpeg()), ("jpeg+deblock", filtered)):
        curves[title] = curve(codec, LADDER, references)
    for kind, ladder in ((WebP, (0, 10, 25, 45, 65, 80, 90)), (Avif, (10, 20, 30, 40, 50, 60, 70))):
        anchor = curve(kind(), ladder, references)
        for title, own in curves.items():
            yield compared(
                f"{title}: BD-rate against {kind.title}", anchor, own, RATES, note=f"{len(references)} images"
            )
    yield compared("jpeg+deblock: BD-rate against JPEG", curves["JPEG"], curves["jpeg+deblock"], RATES, goal=0.0)


def meaning(data: Path, references: Sequence[ImageU8]) -> Iterator[Figure]:
    """ViT-Scores of JPEG and of the corrected images."""
    for backbone in teachers(data):
        for quality in VIT_QUALITY:
            files = [Jpeg().encode(x, Quality(quality)) for x in references]
            before, found = (
                float(scores(backbone, references, [restore(f) for f in files]).mean())
                for restore in (plain, deblocked)
            )
            note = f"goal: JPEG's; {len(references)} Kodak images"
            yield Figure(f"jpeg+deblock, quality {quality}: ViT-Score by {short(backbone)}", found, before, note=note)


def part(data: Path) -> Iterator[Figure]:
    """All of it."""
    live1 = images(data / "live1")
    grey = [luma(x) for x in live1]
    yield from grey_set("LIVE1", grey, goals=True)
    yield from every_quality(grey[::EVERY_NTH])
    yield from colour_set("LIVE1", live1)
    if (data / "classic5").is_dir():
        yield from grey_set("Classic5", [x[..., 0] for x in images(data / "classic5")], goals=False)
    if (data / "bsds500").is_dir():
        yield from grey_set("BSDS500, test part", [luma(x) for x in images(data / "bsds500")], goals=False)
    photos = kodak(data)
    yield from towards_others(photos)
    yield from meaning(data, photos)
