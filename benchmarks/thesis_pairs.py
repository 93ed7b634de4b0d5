"""The thesis's four pairs under every variant of the family: values, order, and what chance would give.

    python benchmarks/thesis_pairs.py THESIS_PAIRS --weights vit_tiny.safetensors --null KODAK --null CLIC

Two tables, as Markdown: each variant's values, best first where its order is the thesis's; and the published scores and
ours with the p-value of the hypergeometric null and of the empirical one: pairs of different images in the folders of
--null, where real label lists, unlike random ones, share more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vitiq.image.io import find_images, read_image
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.metrics.semantic.label_overlap import Overlap, empirical_p, mismatched_overlaps
from vitiq.models.backbones import load_backbone

NAMES = ("kliment", "logo", "bevo", "tower")
PUBLISHED = {"kliment": 0.54, "logo": 0.29, "bevo": 0.14, "tower": 0.03}
"""ViT-B/16 at 384 px on the 512×512 originals (Minchev 2022, Table 3.1)."""

VARIANTS = (
    "vit-topk,vit-topk@1,vit-topk@5,vit-topk@10,vit-topk@10%,vit-topk@200,vit-topk-adj,vit-topk-area,vit-rbo,vit-js,vit-bc,"
    "vit-prob,vit-cls,vit-tokens,vit-tokens-locked,vit-tiles,vit-panel@5,ssim,ms-ssim,psnr-rgb"
)


def order_of(values: list[float]) -> str:
    """Whether the values fall as the thesis's do, else their own order."""
    if values == sorted(values, reverse=True):
        ties = len(values) - len(set(values))
        return "as the thesis" if not ties else ("all alike" if ties == len(values) - 1 else "as the thesis, with ties")
    return " > ".join(NAMES[i].title() for i in np.argsort(-np.array(values), kind="stable"))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--panel", type=Path, action="append", default=[])
    parser.add_argument("--null", type=Path, action="append", required=True)
    options = parser.parse_args()
    backbone = load_backbone(weights=options.weights)
    metrics = resolve_metrics(VARIANTS, backbone, [load_backbone(weights=path) for path in options.panel])
    pairs = [
        [read_image(options.folder / f"{name}_{kind}_218x219.png") for kind in ("original", "gan")] for name in NAMES
    ]
    print(
        f"| {backbone.name} | "
        + " | ".join(name.title() for name in NAMES)
        + " | order |\n|---|---:|---:|---:|---:|---|"
    )
    for metric in metrics:
        if isinstance(metric, PairMetric):
            values = [metric(*pair).value for pair in pairs]
            shown = " | ".join(f"{value:.3f}" for value in values)
            print(f"| {metric.name} | {shown} | {order_of(values)} |")
    others = [read_image(image.path) for image in find_images(options.null).images]
    lists = backbone.probabilities(others)
    null = mismatched_overlaps(lists, lists, 100)
    print("\n| | published | p | here | corrected | p | p, empirical |\n|---|---:|---:|---:|---:|---:|---:|")
    topk = metrics[0]
    assert isinstance(topk, PairMetric)
    for name, pair in zip(NAMES, pairs, strict=True):
        chance = Overlap(round(100 * PUBLISHED[name]), 100, 1000).p_value
        score = topk(*pair)
        p = empirical_p(score.value, null)
        cells = (f"{score.details['adjusted']:.2f}", f"{score.details['p_value']:.1e}", f"{p:.3f}")
        print(
            f"| {name.title()} | {PUBLISHED[name]:.2f} | {chance:.1e} | {score.value:.2f} | " + " | ".join(cells) + " |"
        )
    spread = f"{null.mean():.3f} ± {null.std(ddof=1):.3f}, 95 % below {np.quantile(null, 0.95):.2f}"
    print(f"\n{null.size} pairs of different images share {spread} (random lists: 0.100 ± 0.028)")


if __name__ == "__main__":
    main()
