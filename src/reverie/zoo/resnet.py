"""ResNet 18 and 50 (He et al. 2016), with torchvision's state_dict keys and a name for every ReLU.

The 50 has its stride in the 3x3 convolution (the "v1.5" that torchvision publishes), not in the 1x1
before it as in the paper.
"""

from __future__ import annotations

from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import IMAGENET_MEAN, IMAGENET_STD, imagenet
from reverie.zoo.weights import State, class_count


class Residual(nn.Module):
    """Convolutions ``conv1``, ``conv2``, ... with batch norm, added to their input; a ReLU ends it.

    ``plan`` lists (kernel, width, stride) of each. ``relu1``, ``relu2``, ... follow them, the last
    one the sum.
    """

    def __init__(self, inputs: int, plan: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.depth, width, stride = len(plan), inputs, 1
        for at, (kernel, outputs, step) in enumerate(plan, 1):
            conv = nn.Conv2d(width, outputs, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{at}", conv)
            self.add_module(f"bn{at}", nn.BatchNorm2d(outputs))
            self.add_module(f"relu{at}", nn.ReLU())
            width, stride = outputs, stride * step
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != width:
            shortcut = nn.Conv2d(inputs, width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for at in range(1, self.depth + 1):
            y = getattr(self, f"bn{at}")(getattr(self, f"conv{at}")(y))
            if at == self.depth:
                y = y + (self.downsample(x) if self.downsample is not None else x)
            y = getattr(self, f"relu{at}")(y)
        return y


class ResNet(nn.Module):
    """Four layers of residual blocks, each after the first at half the size of the one before.

    ``bottleneck`` blocks are 1x1, 3x3, 1x1 convolutions, plain ones two 3x3. Logits [B, count] for
    images [B, 3, H, W].
    """

    def __init__(self, depths: tuple[int, ...], bottleneck: bool, count: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        width = inputs = 64
        for at, depth in enumerate(depths, 1):
            layer = nn.Sequential()
            for first in (True, *(False,) * (depth - 1)):
                stride = 2 if first and at > 1 else 1
                plan = [(3, width, stride), (3, width, 1)]
                if bottleneck:
                    plan = [(1, width, 1), (3, width, stride), (1, 4 * width, 1)]
                layer.append(Residual(inputs, plan))
                inputs = plan[-1][1]
            self.add_module(f"layer{at}", layer)
            width *= 2
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, count)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for at in range(1, 5):
            x = getattr(self, f"layer{at}")(x)
        logits: Tensor = self.fc(self.avgpool(x).flatten(1))
        return logits


def resnet18(state: State | None) -> Network:
    """ResNet 18: 69.8 % top-1 on ImageNet with torchvision's weights."""
    return _network("resnet18", (2, 2, 2, 2), False, state)


def resnet50(state: State | None) -> Network:
    """ResNet 50: 76.1 % (V1) or 80.9 % (V2) top-1 on ImageNet with torchvision's weights."""
    return _network("resnet50", (3, 4, 6, 3), True, state)


def _network(name: str, depths: tuple[int, ...], bottleneck: bool, state: State | None) -> Network:
    count = class_count(name, state, "fc.weight", 1000)
    module = ResNet(depths, bottleneck, count)
    # He et al. call the stages conv2_x to conv5_x; their Caffe models name every layer.
    aliases = {"conv1_relu": "relu", "pool1": "maxpool", "pool5": "avgpool", "fc1000": "fc"}
    for stage, depth in enumerate(depths, 2):
        aliases[f"conv{stage}_x"] = f"layer{stage - 1}"
        for at in range(depth):
            aliases |= _caffe(f"{stage}{'abcdef'[at]}", f"layer{stage - 1}.{at}", module)
    return Network(
        name,
        module,
        IMAGENET_MEAN,
        IMAGENET_STD,
        labels=imagenet(count),
        logits="fc",
        objective="layer3",
        guide="layer2",
        aliases=aliases,
        smallest=64,
    )


def _caffe(block: str, path: str, module: ResNet) -> dict[str, str]:
    """The names that one residual block and its parts have in the authors' Caffe models."""
    residual = module.get_submodule(path)
    assert isinstance(residual, Residual)
    names = {f"res{block}": path, f"res{block}_relu": f"{path}.relu{residual.depth}"}
    if residual.downsample is not None:
        names |= {f"res{block}_branch1": f"{path}.downsample.0", f"bn{block}_branch1": f"{path}.downsample.1"}
    for at in range(1, residual.depth + 1):
        branch = f"{block}_branch2{'abc'[at - 1]}"
        names |= {f"res{branch}": f"{path}.conv{at}", f"bn{branch}": f"{path}.bn{at}"}
        if at < residual.depth:
            names[f"res{branch}_relu"] = f"{path}.relu{at}"
    return names
