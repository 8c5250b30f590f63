"""GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions"), in the two forms people dream with.

``googlenet`` is torchvision's: batch norm, and 3x3 where the paper has 5x5. ``googlenet-bvlc`` is
Caffe's: local response normalization, the network of the first deep dreams.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import imagenet
from reverie.zoo.modules import ConvNormReLU, LocalResponseNorm
from reverie.zoo.weights import State, class_count

GOOGLENET_PLAN = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Widths as in the paper's table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj."""

Widths = tuple[int, int, int, int, int, int]


class Inception(nn.Module):
    """1x1, 3x3, "5x5" and pool branches side by side, with torchvision's keys ``branch1`` .. ``branch4``."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, five, pool = widths
        self.branch1 = ConvNormReLU(inputs, one, 1)
        self.branch2 = nn.Sequential(
            ConvNormReLU(inputs, three_reduce, 1), ConvNormReLU(three_reduce, three, 3)
        )
        # torchvision's port has 3x3 here, and so have its weights.
        self.branch3 = nn.Sequential(ConvNormReLU(inputs, five_reduce, 1), ConvNormReLU(five_reduce, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvNormReLU(inputs, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class GoogLeNet(nn.Module):
    """torchvision's GoogLeNet without its auxiliary heads: logits [B, count] for images [B, 3, H, W]."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.conv1 = ConvNormReLU(3, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = ConvNormReLU(64, 64, 1)
        self.conv3 = ConvNormReLU(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        inputs = 192
        for name, widths in GOOGLENET_PLAN.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
            if name == "5a":
                self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
            self.add_module(f"inception{name}", Inception(inputs, widths))
            inputs = _outputs(widths)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(inputs, count)

    def forward(self, x: Tensor) -> Tensor:
        # The modules stand in the order in which they run.
        *body, dropout, fc = self.children()
        for module in body:
            x = module(x)
        logits: Tensor = fc(dropout(x.flatten(1)))
        return logits


def googlenet(state: State | None) -> Network:
    """torchvision's GoogLeNet: 69.8 % top-1 on ImageNet with its weights, which were ported from TensorFlow."""
    count = class_count("googlenet", state, "fc.weight", 1000)
    aliases = {
        "conv1/7x7_s2": "conv1.conv",
        "conv1/relu_7x7": "conv1.relu",
        "pool1/3x3_s2": "maxpool1",
        "conv2/3x3_reduce": "conv2.conv",
        "conv2/relu_3x3_reduce": "conv2.relu",
        "conv2/3x3": "conv3.conv",
        "conv2/relu_3x3": "conv3.relu",
        "pool2/3x3_s2": "maxpool2",
        "pool3/3x3_s2": "maxpool3",
        "pool4/3x3_s2": "maxpool4",
        "pool5/7x7_s1": "avgpool",
        "loss3/classifier": "fc",
    }
    parts = {
        "1x1": "branch1",
        "3x3_reduce": "branch2.0",
        "3x3": "branch2.1",
        "5x5_reduce": "branch3.0",
        "5x5": "branch3.1",
        "pool_proj": "branch4.1",
    }
    for name in GOOGLENET_PLAN:
        block, caffe = f"inception{name}", f"inception_{name}"
        aliases |= {caffe: block, f"{caffe}/output": block, f"{caffe}/pool": f"{block}.branch4.0"}
        for part, path in parts.items():
            aliases[f"{caffe}/{part}"] = f"{block}.{path}.conv"
            aliases[f"{caffe}/relu_{part}"] = f"{block}.{path}.relu"
    half = (0.5, 0.5, 0.5)  # what torchvision's transform_input makes of its own mean and std
    return Network(
        "googlenet",
        GoogLeNet(count),
        half,
        half,
        labels=imagenet(count),
        logits="fc",
        objective="inception_4c",
        guide="inception_3b",  # that of the notebook of 2015
        aliases=aliases,
        smallest=32,
    )


class CaffeInception(nn.Module):
    """The paper's block; its parts bear their names in Caffe's model, after the slash."""

    def __init__(self, inputs: int, widths: Widths) -> None:
        super().__init__()
        one, three_reduce, three, five_reduce, five, pool = widths
        self._add("1x1", nn.Conv2d(inputs, one, 1))
        self._add("3x3_reduce", nn.Conv2d(inputs, three_reduce, 1))
        self._add("3x3", nn.Conv2d(three_reduce, three, 3, padding=1))
        self._add("5x5_reduce", nn.Conv2d(inputs, five_reduce, 1))
        self._add("5x5", nn.Conv2d(five_reduce, five, 5, padding=2))
        self.pool = nn.MaxPool2d(3, 1, 1)
        self._add("pool_proj", nn.Conv2d(inputs, pool, 1))

    def _add(self, name: str, conv: nn.Conv2d) -> None:
        self.add_module(name, conv)
        self.add_module(f"relu_{name}", nn.ReLU())

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = getattr(self, f"relu_{name}")(getattr(self, name)(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        branches = [
            self._run(x, "1x1"),
            self._run(x, "3x3_reduce", "3x3"),
            self._run(x, "5x5_reduce", "5x5"),
            self._run(self.pool(x), "pool_proj"),
        ]
        return torch.cat(branches, 1)


class CaffeGoogLeNet(nn.Module):
    """Caffe's bvlc_googlenet without its auxiliary heads: logits [B, count] for images [B, 3, H, W].

    Every path is the layer's name in Caffe with dots for slashes (``inception_4c.3x3_reduce``), so the
    tensors of a .caffemodel are found by name. Takes RGB images and turns them to Caffe's BGR.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.conv1 = _row({"7x7_s2": nn.Conv2d(3, 64, 7, 2, 3), "relu_7x7": nn.ReLU()})
        # Caffe rounds the size after a pool up.
        self.pool1 = _row({"3x3_s2": nn.MaxPool2d(3, 2, ceil_mode=True), "norm1": LocalResponseNorm(5)})
        self.conv2 = _row(
            {
                "3x3_reduce": nn.Conv2d(64, 64, 1),
                "relu_3x3_reduce": nn.ReLU(),
                "3x3": nn.Conv2d(64, 192, 3, padding=1),
                "relu_3x3": nn.ReLU(),
                "norm2": LocalResponseNorm(5),
            }
        )
        self.pool2 = _row({"3x3_s2": nn.MaxPool2d(3, 2, ceil_mode=True)})
        inputs = 192
        for name, widths in GOOGLENET_PLAN.items():
            if name == "4a":
                self.pool3 = _row({"3x3_s2": nn.MaxPool2d(3, 2, ceil_mode=True)})
            if name == "5a":
                self.pool4 = _row({"3x3_s2": nn.MaxPool2d(3, 2, ceil_mode=True)})
            self.add_module(f"inception_{name}", CaffeInception(inputs, widths))
            inputs = _outputs(widths)
        self.pool5 = _row({"7x7_s1": nn.AdaptiveAvgPool2d(1), "drop_7x7_s1": nn.Dropout(0.4)})
        self.loss3 = _row({"classifier": nn.Linear(inputs, count)})

    def forward(self, x: Tensor) -> Tensor:
        x = x.flip(1)
        *body, loss = self.children()
        for module in body:
            x = module(x)
        logits: Tensor = loss(x.flatten(1))
        return logits


def googlenet_bvlc(state: State | None) -> Network:
    """Caffe's GoogLeNet, the network of 2015: 68.7 % top-1 on ImageNet with BVLC's weights."""
    count = class_count("googlenet-bvlc", state, "loss3.classifier.weight", 1000)
    module = CaffeGoogLeNet(count)
    leaves = [path for path, part in module.named_modules() if not any(part.children())]
    blocks = [f"inception_{name}" for name in GOOGLENET_PLAN]
    return Network(
        "googlenet-bvlc",
        module,
        # Caffe's mean pixel, RGB, for pixels 0..255 that are not divided by anything.
        (123 / 255, 117 / 255, 104 / 255),
        (1 / 255, 1 / 255, 1 / 255),
        labels=imagenet(count),
        logits="loss3.classifier",
        objective="inception_4c",
        guide="inception_3b",  # that of the notebook of 2015
        aliases={path.replace(".", "/"): path for path in leaves}
        | {f"{each}/output": each for each in blocks},
        smallest=32,
    )


def _outputs(widths: Widths) -> int:
    one, _, three, _, five, pool = widths
    return one + three + five + pool


def _row(modules: dict[str, nn.Module]) -> nn.Sequential:
    return nn.Sequential(OrderedDict(modules))
