"""GoogLeNet in numpy, twice: by Caffe's published model (bvlc_googlenet) and by TensorFlow's graph (inception5h).

Written from the definitions alone: sizes, borders and normalization are each framework's own. Blobs are
[C, H, W] in double precision, weights go by the published layer names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, tuple[Array, Array]]

# 1x1; reduce and 3x3; reduce and 5x5; projection behind the pool.
CAFFE = """
3a 64  96 128 16  32  32
3b 128 128 192 32 96  64
4a 192 96 208 16  48  64
4b 160 112 224 24 64  64
4c 128 128 256 24 64  64
4d 112 144 288 32 64  64
4e 256 160 320 32 128 128
5a 256 160 320 32 128 128
5b 384 192 384 48 128 128
"""
TENSORFLOW = CAFFE.replace("96 208 16", "96 204 16").replace("5a 256 160 320 32", "5a 256 160 320 48")


def table(text: str) -> dict[str, list[int]]:
    rows = [line.split() for line in text.strip().splitlines()]
    return {name: [int(each) for each in widths] for name, *widths in rows}


def windows(x: Array, kernel: int, stride: int) -> Array:
    """[C, h, w, kernel, kernel]: every whole window."""
    return sliding_window_view(x, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride]


def bordered(x: Array, top: int, bottom: int, left: int, right: int, value: float = 0.0) -> Array:
    c, h, w = x.shape
    out = np.full((c, top + h + bottom, left + w + right), value, np.float64)
    out[:, top : top + h, left : left + w] = x
    return out


def correlate(x: Array, weight: Array, bias: Array, stride: int) -> Array:
    seen = windows(x, weight.shape[-1], stride)
    out: Array = np.einsum("kcij,chwij->khw", weight, seen, optimize=True) + bias[:, None, None]
    return out


def neighbors(x: Array, reach: int) -> Array:
    """The sum of squares over the channels up to ``reach`` away, as many as there are."""
    return np.stack([(x[max(0, k - reach) : k + reach + 1] ** 2).sum(0) for k in range(len(x))])


class Caffe:
    """bvlc_googlenet: ``forward`` takes BGR pixels 0..255 minus the mean [3, H, W]."""

    def __init__(self, weights: Weights) -> None:
        self.weights, self.blobs = weights, dict[str, Array]()

    def conv(self, name: str, x: Array, stride: int = 1) -> Array:
        """A convolution and the ReLU that rewrites its blob: called name and relu_name here."""
        weight, bias = self.weights[name]
        pad = weight.shape[-1] // 2
        self.blobs[name] = correlate(bordered(x, *(pad,) * 4), weight, bias, stride)
        folder, _, last = name.rpartition("/")
        relu = "relu_7x7" if last == "7x7_s2" else f"relu_{last}"
        self.blobs[f"{folder}/{relu}"] = np.maximum(self.blobs[name], 0)
        return self.blobs[f"{folder}/{relu}"]

    def pool(self, name: str, x: Array, stride: int, pad: int = 0) -> Array:
        """Max pool of 3 whose last window may stick out."""
        out = [math.ceil((side + 2 * pad - 3) / stride) + 1 for side in x.shape[1:]]
        more = [(places - 1) * stride + 3 - side - pad for places, side in zip(out, x.shape[1:], strict=True)]
        x = bordered(x, pad, max(0, more[0]), pad, max(0, more[1]), -np.inf)
        self.blobs[name] = windows(x, 3, stride).max((3, 4))[:, : out[0], : out[1]]
        return self.blobs[name]

    def norm(self, name: str, x: Array) -> Array:
        self.blobs[name] = x * (1 + 1e-4 / 5 * neighbors(x, 2)) ** -0.75
        return self.blobs[name]

    def forward(self, data: Array) -> Array:
        x = self.pool("pool1/3x3_s2", self.conv("conv1/7x7_s2", data, 2), 2)
        x = self.conv("conv2/3x3", self.conv("conv2/3x3_reduce", self.norm("pool1/norm1", x)))
        x = self.pool("pool2/3x3_s2", self.norm("conv2/norm2", x), 2)
        for name, widths in table(CAFFE).items():
            if name in ("4a", "5a"):
                x = self.pool(f"pool{int(name[0]) - 1}/3x3_s2", x, 2)
            at = f"inception_{name}"
            parts = [
                self.conv(f"{at}/1x1", x),
                self.conv(f"{at}/3x3", self.conv(f"{at}/3x3_reduce", x)),
                self.conv(f"{at}/5x5", self.conv(f"{at}/5x5_reduce", x)),
                self.conv(f"{at}/pool_proj", self.pool(f"{at}/pool", x, 1, 1)),
            ]
            assert [len(each) for each in parts] == [widths[0], widths[2], widths[4], widths[5]]
            x = self.blobs[f"{at}/output"] = np.concatenate(parts)
        self.blobs["pool5/7x7_s1"] = x.mean((1, 2), keepdims=True)
        weight, bias = self.weights["loss3/classifier"]
        self.blobs["loss3/classifier"] = weight @ x.mean((1, 2)) + bias
        return self.blobs["loss3/classifier"]


def same(x: Array, kernel: int, stride: int, value: float) -> Array:
    """TensorFlow's SAME: ceil(side / stride) places, the odd pixel of padding at the end."""
    need = [max((math.ceil(side / stride) - 1) * stride + kernel - side, 0) for side in x.shape[1:]]
    return bordered(x, need[0] // 2, need[0] - need[0] // 2, need[1] // 2, need[1] - need[1] // 2, value)


class TensorFlow:
    """inception5h: ``forward`` takes RGB pixels 0..255 minus 117 [3, H, W]."""

    def __init__(self, weights: Weights) -> None:
        self.weights, self.nodes = weights, dict[str, Array]()

    def keep(self, name: str, value: Array) -> Array:
        self.nodes[name] = value
        return value

    def conv(self, name: str, x: Array, stride: int = 1) -> Array:
        weight, bias = self.weights[f"{name}_pre_relu_conv"]
        padded = same(x, weight.shape[-1], stride, 0)
        before = self.keep(f"{name}_pre_relu", correlate(padded, weight, bias, stride))
        return self.keep(name, np.maximum(before, 0))

    def pool(self, name: str, x: Array, stride: int) -> Array:
        return self.keep(name, windows(same(x, 3, stride, -np.inf), 3, stride).max((3, 4)))

    def norm(self, name: str, x: Array) -> Array:
        """depth_radius 5, bias 2, alpha 1e-4, beta 0.5; TensorFlow sums where others take a mean."""
        return self.keep(name, x / (2 + 1e-4 * neighbors(x, 5)) ** 0.5)

    def forward(self, data: Array) -> Array:
        x = self.norm("localresponsenorm0", self.pool("maxpool0", self.conv("conv2d0", data, 2), 2))
        x = self.norm("localresponsenorm1", self.conv("conv2d2", self.conv("conv2d1", x)))
        x = self.pool("maxpool1", x, 2)
        for name, widths in table(TENSORFLOW).items():
            if name in ("4a", "5a"):
                x = self.pool("maxpool4" if name == "4a" else "maxpool10", x, 2)
            at = f"mixed{name}"
            parts = [
                self.conv(f"{at}_1x1", x),
                self.conv(f"{at}_3x3", self.conv(f"{at}_3x3_bottleneck", x)),
                self.conv(f"{at}_5x5", self.conv(f"{at}_5x5_bottleneck", x)),
                self.conv(f"{at}_pool_reduce", self.pool(f"{at}_pool", x, 1)),
            ]
            assert [len(each) for each in parts] == [widths[0], widths[2], widths[4], widths[5]]
            x = self.keep(at, np.concatenate(parts))
        self.keep("avgpool0", x.mean((1, 2), keepdims=True))
        weight, bias = self.weights["softmax2_pre_activation_matmul"]
        return self.keep("softmax2_pre_activation", weight @ x.mean((1, 2)) + bias)


def slope(score: Callable[[Array], float], at: Array, along: Array, step: float = 1e-5) -> float:
    """The derivative of ``score`` at ``at`` in the direction ``along``, from both sides."""
    return (score(at + step * along) - score(at - step * along)) / (2 * step)
