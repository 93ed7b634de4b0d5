"""How metrics of sets depend on the number of images: two disjoint random halves of one set, whose distance is 0.

    python benchmarks/set_bias.py FOLDER [--counts 250 500 1000 2000]

Prints the mean over five draws, as Markdown. All features are those of the embedded ViT (192 numbers).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.scoring import in_order
from vitiq.evaluation.sets import images_of, lost_rows, read_rows
from vitiq.metrics.sets.frechet import frechet_distance
from vitiq.metrics.sets.kernel_distance import kernel_distance
from vitiq.metrics.sets.precision_recall import share_within

METRIC = "fid-vit"
DRAWS = 5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[250, 500, 1000, 2000])
    options = parser.parse_args()
    spec = MetricSpec(METRIC)
    key = spec.make()[0].rows_key()  # type: ignore[attr-defined]
    found = [read.rows[key] for read in in_order(read_rows, images_of(options.folder, []), spec, lost_rows)]
    features = np.concatenate([rows for rows in found if not isinstance(rows, str)]).astype(np.float64)
    rng = np.random.default_rng(0)
    print("| images a side | fid-vit | kid-vit (± between draws) | precision-vit |\n|---:|---:|---:|---:|")
    for count in options.counts:
        values = []
        for _ in range(DRAWS):
            a, b = np.split(features[rng.permutation(len(features))[: 2 * count]], 2)
            values.append((frechet_distance(a, b), kernel_distance(a, b), share_within(b, a)))
        mean, spread = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
        print(f"| {count} | {mean[0]:.2f} | {mean[1]:.3f} ± {spread[1]:.3f} | {mean[2]:.3f} |", flush=True)


if __name__ == "__main__":
    main()
