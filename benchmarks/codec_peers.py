"""The metrics that codec people quote, as their reference programs compute them, from two uint8 images to a number.

pip install piq==0.8.0 iqa-pytorch==0.1 psnr-hvsm==0.3.0 pytorch-msssim==1.0.0 scikit-image cvvdp imageio-ffmpeg
vmaf-torch==1.1.0 pandas yuvio, all with --no-deps beside torch and torchvision. `ssimulacra2` is the C++ program of
cloudinary/ssimulacra2 2.1, built from source (Debian: libhwy-dev, liblcms2-dev, libjpeg-dev, libpng-dev), once as it is
and once with `ssimulacra2_double.patch`; `butteraugli_main` is in libjxl-devtools.
iqa-pytorch calls torch.rfft, which torch has no more: it is given back here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metric_peers import Call, Peer, Program, _module, prepare

from vitiq.image.colour import luma709, yuv709_10bit_plane
from vitiq.image.io import write_png
from vitiq.metrics.perceptual.vmaf import program as ffmpeg
from vitiq.types import ImageU8

F32, F64 = torch.float32, torch.float64


def _rgb(image: ImageU8, kind: torch.dtype, scale: float = 1) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].to(kind) / scale


def _luma(image: ImageU8, kind: torch.dtype, scale: float = 1, ten: bool = False) -> torch.Tensor:
    plane = yuv709_10bit_plane(image, 0) * (255 / 1023) if ten else luma709(image)
    return torch.from_numpy(plane)[None, None].to(kind) / scale


def _iqa() -> Any:
    def rfft(x: torch.Tensor, _: int, onesided: bool) -> torch.Tensor:
        assert not onesided
        return torch.view_as_real(torch.fft.fft2(x))

    def ifft(x: torch.Tensor, _: int) -> torch.Tensor:
        return torch.view_as_real(torch.fft.ifft2(torch.view_as_complex(x.contiguous())))

    vars(torch).update(rfft=rfft, ifft=ifft)  # gone from torch since, and called by it
    return _module("IQA_pytorch")


def _iqa_peers(ten: bool) -> list[Peer]:
    iqa = _iqa()
    vif, nlpd, fsim = iqa.VIFs(channels=1), iqa.NLPD(channels=1), iqa.FSIM(channels=3)

    def on_luma(model: Any) -> Call:
        return lambda a, b: float(model(*(_luma(i, F32, 255, ten) for i in (b, a)), as_loss=False))

    end = "@jpeg-ai-cttc" if ten else ""
    peers = [
        Peer(f"vif{end}", "iqa-pytorch", "VIFs(channels=1) on Y, float32", on_luma(vif), 2e-3),
        Peer(f"nlpd{end}", "iqa-pytorch", "NLPD(channels=1) on Y", on_luma(nlpd), 3e-6),
    ]
    if not ten:
        colour = lambda a, b: float(fsim(*(_rgb(i, F32, 255) for i in (b, a)), as_loss=False))  # noqa: E731
        peers.append(Peer("fsim", "iqa-pytorch", "FSIM(channels=3)", colour, 1e-5))
    return peers


def _piq_peers() -> list[Peer]:
    """piq's functions take the distorted image first, and the target second."""
    piq = _module("piq")

    def iw(kind: torch.dtype, ten: bool = False) -> Call:
        work = piq.information_weighted_ssim
        return lambda a, b: float(work(*(_luma(i, kind, 1, ten) for i in (b, a)), data_range=255))

    def rgb(function: Callable[..., Any], kind: torch.dtype) -> Call:
        return lambda a, b: float(function(*(_rgb(i, kind) for i in (b, a)), data_range=255))

    return [
        Peer("iw-ssim", "piq", "information_weighted_ssim on BT.709 Y, float64", iw(F64), 1e-9),
        Peer("iw-ssim", "piq", "the same, float32", iw(F32), 1e-3),
        Peer("iw-ssim@jpeg-ai-cttc", "piq", "information_weighted_ssim on Y of 10 bits, float64", iw(F64, True), 1e-9),
        Peer("fsim", "piq", "fsim, float32", rgb(piq.fsim, F32), 2e-3),
        Peer("gmsd", "piq", "gmsd, float64", rgb(piq.gmsd, F64), 1e-9),
        Peer("gmsd", "piq", "gmsd, float32", rgb(piq.gmsd, F32), 1e-5),
        Peer("haarpsi", "piq", "haarpsi, float64", rgb(piq.haarpsi, F64), 1e-9),
        Peer("haarpsi", "piq", "haarpsi, float32", rgb(piq.haarpsi, F32), 1e-4),
    ]


