"""vitiq: neural image compression, judged by what an image means.

    import vitiq

    encoded = vitiq.encode("photo.png", codec="generative", bpp=0.1)
    image = vitiq.decode(encoded)
    scores = vitiq.score("photo.png", image, metrics="vit-topk,ssim")

The names exported here are the public interface; everything else is internal and may change. Importing vitiq loads
nothing heavy; each name is imported on first use.
"""

import lazy_loader as _lazy

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
