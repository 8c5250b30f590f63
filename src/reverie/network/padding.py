"""A convolution that pads as TensorFlow does, which torch's own cannot where it has a stride."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """A convolution whose output side is ceil(input side / stride), padded as TensorFlow's "SAME" does.

    The zeros are divided evenly between both ends; an odd one goes to the bottom or the right. How many there are
    depends on the input's size, so a stride of 2 pads an even side by one less than an odd one.
    """

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [B, C, H, W] convolved, [B, C', ceil(H / stride), ceil(W / stride)]."""
        (top, bottom), (left, right) = self.margins(x.shape[-2], x.shape[-1])
        if top == bottom and left == right:
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        padded = F.pad(x, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def margins(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many zeros go before and behind the rows, and before and behind the columns."""
        found = []
        for axis, side in enumerate((height, width)):
            kernel, stride = self.kernel_size[axis], self.stride[axis]
            total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            found.append((total // 2, total - total // 2))
        return found[0], found[1]