def _hvs_peers() -> list[Peer]:
    hvs = _module("psnr_hvsm")

    def run(which: int, ten: bool) -> Call:
        def value(a: ImageU8, b: ImageU8) -> float:
            planes = []
            for image in (a, b):
                y = yuv709_10bit_plane(image, 0) / 1023 if ten else hvs.bt601ycbcr(image)[0]
                planes.append(np.pad(y, ((0, -y.shape[0] % 8), (0, -y.shape[1] % 8)), mode="edge"))
            return float(hvs.psnr_hvs_hvsm(*planes)[which])

        return value

    return [
        Peer("psnr-hvs", "psnr-hvsm", "psnr_hvs_hvsm of bt601ycbcr", run(0, False), 1e-9),
        Peer("psnr-hvs-m", "psnr-hvsm", "psnr_hvs_hvsm of bt601ycbcr", run(1, False), 1e-9),
        Peer("psnr-hvs@jpeg-ai-cttc", "psnr-hvsm", "psnr_hvs_hvsm of Y of 10 bits", run(0, True), 1e-9),
    ]


def _other_packages() -> list[Peer]:
    colour, ms = _module("skimage.color"), _module("pytorch_msssim")

    def ciede(a: ImageU8, b: ImageU8) -> float:
        return float(colour.deltaE_ciede2000(colour.rgb2lab(a), colour.rgb2lab(b)).mean())

    def ms_ssim(ten: bool) -> Call:
        return lambda a, b: float(ms.ms_ssim(_luma(a, F64, 1, ten), _luma(b, F64, 1, ten), data_range=255))

    def psnr(plane: int) -> Call:
        work = _module("skimage.metrics").peak_signal_noise_ratio
        return lambda a, b: float(work(*(yuv709_10bit_plane(image, plane) for image in (a, b)), data_range=1023))

    planes = {"psnr-y@jpeg-ai-cttc": "Y", "psnr-u": "U", "psnr-v": "V"}
    return [
        *(
            Peer(name, "scikit-image", f"peak_signal_noise_ratio of {plane} of 10 bits", psnr(index), 1e-9)
            for index, (name, plane) in enumerate(planes.items())
        ),
        Peer("ciede2000", "scikit-image", "mean of deltaE_ciede2000", ciede, 1e-5),
        Peer("ms-ssim-y@jpeg-ai-cttc", "pytorch-msssim", "ms_ssim on Y of 10 bits, float64", ms_ssim(True), 1e-5),
    ]


def _cvvdp() -> list[Peer]:
    """ColorVideoVDP as its README calls it."""
    package = _module("pycvvdp")
    model = package.cvvdp(display_name="standard_4k", quiet=True, device=torch.device("cpu"))
    return [Peer("cvvdp", "cvvdp", "predict, standard_4k", lambda a, b: float(model.predict(b, a, "HWC")[0]), 1e-5)]


def by_program(program: str, pattern: str, *settings: str) -> Call:
    """A program that reads two PNG files."""

    def run(a: ImageU8, b: ImageU8) -> float:
        with tempfile.TemporaryDirectory() as name:
            paths = [Path(name) / "a.png", Path(name) / "b.png"]
            for path, image in zip(paths, (a, b), strict=True):
                write_png(path, image)
            done = subprocess.run([program, *map(str, paths), *settings], capture_output=True, text=True, check=True)
        found = re.search(pattern, done.stdout)
        assert found is not None, done.stdout
        return float(found[1])

    return run


