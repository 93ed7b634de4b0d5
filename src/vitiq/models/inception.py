"""InceptionV3 as the FID of the literature uses it: the TensorFlow graph of 2015-12-05, laid out as its torch port.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision", section 6 and figures 5-7 (arXiv
1512.00567). The graph differs from the paper, and so from torchvision's network, in three ways that decide the
values: averages leave out padding, the last block pools by maximum, and there are 1008 outputs. The weights' names are
those of pt_inception-2015-12-05-6726825d.pth (mseitzer/pytorch-fid, toshas/torch-fidelity; Apache-2.0).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SIDE = 299
DIMENSIONS = 2048
OUTPUTS = 1008

Size = int | tuple[int, int]


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU.

    Args:
        padding: "same" keeps the size (stride 1), "valid" pads nothing.
    """

    def __init__(
        self, inputs: int, outputs: int, size: Size, stride: int = 1, padding: Literal["same", "valid"] = "same"
    ) -> None:
        super().__init__()
        high, wide = (size, size) if isinstance(size, int) else size
        around = (high // 2, wide // 2) if padding == "same" else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (high, wide), stride, around, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Responses, not negative."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


def _average(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Mixed35(nn.Module):
    """Blocks on the 35×35 grid: 1×1, 5×5, twice 3×3, and pooling, side by side."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(inputs, 48, 1), Conv(48, 64, 5)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inputs, 64, 1), Conv(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3)
        self.branch_pool = Conv(inputs, pooled, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The branches' channels, one after the other."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], dim=1)


class Down17(nn.Module):
    """From the 35×35 to the 17×17 grid."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(inputs, 384, 3, 2, "valid")
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inputs, 64, 1), Conv(64, 96, 3)
        self.branch3x3dbl_3 = Conv(96, 96, 3, 2, "valid")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The branches' channels, one after the other."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], dim=1)


class Mixed17(nn.Module):
    """Blocks on the 17×17 grid: 7×7 as 1×7 and 7×1, once and twice, 1×1, and pooling."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        flat, tall = (1, 7), (7, 1)
        self.branch1x1 = Conv(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Conv(inputs, inner, 1), Conv(inner, inner, flat)
        self.branch7x7_3 = Conv(inner, 192, tall)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Conv(inputs, inner, 1), Conv(inner, inner, tall)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Conv(inner, inner, flat), Conv(inner, inner, tall)
        self.branch7x7dbl_5 = Conv(inner, 192, flat)
        self.branch_pool = Conv(inputs, 192, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The branches' channels, one after the other."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_average(x))], dim=1)


class Down8(nn.Module):
    """From the 17×17 to the 8×8 grid."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(inputs, 192, 1), Conv(192, 320, 3, 2, "valid")
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(inputs, 192, 1), Conv(192, 192, (1, 7))
        self.branch7x7x3_3, self.branch7x7x3_4 = Conv(192, 192, (7, 1)), Conv(192, 192, 3, 2, "valid")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """The branches' channels, one after the other."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], dim=1)


class Mixed8(nn.Module):
    """Blocks on the 8×8 grid: 3×3 as 1×3 beside 3×1, 1×1, and pooling.

    Args:
        pool: "max" in the last block, as the graph has it; the paper averages there too.
    """

    def __init__(self, inputs: int, pool: Literal["average", "max"]) -> None:
        super().__init__()
        self.branch1x1 = Conv(inputs, 320, 1)
        self.branch3x3_1 = Conv(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Conv(384, 384, (1, 3)), Conv(384, 384, (3, 1))
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(inputs, 448, 1), Conv(448, 384, 3)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Conv(384, 384, (1, 3)), Conv(384, 384, (3, 1))
        self.branch_pool = Conv(inputs, 192, 1)
        self._pool = pool

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The branches' channels, one after the other."""
        once = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self._pool == "max" else _average(x)
        threes = [self.branch3x3_2a(once), self.branch3x3_2b(once)]
        threes += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        return torch.cat([self.branch1x1(x), *threes, self.branch_pool(pooled)], dim=1)


class InceptionV3(nn.Module):
    """Images of 299×299 to 2048 features and 1008 outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, 2, "valid")
        self.Conv2d_2a_3x3, self.Conv2d_2b_3x3 = Conv(32, 32, 3, padding="valid"), Conv(32, 64, 3)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(64, 80, 1), Conv(80, 192, 3, padding="valid")
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = Mixed35(192, 32), Mixed35(256, 64), Mixed35(288, 64)
        self.Mixed_6a = Down17(288)
        self.Mixed_6b, self.Mixed_6c = Mixed17(768, 128), Mixed17(768, 160)
        self.Mixed_6d, self.Mixed_6e = Mixed17(768, 160), Mixed17(768, 192)
        self.Mixed_7a = Down8(768)
        self.Mixed_7b, self.Mixed_7c = Mixed8(1280, "average"), Mixed8(DIMENSIONS, "max")
        self.fc = nn.Linear(DIMENSIONS, OUTPUTS)

    def forward(self, x: Float[Tensor, "n 3 299 299"]) -> Float[Tensor, "n 2048"]:
        """Features: the last grid averaged ("pool3"), of images in about -1 … 1."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, stride=2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))

    def logits(self, features: Float[Tensor, "n 2048"]) -> Float[Tensor, "n 1008"]:
        """Outputs without their bias, as the Inception Score was published (openai/improved-gan)."""
        return features @ self.fc.weight.T
