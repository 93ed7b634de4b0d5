"""BD-rate of the MSE-trained codec against AVIF as it may be set: the anchor decides the figure, so both are given.

    python benchmarks/anchors.py IMAGES OUT

IMAGES is a folder, such as the odd Kodak images; OUT keeps the study, and the same command resumes it. AVIF's default
(4:2:0, libavif's own tune) flatters a codec that is trained and measured in RGB; tuned for PSNR in 4:4:4 it does not.
Prints the tables of `vitiq bd`, with intervals over images and the worst image beside the best.
"""

from __future__ import annotations

import subprocess
import sys

TUNED = "avif[tune=psnr,subsampling=4:4:4]"
CODECS = ("generative-mse@9:54:9", "avif@10,20,30,40,55,70", f"{TUNED}@10,20,30,40,55,70")
METRICS = "psnr-rgb,psnr-y,ms-ssim"
VITIQ = (sys.executable, "-m", "vitiq")


def main() -> None:
    images, out = sys.argv[1:3]
    codecs = [part for codec in CODECS for part in ("-c", codec)]
    subprocess.run([*VITIQ, "bench", images, *codecs, "-m", METRICS, "--keep", "none", "-o", out], check=True)
    for anchor in ("AVIF", "AVIF [tune=psnr, subsampling=4:4:4]"):
        subprocess.run([*VITIQ, "bd", out, "--anchor", anchor, "-c", "generative-mse", "-m", METRICS], check=False)
        print()


if __name__ == "__main__":
    main()
