"""The classifier of latents that weights of the codec name by its hash, and that has to lie where it is found."""

from __future__ import annotations

import logging
from pathlib import Path

from vitiq.codecs.transform.latent_classifier import WEIGHTS, find_classifier
from vitiq.codecs.transform.networks.embedded import TransformModel
from vitiq.errors import WeightsError
from vitiq.files import write_changed

log = logging.getLogger(__name__)


def named_classifier(codec: Path, model: TransformModel) -> Path | None:
    """The classifier that the perceptual synthesis of a codec's file aggregates; None where it names none.

    One that is not found is said: the training does without, a codec with its weights will not.
    """
    if not model.classifier_sha256:
        return None
    try:
        return find_classifier(model.classifier_sha256, codec)
    except WeightsError as error:
        log.warning("%s; or what is trained here rebuilds for least squared error alone", error)
        return None


def put_beside(classifier: Path | None, weights: Path) -> None:
    """Copy a classifier to where the codec looks for it, into the folder of its own weights.

    Raises:
        InputError: it cannot be written.
    """
    if classifier is not None:
        write_changed(weights.with_name(WEIGHTS.name), classifier.read_bytes())