def _programs(ssimulacra2: str | None, double: str | None) -> list[Peer]:
    peers: list[Peer] = []
    name = "cloudinary/ssimulacra2 2.1 (C++)"
    for program, source, tolerance in ((ssimulacra2, name, 0.2), (double, f"{name}, sums in double precision", 5e-4)):
        if program:
            run = by_program(program, r"(-?[0-9.]+)")
            peers.append(Program("ssimulacra2", source, "ssimulacra2 a.png b.png", run, tolerance))
    if shutil.which("butteraugli_main"):
        settings = ("--intensity_target", "80", "--pnorm", "3")
        run = by_program("butteraugli_main", r"3-norm: ([0-9.]+)", *settings)
        peers.append(Program("butteraugli", "libjxl 0.7", " ".join(["butteraugli_main", *settings]), run, 1e-6))
    return peers


ZSCALE = (
    "format=gbrp,zscale=matrixin=gbr:rangein=full:matrix=709:range=full:primariesin=709:transferin=709:primaries=709"
    ":transfer=709:dither=none,format=yuv444p10le"
)
"""BT.709, full range, 10 bits by zimg; ffmpeg's own `scale` rounds more coarsely, which moves VMAF by up to 0.5."""


def _vmaf() -> list[Peer]:
    """libvmaf on ffmpeg's own planes of PNG files, and the model written anew in torch."""
    found = ffmpeg()
    if found is None:
        return []
    program, release = found

    def by_ffmpeg(a: ImageU8, b: ImageU8) -> float:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, image in (("a.png", a), ("b.png", b)):
                write_png(folder / file, image)
            model = "libvmaf=log_fmt=json:log_path=score.json:model=version=vmaf_v0.6.1"
            graph = f"[0:v]{ZSCALE}[b];[1:v]{ZSCALE}[a];[b][a]{model}"
            begin = [program, "-hide_banner", "-loglevel", "error", "-i", "b.png", "-i", "a.png"]
            subprocess.run([*begin, "-lavfi", graph, "-f", "null", "-"], cwd=folder, capture_output=True, check=True)
            return float(json.loads((folder / "score.json").read_text("utf-8"))["frames"][0]["metrics"]["vmaf"])

    peers: list[Peer] = [Program("vmaf", f"ffmpeg {release}", "libvmaf of PNG files by zscale", by_ffmpeg, 5e-3)]
    try:
        network = _module("vmaf_torch").VMAF(enable_motion=False, clip_score=True).double()
    except ImportError:
        return peers

    def by_torch(a: ImageU8, b: ImageU8) -> float:
        if min(a.shape[:2]) < 64:
            raise ValueError("its borders are others than libvmaf's, which counts in an image of some ten pixels")
        planes = (torch.from_numpy(yuv709_10bit_plane(image, 0) / 4.0)[None, None] for image in (a, b))
        return float(network(*planes))

    call = "VMAF(enable_motion=False, clip_score=True) on Y of 10 bits, float64"
    return [*peers, Peer("vmaf", "vmaf-torch", call, by_torch, 0.1)]


def codec_peers(ssimulacra2: str | None, double: str | None = None) -> list[Peer]:
    """All reference programs that are installed.

    Args:
        ssimulacra2: path of the C++ program; None where it is not built.
        double: path of the same with `ssimulacra2_double.patch`.
    """
    prepare()
    peers = [
        *_programs(ssimulacra2, double),
        *_vmaf(),
        *_piq_peers(),
        *_iqa_peers(False),
        *_iqa_peers(True),
        *_hvs_peers(),
    ]
    peers += _other_packages()
    try:
        version("cvvdp")
        peers += _cvvdp()
    except ImportError:
        pass
    return peers
