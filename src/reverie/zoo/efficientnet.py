"""EfficientNet-Lite 0, 1 and 2 (Tan and Le 2019; the Lite variety of 2020), with timm's state_dict keys.

The Lite networks have ReLU6 in place of swish and no squeeze-and-excitation. They were trained in TensorFlow, so
strided convolutions pad as TensorFlow does. Aliases are the names of the packages that publish the weights
(``_blocks.12._expand_conv``) and Keras' names (``block4b_expand_conv``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor, nn

from reverie.network import Network
from reverie.network.padding import SameConv2d
from reverie.zoo.labels import imagenet
from reverie.zoo.weights import State, class_count

MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3

STAGES = (
    # repeats, width, kernel, stride of lite0
    (1, 16, 3, 1),
    (2, 24, 3, 2),
    (2, 40, 5, 2),
    (3, 80, 3, 2),
    (3, 112, 5, 1),
    (4, 192, 5, 2),
    (1, 320, 3, 1),
)
EXPANSION = 6


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride == 1:
        return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=False)
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=0.001)


class Separable(nn.Module):
    """A depthwise convolution and a 1x1 one: the block of the first stage."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _convolution(inputs, inputs, kernel, stride, groups=inputs)
        self.bn1 = _norm(inputs)
        self.act1 = nn.ReLU6()
        self.conv_pw = _convolution(inputs, outputs, 1)
        self.bn2 = _norm(outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv_pw(self.act1(self.bn1(self.conv_dw(x)))))
        return y + x if self.shortcut else y


class Inverted(nn.Module):
    """To many channels by 1x1, a depthwise convolution, and back to few by 1x1 (Sandler et al. 2018).

    The input is added where it has the shape of the output.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = EXPANSION * inputs
        self.conv_pw = _convolution(inputs, width, 1)
        self.bn1 = _norm(width)
        self.act1 = nn.ReLU6()
        self.conv_dw = _convolution(width, width, kernel, stride, groups=width)
        self.bn2 = _norm(width)
        self.act2 = nn.ReLU6()
        self.conv_pwl = _convolution(width, outputs, 1)
        self.bn3 = _norm(outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        wide = self.act1(self.bn1(self.conv_pw(x)))
        wide = self.act2(self.bn2(self.conv_dw(wide)))
        y: Tensor = self.bn3(self.conv_pwl(wide))
        return y + x if self.shortcut else y


class EfficientNetLite(nn.Module):
    """Logits [B, count] for images [B, 3, H, W] of any size.

    ``width`` and ``depth`` scale the channels and the repeats of lite0. The first and the last stage keep their
    one block, the stem its 32 channels and the head its 1280.
    """

    def __init__(self, width: float, depth: float, count: int) -> None:
        super().__init__()
        self.conv_stem = _convolution(3, 32, 3, 2)
        self.bn1 = _norm(32)
        self.act1 = nn.ReLU6()
        self.blocks = nn.Sequential()
        inputs = 32
        for at, (repeats, channels, kernel, stride) in enumerate(STAGES):
            outputs = _scaled(channels, width)
            number = repeats if at in (0, len(STAGES) - 1) else math.ceil(repeats * depth)
            stage = nn.Sequential()
            for step in (stride, *[1] * (number - 1)):
                stage.append((Separable if at == 0 else Inverted)(inputs, outputs, kernel, step))
                inputs = outputs
            self.blocks.append(stage)
        self.conv_head = _convolution(inputs, 1280, 1)
        self.bn2 = _norm(1280)
        self.act2 = nn.ReLU6()
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1280, count)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.act1(self.bn1(self.conv_stem(x))))
        x = self.act2(self.bn2(self.conv_head(x)))
        logits: Tensor = self.classifier(self.global_pool(x).flatten(1))
        return logits


def _scaled(channels: int, factor: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below ``channels * factor``."""
    wanted = channels * factor
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def efficientnet_lite0(state: State | None) -> Network:
    """EfficientNet-Lite0: 16 blocks, 4.7 million weights."""
    return _network("efficientnet_lite0", 1.0, 1.0, state)


def efficientnet_lite1(state: State | None) -> Network:
    """EfficientNet-Lite1: 21 blocks, 5.4 million weights."""
    return _network("efficientnet_lite1", 1.0, 1.1, state)


def efficientnet_lite2(state: State | None) -> Network:
    """EfficientNet-Lite2: 21 blocks, a tenth wider, 6.1 million weights."""
    return _network("efficientnet_lite2", 1.1, 1.2, state)


def _network(name: str, width: float, depth: float, state: State | None) -> Network:
    count = class_count(name, state, "classifier.weight", 1000)
    module = EfficientNetLite(width, depth, count)
    return Network(
        name,
        module,
        MEAN,
        STD,
        labels=imagenet(count),
        logits="classifier",
        objective="0.6*blocks.4.1 + blocks.4.2 + blocks.5.1 + 0.6*blocks.5.3",
        guide="blocks.2.1+blocks.3.1",
        aliases=dict(_names(module)),
        smallest=32,
    )


_SEPARABLE = (
    # ours, the packages', Keras'
    ("conv_dw", "_depthwise_conv", "dwconv"),
    ("bn1", "_bn1", "bn"),
    ("act1", "", "activation"),
    ("conv_pw", "_project_conv", "project_conv"),
    ("bn2", "_bn2", "project_bn"),
)
_INVERTED = (
    ("conv_pw", "_expand_conv", "expand_conv"),
    ("bn1", "_bn0", "expand_bn"),
    ("act1", "", "expand_activation"),
    ("conv_dw", "_depthwise_conv", "dwconv"),
    ("bn2", "_bn1", "bn"),
    ("act2", "", "activation"),
    ("conv_pwl", "_project_conv", "project_conv"),
    ("bn3", "_bn2", "project_bn"),
)
_ENDS = {
    "conv_stem": ("_conv_stem", "stem_conv"),
    "bn1": ("_bn0", "stem_bn"),
    "act1": ("stem", "stem_activation"),
    "conv_head": ("_conv_head", "top_conv"),
    "bn2": ("_bn1", "top_bn"),
    "act2": ("head", "top_activation"),
    "global_pool": ("_avg_pooling", "avg_pool"),
    "classifier": ("_fc", "predictions"),
}


def _names(module: EfficientNetLite) -> Iterator[tuple[str, str]]:
    """Every traditional name and the path it means."""
    for path, known in _ENDS.items():
        yield from ((name, path) for name in known)
    number = 0
    for at, stage in enumerate(module.blocks, 1):
        assert isinstance(stage, nn.Sequential)
        for letter, block in zip("abcdefghijk", stage, strict=False):
            path = f"blocks.{at - 1}.{ord(letter) - ord('a')}"
            yield from ((name, path) for name in (f"block{number}", f"_blocks.{number}", f"block{at}{letter}"))
            for own, packages, keras in _SEPARABLE if isinstance(block, Separable) else _INVERTED:
                if packages:
                    yield f"_blocks.{number}.{packages}", f"{path}.{own}"
                yield f"block{at}{letter}_{keras}", f"{path}.{own}"
            number += 1
