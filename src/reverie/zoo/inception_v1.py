"""Inception v1 as TensorFlow published it in 2015 ("inception5h"), the network of Lucid's feature atlases.

GoogLeNet (Szegedy et al. 2015) with small departures of its own in 4a and 5a. The module paths are
the keys of the published PyTorch conversion, inception5h.pth; its license is unknown.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, fx, nn

from reverie.network import Network
from reverie.zoo.labels import inception5h
from reverie.zoo.modules import Concat, LocalResponseNorm
from reverie.zoo.weights import State, class_count

INCEPTION_V1_PLAN = {
    "mixed3a": (64, 96, 128, 16, 32, 32),
    "mixed3b": (128, 128, 192, 32, 96, 64),
    "mixed4a": (192, 96, 204, 16, 48, 64),
    "mixed4b": (160, 112, 224, 24, 64, 64),
    "mixed4c": (128, 128, 256, 24, 64, 64),
    "mixed4d": (112, 144, 288, 32, 64, 64),
    "mixed4e": (256, 160, 320, 32, 128, 128),
    "mixed5a": (256, 160, 320, 48, 128, 128),
    "mixed5b": (384, 192, 384, 48, 128, 128),
}
"""Widths of 1x1, 3x3_bottleneck, 3x3, 5x5_bottleneck, 5x5, pool_reduce."""

POOLS_BEFORE = {"mixed4a": "maxpool4", "mixed5a": "maxpool10"}


@fx.wrap
def same_padded(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """``x`` [B, C, H, W] with TensorFlow's "SAME" padding: where it is odd, the larger part is at the end.

    Told to torch.fx, because how much that is depends on the size of the picture.
    """
    sides: list[int] = []
    for side in (x.shape[-1], x.shape[-2]):
        whole = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        sides += [whole // 2, whole - whole // 2]
    return F.pad(x, sides, value=value)


class SameMaxPool2d(nn.MaxPool2d):
    """A 3x3 max pool with TensorFlow's "SAME" padding."""

    def __init__(self, stride: int) -> None:
        super().__init__(3, stride)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(same_padded(x, 3, self.stride, float("-inf")))  # type: ignore[arg-type]
        return y


class InceptionV1(nn.Module):
    """Logits [B, count] for images [B, 3, H, W]; flat, so that each path is the name in TensorFlow's graph.

    The convolution of ``mixed4c_3x3`` is ``mixed4c_3x3_pre_relu_conv``, its ReLU ``mixed4c_3x3``, and
    ``mixed4c`` the branches side by side.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self._conv("conv2d0", 3, 64, 7, stride=2)
        self.maxpool0 = SameMaxPool2d(2)
        # TensorFlow sums over 5 channels either way with alpha 1e-4; torch takes the mean of 11.
        self.localresponsenorm0 = LocalResponseNorm(11, 11e-4, 0.5, 2)
        self._conv("conv2d1", 64, 64, 1)
        self._conv("conv2d2", 64, 192, 3)
        self.localresponsenorm1 = LocalResponseNorm(11, 11e-4, 0.5, 2)
        self.maxpool1 = SameMaxPool2d(2)
        inputs = 192
        for name, (one, three_reduce, three, five_reduce, five, pool) in INCEPTION_V1_PLAN.items():
            if name in POOLS_BEFORE:
                self.add_module(POOLS_BEFORE[name], SameMaxPool2d(2))
            self._conv(f"{name}_1x1", inputs, one, 1)
            self._conv(f"{name}_3x3_bottleneck", inputs, three_reduce, 1)
            self._conv(f"{name}_3x3", three_reduce, three, 3)
            self._conv(f"{name}_5x5_bottleneck", inputs, five_reduce, 1)
            self._conv(f"{name}_5x5", five_reduce, five, 5)
            self.add_module(f"{name}_pool", nn.MaxPool2d(3, 1, 1))
            self._conv(f"{name}_pool_reduce", inputs, pool, 1)
            self.add_module(name, Concat())
            inputs = one + three + five + pool
        self.avgpool0 = nn.AdaptiveAvgPool2d(1)
        self.softmax2_pre_activation_matmul = nn.Linear(inputs, count)

    def _conv(self, name: str, inputs: int, width: int, kernel: int, stride: int = 1) -> None:
        # At a stride of 1 "SAME" is the same padding on all sides; elsewhere the forward pads.
        conv = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2 if stride == 1 else 0)
        self.add_module(f"{name}_pre_relu_conv", conv)
        self.add_module(name, nn.ReLU())

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = getattr(self, name)(getattr(self, f"{name}_pre_relu_conv")(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        x = self.localresponsenorm0(self.maxpool0(self._run(same_padded(x, 7, 2), "conv2d0")))
        x = self.maxpool1(self.localresponsenorm1(self._run(x, "conv2d1", "conv2d2")))
        for name in INCEPTION_V1_PLAN:
            if name in POOLS_BEFORE:
                x = getattr(self, POOLS_BEFORE[name])(x)
            x = getattr(self, name)(
                self._run(x, f"{name}_1x1"),
                self._run(x, f"{name}_3x3_bottleneck", f"{name}_3x3"),
                self._run(x, f"{name}_5x5_bottleneck", f"{name}_5x5"),
                self._run(getattr(self, f"{name}_pool")(x), f"{name}_pool_reduce"),
            )
        logits: Tensor = self.softmax2_pre_activation_matmul(self.avgpool0(x).flatten(1))
        return logits


def inception_v1(state: State | None) -> Network:
    """TensorFlow's inception5h; its 1008 classes are ImageNet's 1000 and 8 that mean nothing."""
    count = class_count("inception_v1", state, "softmax2_pre_activation_matmul.weight", 1008)
    module = InceptionV1(count)
    convs = [path for path, _ in module.named_children() if path.endswith("_pre_relu_conv")]
    return Network(
        "inception_v1",
        module,
        # Pixels 0..255 minus 117, not divided by anything.
        (117 / 255, 117 / 255, 117 / 255),
        (1 / 255, 1 / 255, 1 / 255),
        labels=inception5h(count),
        logits="softmax2_pre_activation_matmul",
        objective="mixed4c",
        guide="mixed3b",
        # TensorFlow has the convolution and its bias as two nodes, "..._pre_relu/conv" and "..._pre_relu".
        aliases={path.removesuffix("_conv"): path for path in convs}
        | {path.removesuffix("_conv") + "/conv": path for path in convs}
        | {
            "softmax2_pre_activation": "softmax2_pre_activation_matmul",
            "softmax2_pre_activation/matmul": "softmax2_pre_activation_matmul",
        },
        smallest=32,
    )
