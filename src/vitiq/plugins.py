"""What packages of plug-ins build on: the contracts of codecs, filters, metrics and backbones, and what they take.

    from vitiq.plugins import Codec, Filter, PairMetric, Score

These names, and what they name, are public as those of `import vitiq` are: a change is listed in the changelog under
"Interface". The modules that they come from are internal. Each name is imported on first use, so that a package
without networks loads no torch.

Example:
    >>> from vitiq.plugins import PairMetric, Score
    >>> class Differing(PairMetric):
    ...     name, title, kind, range, higher_is_better = "differing", "Differing", "full-reference", (0, 1), False
    ...     formula, reference = "share of samples that differ", "-"
    ...
    ...     def signature(self):
    ...         return "differing|v1"
    ...
    ...     def __call__(self, reference, distorted):
    ...         return Score(float((reference != distorted).mean()), self.signature())
    >>> import numpy, vitiq
    >>> image = numpy.zeros((32, 32, 3), numpy.uint8)
    >>> vitiq.score(image, image, [Differing()])["differing"].value
    0.0
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub("vitiq", __file__)
