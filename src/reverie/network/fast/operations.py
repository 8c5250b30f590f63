"""Operations that a network is rebuilt from, each with a backward that keeps no more than it needs.

All weights are frozen: the only gradient that anybody wants is that of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from reverie.errors import UsageError
from reverie.network.fast.convolution import Convolution, pair

_aten = torch.ops.aten


class Branches(nn.Module):
    """1x1 convolutions of one input with a ReLU each, as one: a tuple of their outputs, slices of one tensor."""

    def __init__(self, convs: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.widths = [conv.out_channels for conv in convs]
        first = convs[0]
        whole = nn.Conv2d(first.in_channels, sum(self.widths), 1, pair(first.stride), device="meta")
        weight = torch.cat([conv.weight for conv in convs]).contiguous(memory_format=torch.channels_last)
        zeros = first.weight.new_zeros
        biases = [zeros(conv.out_channels) if conv.bias is None else conv.bias for conv in convs]
        whole.weight, whole.bias = nn.Parameter(weight), nn.Parameter(torch.cat(biases))
        self.whole = Convolution(whole, relu=True)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = _Branched.apply(x, self.whole, self.widths)  # type: ignore[no-untyped-call]
        return found


class _Branched(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: Convolution, widths: list[int]) -> tuple[Tensor, ...]:
        y = conv.computed(x, None, True)
        ctx.conv, ctx.shape = conv, x.shape
        ctx.save_for_backward(y)
        found: tuple[Tensor, ...] = torch.split(y, widths, 1)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        g = _aten.threshold_backward(torch.cat(gradients, 1), ctx.saved_tensors[0], 0)
        return ctx.conv.returned(g, ctx.shape), None, None


class Averaged(nn.Module):
    """``relu(conv(pool(x)) + bias)`` of a 1x1 convolution behind an average pool, in the other order.

    Both are linear, so they may change places, and fewer channels are averaged.
    """

    def __init__(self, pool: nn.AvgPool2d, conv: nn.Conv2d, relu: bool) -> None:
        super().__init__()
        self.pool, self.relu = pool, relu
        self.conv = Convolution(conv)
        self.bias = nn.Parameter(self.conv.bias.view(-1, 1, 1), requires_grad=False)
        self.conv.bias = nn.Parameter(torch.zeros_like(self.conv.bias), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Averaged.apply(x, self)  # type: ignore[no-untyped-call]
        return y


class _Averaged(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, part: Averaged) -> Tensor:
        y: Tensor = part.pool(part.conv.computed(x, None, False)).add_(part.bias)
        ctx.part, ctx.shape = part, x.shape
        if part.relu:
            ctx.save_for_backward(y.relu_())
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        if ctx.saved_tensors:
            g = _aten.threshold_backward(g, ctx.saved_tensors[0], 0)
        # A mean over the square around each place, zeros beyond the border: its own adjoint.
        return ctx.part.conv.returned(ctx.part.pool(g), ctx.shape), None


def symmetric(pool: nn.AvgPool2d) -> bool:
    """Whether what a place gives to its neighbors is what it gets from them."""
    kernel, stride, padding = (pair(each) for each in (pool.kernel_size, pool.stride, pool.padding))
    centered = all(side == 2 * margin + 1 for side, margin in zip(kernel, padding, strict=True))
    return centered and stride == (1, 1) and pool.count_include_pad


class Gated(nn.Module):
    """A max pool of what a ReLU gave: the gradient of where the largest is 0 is stopped here.

    The same gradient as stopping it in front of the pool, where there are four times as many places.
    """

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Gate.apply(self.pool(x))  # type: ignore[no-untyped-call]
        return y


class _Gate(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        found: Tensor = _aten.alias(y)  # view_as would forget that it is channels-last
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        found: Tensor = _aten.threshold_backward(g, y, 0)
        return found


@dataclass
class Scale:
    """What the gradients of one backward pass through the network of that name are multiplied by."""

    name: str
    factor: Tensor | None = None


def lowered(x: Tensor, scale: Scale) -> Tensor:
    """``x`` in fp16; the gradient that comes back is float again, and divided by the scale.

    Raises :class:`UsageError` in the backward pass when it left the range of fp16.
    """
    y: Tensor = _Lowered.apply(x, scale)  # type: ignore[no-untyped-call]
    return y


def raised(y: Tensor, scale: Scale) -> Tensor:
    """``y`` as float; its gradient is multiplied by the scale before it becomes fp16.

    The first to be asked in a backward pass sets the scale, a power of 2, so that its own largest value is about 1
    (loss scaling, Micikevicius et al. 2018, with a scale that needs no search).
    """
    z: Tensor = _Raised.apply(y, scale)  # type: ignore[no-untyped-call]
    return z


class _Lowered(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Scale) -> Tensor:
        ctx.scale = scale
        return x.half()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        scale, found = ctx.scale, g.float()
        if not found.isfinite().all():
            raise UsageError(f"The network {scale.name} leaves the range of fp16; use [[precision=bf16]].")
        if scale.factor is not None:
            found, scale.factor = found / scale.factor, None
        return found, None


class _Raised(Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, scale: Scale) -> Tensor:
        ctx.scale = scale
        return y.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        scale = ctx.scale
        if scale.factor is None:
            largest = g.abs().amax().clamp_min(2.0**-100)
            scale.factor = torch.exp2(-largest.log2().ceil())
        return (g * scale.factor).half(), None
