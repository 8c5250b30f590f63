"""A convolution with what follows it as one call, and a backward that needs no more than the output.

All weights are frozen: the only gradient that anybody wants is that of the input.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from reverie.network.padding import SameConv2d

Pair = tuple[int, int]
aten = torch.ops.aten


class Convolution(nn.Module):
    """``relu(conv(x) + bias + other)`` as one call, [B, C, H, W]; ``relu`` and ``other`` where asked for.

    ``limit`` is the largest value that the ReLU lets through (6 for ReLU6), None for any. Its backward needs the
    weight and where the output is neither 0 nor at the limit, nothing else. With ``gated`` off the gradient is stopped
    by whoever reads the output (:class:`Gated`). ``front`` counts the rows and columns of zeros that the kernel
    begins with.
    """

    def __init__(
        self,
        conv: nn.Conv2d,
        relu: bool = False,
        gated: bool = True,
        limit: float | None = None,
        front: Pair = (0, 0),
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach(), requires_grad=False)
        bias = conv.bias if conv.bias is not None else conv.weight.new_zeros(conv.out_channels)
        self.bias = nn.Parameter(bias.detach(), requires_grad=False)
        self.stride, self.padding, self.dilation = (
            pair(each) for each in (conv.stride, conv.padding, conv.dilation)
        )
        self.groups, self.relu, self.gated, self.limit = conv.groups, relu, gated, limit
        self.front = front
        self.unfolded = _unfolded(self) if conv.in_channels <= 4 and _foldable(self) else None
        self.scattering = _flipped(self) if _scatters(self) else None
        self.transposed = _transposed(self) if _turns(self) else None

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        if other is not None and other.shape != self.shape(x):
            y: Tensor = _Convolved.apply(x, None, self, False) + other  # type: ignore[no-untyped-call]
            return y.clamp(0, self.limit) if self.relu else y
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
                unary = "relu" if relu and self.limit is None else None
                y: Tensor = pointwise.binary(
                    x, other, self.weight, self.bias, *where, "add", 1.0, unary, [], ""
                )
                return y.clamp_(0, self.limit) if relu and unary is None else y
            name, bounds = ("relu", []) if self.limit is None else ("hardtanh", [0.0, self.limit])
            after = (name, bounds) if relu else ("none", [])
            y = pointwise(x, self.weight, self.bias, *where, *after, "")
            return y
        y = nn.functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )
        if other is not None:
            y += other
        return y.clamp_(0, self.limit) if relu else y

    def stopped(self, g: Tensor, y: Tensor) -> Tensor:
        """The gradient ``g`` where the ReLU that gave ``y`` lets it through, else 0."""
        if self.limit is None:
            found: Tensor = aten.threshold_backward(g, y, 0)
        else:
            found = aten.hardtanh_backward(g, y, 0, self.limit)
        return found

    def returned(self, g: Tensor, shape: torch.Size) -> Tensor:
        """The gradient [B, C, H, W] of an input of that shape, out of that of the output."""
        if self.scattering is not None:
            return self._scattered(g, shape, self.scattering)
        if self.transposed is not None:
            turned: Tensor = torch.ops.mkldnn._convolution_pointwise(
                g, self.transposed, None, (0, 0), (1, 1), (1, 1), 1, "none", [], ""
            )
            return turned
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

    def _scattered(self, g: Tensor, shape: torch.Size, flipped: Tensor) -> Tensor:
        # The stride puts zeros between the places of the gradient; what is left is a convolution without one.
        sides = [n + k - 1 for n, k in zip(shape[2:], flipped.shape[2:], strict=True)]
        wide = torch.empty(
            (*g.shape[:2], *sides), dtype=g.dtype, device=g.device, memory_format=torch.channels_last
        ).zero_()
        places = [
            slice(k - 1 - p + zeros, k - p + zeros + (n - 1) * s, s)
            for n, k, p, zeros, s in zip(
                g.shape[2:], flipped.shape[2:], self.padding, self.front, self.stride, strict=True
            )
        ]
        wide[..., places[0], places[1]] = g
        return nn.functional.conv2d(wide, flipped, groups=self.groups)


class Same(nn.Module):
    """A :class:`Convolution` whose padding follows TensorFlow's "SAME", [B, C, H, W].

    Where one zero more goes behind a side than before it, the kernel gets a row or column of zeros in front, which
    costs less than padding the input. There is one convolution for each kind of padding met, kept for the next call.
    """

    def __init__(self, conv: SameConv2d, relu: bool, gated: bool, limit: float | None) -> None:
        super().__init__()
        self.conv, self.relu, self.gated, self.limit = conv, relu, gated, limit
        self.made: dict[tuple[Pair, Pair], Convolution] = {}

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        margins = self.conv.margins(x.shape[-2], x.shape[-1])
        if margins not in self.made:
            self.made[margins] = self._made(*margins)
        y: Tensor = self.made[margins](x, other)
        return y

    def _made(self, rows: Pair, columns: Pair) -> Convolution:
        conv = self.conv
        (top, bottom), (left, right) = rows, columns
        weight = nn.functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        height, width = weight.shape[2:]
        plain = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            (height, width),
            pair(conv.stride),
            (bottom, right),
            groups=conv.groups,
            device="meta",
        )
        plain.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        plain.bias = None if conv.bias is None else nn.Parameter(conv.bias)
        front = (bottom - top, right - left)
        return Convolution(plain, self.relu, self.gated, self.limit, front).to(weight.device)


def _scatters(conv: Convolution) -> bool:
    """Whether coming back through ``conv`` is a strided depthwise convolution in half precision on a CPU.

    oneDNN has no fast kernel for it: the detour over zeros takes a tenth of its time.
    """
    depthwise = conv.groups == conv.weight.shape[0] and conv.weight.shape[1] == 1
    half = conv.weight.dtype != torch.float32 and conv.weight.device.type == "cpu"
    # With more padding than kernel the first places of the gradient would lie outside.
    fits = all(p < k for p, k in zip(conv.padding, conv.weight.shape[2:], strict=True))
    return depthwise and half and fits and max(conv.stride) > 1 and conv.dilation == (1, 1)


def _flipped(conv: Convolution) -> Tensor:
    down, right = conv.front
    return conv.weight[..., down:, right:].flip(2, 3).contiguous(memory_format=torch.channels_last)


def _turns(conv: Convolution) -> bool:
    """Whether coming back through ``conv`` is a 1x1 convolution that oneDNN's one call does faster than torch's own."""
    one = conv.weight.shape[2:] == (1, 1) and conv.stride == (1, 1) and conv.padding == (0, 0)
    weight = conv.weight
    return one and conv.groups == 1 and weight.dtype == torch.float32 and one_call(weight.dtype, weight.device.type)


def _transposed(conv: Convolution) -> Tensor:
    return conv.weight.transpose(0, 1).contiguous(memory_format=torch.channels_last)


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
            g = conv.stopped(g, ctx.saved_tensors[0])
        found = conv.returned(g, ctx.shape) if ctx.needs_input_grad[0] else None
        return found, g if ctx.added else None, None, None


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
        u = pointwise(x, weight, bias, *where, "hardtanh", [0.0, 0.5], "")
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    flat = torch.tensor([0.0, 1.0], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    return torch.equal(y, flat) and torch.equal(z, 2 * flat) and torch.equal(u, flat / 2)


def pair(value: Any) -> Pair:
    return (value[0], value[1]) if isinstance(value, tuple) else (value, value)
