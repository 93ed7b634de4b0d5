"""vitiq: neural image compression, judged by what an image means.

    import vitiq

    encoded = vitiq.encode("photo.png", codec="generative", bpp=0.1)
    image = vitiq.decode(encoded)
    scores = vitiq.score("photo.png", image, metrics="vit-topk,ssim")

What is exported here is the interface: everything else is internal and may change. Importing it loads nothing heavy; a
name is imported when it is first used.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
