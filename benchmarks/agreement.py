"""The tables of docs/reference/agreement.md, by one command.

    python benchmarks/agreement.py $VITIQ_DATA OUT [--resamples N] [--only tid2013,aic4,meaning]

- TID2013: its JPEG images of the odd references in VITIQ_DATA/tid2013_jpeg_odd, scored with the embedded ViT, and with
  ViT-Ti and DeiT-Ti where VITIQ_DATA/weights has them; differences against SSIM, paired.
- AIC-4: the published tables in VITIQ_DATA/aic4 (github.com/jpeg-aic/JPEG-AIC-4-datasets): nine metrics, 300 images.
- Meaning: benchmarks/meaning.py.

Each part that has no data here is named and left out. Values are kept in OUT: the same command resumes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

VITS = {
    "ViT-Ti": "vit_tiny_patch16_224.augreg_in21k_ft_in1k.safetensors",
    "DeiT-Ti": "deit_tiny_patch16_224.safetensors",
}
CODEC = "ssimulacra2,iw-ssim,ms-ssim-y,vif,fsim,nlpd,psnr-hvs,psnr-hvs-m,gmsd,haarpsi,ciede2000,butteraugli,vmaf"
PIXELS = f"psnr-rgb,psnr-y,ssim,ms-ssim,{CODEC},brisque"
READ = (
    "vit-tiles,vit-regions,vit-topk@300,vit-topk,vit-topk-area,vit-tokens,vit-tokens-locked,vit-cls,vit-rbo,vit-js,"
    "vit-prob"
)


def run(*words: object) -> None:
    """One command, its answer on stdout."""
    print(f"\n$ {' '.join(map(str, words[1:]))}\n", flush=True)
    subprocess.run([str(word) for word in words], check=True)


def tid2013(data: Path, out: Path, resamples: int) -> None:
    folder = data / "tid2013_jpeg_odd"
    validate = [sys.executable, "-m", "vitiq", "validate", folder, "--against", "ssim", "--resamples", resamples]
    run(*validate, "-m", f"{PIXELS},{READ}", "--out", out / "tid2013")
    for name, file in VITS.items():
        if (data / "weights" / file).exists():
            weights = ("--weights", data / "weights" / file)
            run(*validate, "-m", f"ssim,{READ}", *weights, "--out", out / f"tid2013-{name}")
        else:
            print(f"left out: {name}, no {data / 'weights' / file}")


def aic4(data: Path, out: Path, resamples: int) -> None:
    folder = data / "aic4"
    run(sys.executable, "-m", "vitiq", "validate", folder, "--resamples", resamples, "--out", out / "aic4", "--quiet")


def meaning(data: Path, out: Path, resamples: int) -> None:  # noqa: ARG001 - its own
    found = {name: data / "weights" / file for name, file in VITS.items() if (data / "weights" / file).exists()}
    panel = [word for path in found.values() for word in ("--panel", path)]
    weights = [word for name, path in found.items() for word in ("--weights", f"{name}={path}")]
    run(sys.executable, Path(__file__).with_name("meaning.py"), data, out / "meaning", *panel, *weights)


PARTS = {"tid2013": (tid2013, "tid2013_jpeg_odd"), "aic4": (aic4, "aic4"), "meaning": (meaning, "kodak_odd")}


def main() -> None:
    """Print every table whose data is here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    for name in options.only.split(","):
        part, needs = PARTS[name]
        if (options.data / needs).is_dir():
            part(options.data, options.out, options.resamples)
        else:
            print(f"left out: {name}, no {options.data / needs}")


if __name__ == "__main__":
    main()
