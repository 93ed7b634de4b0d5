"""Draw what the TransGAN that ships makes of random latents, and of those on the way between two.

python docs/make_transgan_images.py            writes docs/images/transgan.png
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vitiq.codecs.inversion.generators import load_generator
from vitiq.models.tensors import to_image, to_unit_range

IMAGE = Path(__file__).parent / "images" / "transgan.png"
ROWS, COLUMNS = 2, 10
SEED = 2026


@torch.no_grad()
def main() -> None:
    """Two rows of samples, and a row between the first two: latents at equal angles, all of about the same length."""
    generator = load_generator("transgan")
    z = torch.randn(ROWS * COLUMNS, generator.layers[0].channels, generator=torch.Generator().manual_seed(SEED))
    angles = torch.linspace(0, torch.pi / 2, COLUMNS)[:, None]
    between = torch.cos(angles) * z[0] + torch.sin(angles) * z[1]
    made = generator.generate([torch.cat([z, between])[:, :, None, None]])
    images = [to_image(one) for one in torch.split(to_unit_range(made, generator.output_range), 1)]
    rows = [np.concatenate(images[i : i + COLUMNS], axis=1) for i in range(0, len(images), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(IMAGE, optimize=True)
    print(IMAGE)


if __name__ == "__main__":
    main()
