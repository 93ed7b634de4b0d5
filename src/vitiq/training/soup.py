"""The mean of several trainings' weights, a model soup.

    python -m vitiq.training.soup runs/a/vit_embedded.safetensors runs/b/vit_embedded.safetensors -o vit.safetensors

Networks that were trained from the same start often lie in one basin, where their mean reads images the two did not
learn better than either: Wortsman et al. 2022, "Model soups", section 3 (arXiv 2203.05482).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from vitiq.errors import WeightsError
from vitiq.training.student import FORMAT
from vitiq.weights.file import half, read_weights, write_weights


def mean_weights(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of weights files of `vitiq train vit`; the sum of their steps goes into the metadata.

    Raises:
        WeightsError: a file cannot be read, or is of another shape than the first.
    """
    read = [read_weights(path, FORMAT, "vit") for path in paths]
    tensors, metadata = read[0]
    for path, (other, own) in zip(paths, read, strict=True):
        if own["config"] != metadata["config"] or other.keys() != tensors.keys():
            raise WeightsError(f"{path}: another network than {paths[0]}; give weights of one kind")
    mean = {name: torch.stack([other[name].float() for other, _ in read]).mean(0) for name in tensors}
    stored = {key: value for name, tensor in mean.items() for key, value in half(name, tensor).items()}
    write_weights(out, stored, {**metadata, "steps": sum(own["steps"] for _, own in read)})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    options = parser.parse_args()
    mean_weights(options.weights, options.output)


if __name__ == "__main__":
    main()
