"""Parts that several architectures are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Side = int | tuple[int, int]


class ConvNormReLU(nn.Module):
    """Convolution without bias, batch norm, ReLU, with torchvision's keys ``conv`` and ``bn``.

    Pads so that a stride of 1 keeps the size, unless ``padding`` says otherwise.
    """

    def __init__(
        self, inputs: int, width: int, kernel: Side, stride: int = 1, padding: Side | None = None
    ) -> None:
        super().__init__()
        if padding is None:
            padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(inputs, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


class Concat(nn.Module):
    """Branches side by side, along the channels."""

    def forward(self, *branches: Tensor) -> Tensor:
        return torch.cat(branches, 1)


class LocalResponseNorm(nn.LocalResponseNorm):
    """Each value divided by a power of the mean square of its ``size`` neighbors in channel (Krizhevsky 2012).

    The same as torch's, but in bfloat16 on a CPU too, and in a fifth of the time: the sum over neighbors is a 1x1
    convolution whose weight is a band.
    """

    def forward(self, x: Tensor) -> Tensor:
        count, before = x.shape[1], self.size // 2
        # Made from nothing, not from x: what is traced to the picture are the values alone.
        share = torch.full((count, count), self.alpha / self.size, dtype=x.dtype, device=x.device)
        band = share.triu(-before).tril(self.size - 1 - before)[..., None, None]
        least = torch.full((count,), self.k, dtype=x.dtype, device=x.device)
        return x * F.conv2d(x * x, band, least) ** -self.beta
