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

    The same as torch's, but in bfloat16 on a CPU too, and in half the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        count, before = x.shape[1], self.size // 2
        squares = F.pad(x * x, (0, 0, 0, 0, before, self.size - 1 - before))
        total = squares[:, :count]
        for at in range(1, self.size):
            total = total + squares[:, at : at + count]
        return x * (self.k + self.alpha / self.size * total) ** -self.beta
