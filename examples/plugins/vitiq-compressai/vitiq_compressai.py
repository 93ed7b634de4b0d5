"""A model of one's own with CompressAI's interface as a codec.

`MyModel` stands for a trained `compressai.models.CompressionModel`: replace it, keep `MyCodec`. It writes an 8th of
each side with zlib, so that the example runs without CompressAI; its one trained number is its quantiser's step.

    torch.save(MyModel().state_dict(), "weights.pth")
    vitiq encode x.png -c 'my-model[weights=weights.pth]'
"""

import zlib

import numpy as np
import torch
import torch.nn.functional as F

from vitiq.plugins import CompressAiCodec


class MyModel(torch.nn.Module):
    """The smallest model with `compress`, `decompress` and `update`."""

    def __init__(self):
        super().__init__()
        self.step = torch.nn.Parameter(torch.tensor(1 / 64))

    def update(self):
        """Tables are made here in a real one."""

    def compress(self, x):
        """N=1 image in [0, 1] -> strings and the shape of the latents."""
        y = torch.round(F.avg_pool2d(x, 8) / self.step).to(torch.uint8)
        return {"strings": [[zlib.compress(y.numpy().tobytes(), 9)]], "shape": y.shape[-2:]}

    def decompress(self, strings, shape):
        """The inverse."""
        y = np.frombuffer(zlib.decompress(strings[0][0]), np.uint8).reshape(1, 3, *shape)
        x_hat = F.interpolate(torch.from_numpy(y.copy()) * self.step, scale_factor=8, mode="bicubic")
        return {"x_hat": x_hat.clamp(0, 1)}


class MyCodec(CompressAiCodec):
    """`MyModel`, one network for its one quality."""

    name = "my-model"
    title = "My model"
    qualities = (1,)
    default_quality = 1
    quality_help = "1"
    quality_range = (1, 1, 1)

    def build(self, quality):
        """A network of a quality, without its weights."""
        return MyModel()
