"""A ViT fine-tuned on labels of one's own, as a backbone of vitiq: their names lie in a text file beside it."""

from pathlib import Path

from vitiq import WeightsError
from vitiq.plugins import Backbone, load_checkpoint


def load(path: Path | None = None) -> Backbone:
    """The checkpoint at `path` (any format that vitiq reads); labels are the lines of the `.txt` of the same name."""
    if path is None:
        raise WeightsError("backbone 'vit-labelled' needs a checkpoint: give its path")
    found = load_checkpoint(path, name=f"vit-labelled:{path.stem}")
    labels = tuple(path.with_suffix(".txt").read_text(encoding="utf-8").splitlines())
    if len(labels) != len(found.labels):
        raise WeightsError(
            f"{path}: {len(found.labels)} outputs, but {len(labels)} labels in {path.stem}.txt; give one each"
        )
    return Backbone(
        found.name, found.model, labels, found.preprocessing, found.weights_sha256, found.weights_bytes, found.precision
    )
