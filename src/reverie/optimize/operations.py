"""Operations that a network is rebuilt from, each with a backward that keeps no more than it needs.

All weights are frozen: the only gradient that anybody wants is that of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from reverie.errors import UsageError

Pair = tuple[int, int]
aten = torch.ops.aten


class Convolution(nn.Module):
    """``relu(conv(x) + bias + other)`` as one call, [B, C, H, W]; ``relu`` and ``other`` where asked for.

    Its backward needs the weight and the sign of the output, nothing else. With ``gated`` off the sign
    is left to whoever reads the output (:class:`Gated`).
    """

    def __init__(self, conv: nn.Conv2d, relu: bool = False, gated: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach(), requires_grad=False)
        bias = conv.bias if conv.bias is not None else conv.weight.new_zeros(conv.out_channels)
        self.bias = nn.Parameter(bias.detach(), requires_grad=False)
        self.stride, self.padding, self.dilation = (
            _pair(each) for each in (conv.stride, conv.padding, conv.dilation)
        )
        self.groups, self.relu, self.gated = conv.groups, relu, gated
        self.unfolded = _unfolded(self) if conv.in_channels <= 4 and _foldable(self) else None

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if other is not None and other.shape != self.shape(x):
            y: Tensor = _Convolved.apply(x, None, self, False) + other  # type: ignore[no-untyped-call]
            return y.relu() if self.relu else y
        y = _Convolved.apply(x, other, self, self.relu)  # type: ignore[no-untyped-call]
        return y

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """What the output for ``x`` has."""
        sides = zip(x.shape[2:], self.weight.shape[2:], self.padding, self.stride, self.dilation, strict=True)
        return (
            x.shape[0],
            self.weight.shape[0],
            *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, p, s, d in sides),
        )

    def computed(self, x: Tensor, other: Tensor | None, relu: bool) -> Tensor:
        """The output, in one call of oneDNN where that can be had."""
        where = (self.padding, self.stride, self.dilation, self.groups)
        if one_call(x.dtype, x.device.type):
            pointwise = torch.ops.mkldnn._convolution_pointwise
            if other is not None:
                unary = "relu" if relu else None
                y: Tensor = pointwise.binary(
                    x, other, self.weight, self.bias, *where, "add", 1.0, unary, [], ""
                )
                return y
            y = pointwise(x, self.weight, self.bias, *where, "relu" if relu else "none", [], "")
            return y
        y = nn.functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )
        if other is not None:
            y += other
        return y.relu_() if relu else y

    def returned(self, g: Tensor, shape: torch.Size) -> Tensor:
        """The gradient [B, C, H, W] of an input of that shape, out of that of the output."""
        if self.unfolded is None:
            windows = (self.stride, self.padding, self.dilation, False, (0, 0), self.groups)
            return _input_gradient(g, self.weight, shape, windows)
        # Few channels at a stride are slow to come back to. A stride s over C channels is no stride over
        # s * s * C of them, the pixels of each s x s square side by side.
        step, sides = self.stride[0], self.unfolded.shape[2:]
        places = [n + k - 1 for n, k in zip(g.shape[2:], sides, strict=True)]
        whole = torch.Size((shape[0], shape[1] * step * step, *places))
        squares = _input_gradient(g, self.unfolded, whole, ((1, 1), (0, 0), (1, 1), False, (0, 0), 1))
        (top, left), (h, w) = self.padding, shape[2:]
        found = nn.functional.pixel_shuffle(squares, step)[..., top : top + h, left : left + w]
        return nn.functional.pad(found, (0, w - found.shape[-1], 0, h - found.shape[-2]))


def _foldable(conv: Convolution) -> bool:
    return conv.stride[0] == conv.stride[1] > 1 and conv.dilation == (1, 1) and conv.groups == 1


def _unfolded(conv: Convolution) -> Tensor:
    """The weight [O, s * s * C, k', k'] that does without the stride s what ``conv`` does with it."""
    step, (outputs, inputs, *kernel) = conv.stride[0], conv.weight.shape
    bottom, right = (-side % step for side in kernel)
    wide = nn.functional.pad(conv.weight.contiguous(), (0, right, 0, bottom))
    rows, columns = wide.shape[2] // step, wide.shape[3] // step
    squares = wide.view(outputs, inputs, rows, step, columns, step).permute(0, 1, 3, 5, 2, 4)
    return squares.reshape(outputs, inputs * step * step, rows, columns).contiguous(
        memory_format=torch.channels_last
    )


def _input_gradient(g: Tensor, weight: Tensor, shape: torch.Size, windows: tuple[Any, ...]) -> Tensor:
    # Only the shape of the input is read: it is never touched, so it costs no memory.
    like = torch.empty(shape, dtype=g.dtype, device=g.device, memory_format=torch.channels_last)
    found: Tensor = aten.convolution_backward(g, like, weight, None, *windows, (True, False, False))[0]
    return found


class _Convolved(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, other: Tensor | None, conv: Convolution, relu: bool) -> Tensor:
        y = conv.computed(x, other, relu)
        ctx.conv, ctx.shape, ctx.added = conv, x.shape, other is not None
        if relu and conv.gated:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        conv = ctx.conv
        if ctx.saved_tensors:
            g = aten.threshold_backward(g, ctx.saved_tensors[0], 0)
        found = conv.returned(g, ctx.shape) if ctx.needs_input_grad[0] else None
        return found, g if ctx.added else None, None, None


class Branches(nn.Module):
    """1x1 convolutions of one input with a ReLU each, as one: a tuple of their outputs, slices of one tensor."""

    def __init__(self, convs: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.widths = [conv.out_channels for conv in convs]
        first = convs[0]
        whole = nn.Conv2d(first.in_channels, sum(self.widths), 1, _pair(first.stride), device="meta")
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
        g = aten.threshold_backward(torch.cat(gradients, 1), ctx.saved_tensors[0], 0)
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
            g = aten.threshold_backward(g, ctx.saved_tensors[0], 0)
        # A mean over the square around each place, zeros beyond the border: its own adjoint.
        return ctx.part.conv.returned(ctx.part.pool(g), ctx.shape), None


def symmetric(pool: nn.AvgPool2d) -> bool:
    """Whether what a place gives to its neighbors is what it gets from them."""
    kernel, stride, padding = (_pair(each) for each in (pool.kernel_size, pool.stride, pool.padding))
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
        found: Tensor = aten.alias(y)  # view_as would forget that it is channels-last
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        found: Tensor = aten.threshold_backward(g, y, 0)
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
            raise UsageError(f"The network {scale.name} leaves the range of fp16; use --precision bf16.")
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


@cache
def one_call(dtype: torch.dtype, device: str) -> bool:
    """Whether convolution, bias and ReLU can be had as one call here: a private operation of torch's, so it is
    tried out."""
    if device != "cpu" or dtype not in (torch.float32, torch.bfloat16):
        return False
    x, weight = torch.ones(1, 2, 3, 3, dtype=dtype), torch.full((2, 2, 1, 1), -1.0, dtype=dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    bias, where = torch.tensor([1.0, 3.0], dtype=dtype), ((0, 0), (1, 1), (1, 1), 1)
    try:
        pointwise = torch.ops.mkldnn._convolution_pointwise
        y = pointwise(x, weight, bias, *where, "relu", [], "")
        z = pointwise.binary(x, x, weight, bias, *where, "add", 1.0, "relu", [], "")
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    flat = torch.tensor([0.0, 1.0], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    return torch.equal(y, flat) and torch.equal(z, 2 * flat)


def _pair(value: Any) -> Pair:
    return (value[0], value[1]) if isinstance(value, tuple) else (value, value)
