"""Inception v3 (Szegedy et al. 2016, "Rethinking the Inception architecture"), with torchvision's keys.

Each path is torchvision's; ``mixed0`` .. ``mixed10``, ``conv2d_5`` and the like are Keras' names.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.labels import imagenet
from reverie.zoo.modules import ConvNormReLU, Side
from reverie.zoo.weights import State, class_count

Step = tuple[str, int, Side]
"""A convolution: its key, its width, its kernel."""


class Mixed(nn.Module):
    """Branches side by side: chains of convolutions, and a pool.

    The names in ``forks`` read the same input and stand side by side. With a stride of 2 the last
    convolution of each chain takes it, and the pool is a max pool; else ``pooled`` is the width of the
    1x1 convolution behind an average pool.
    """

    def __init__(
        self, inputs: int, chains: list[list[Step]], pooled: int = 0, forks: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        self.chains: list[list[list[str]]] = []
        self.outputs = pooled or inputs
        for chain in chains:
            names: list[list[str]] = []
            width = inputs
            for name, outputs, kernel in chain:
                reduces = not pooled and name == chain[-1][0]
                conv = ConvNormReLU(width, outputs, kernel, *((2, 0) if reduces else ()))
                self.add_module(name, conv)
                if name in forks and names[-1][-1] in forks:
                    names[-1].append(name)
                else:
                    names.append([name])
                    width = width if name in forks else outputs
            self.outputs += sum(outputs for name, outputs, _ in chain if name in names[-1])
            self.chains.append(names)
        self.pool = nn.AvgPool2d(3, 1, 1) if pooled else nn.MaxPool2d(3, 2)
        self.branch_pool = ConvNormReLU(inputs, pooled, 1) if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        branches = []
        for chain in self.chains:
            y = x
            for names in chain:
                y = torch.cat([getattr(self, name)(y) for name in names], 1)
            branches.append(y)
        pooled = self.pool(x)
        branches.append(pooled if self.branch_pool is None else self.branch_pool(pooled))
        return torch.cat(branches, 1)


ROW_KERNEL, COLUMN = (1, 7), (7, 1)


def _at_35(inputs: int, pooled: int) -> Mixed:
    """Figure 5 of the paper: a 5x5 convolution as two 3x3; beside them the model has one real 5x5."""
    return Mixed(
        inputs,
        [
            [("branch1x1", 64, 1)],
            [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)],
            [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)],
        ],
        pooled,
    )


def _to_17() -> Mixed:
    """Figure 10: to half the size without a bottleneck."""
    double: list[Step] = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    return Mixed(288, [[("branch3x3", 384, 3)], double])


def _at_17(width: int) -> Mixed:
    """Figure 6: 7x7 convolutions as rows and columns."""
    return Mixed(
        768,
        [
            [("branch1x1", 192, 1)],
            [("branch7x7_1", width, 1), ("branch7x7_2", width, ROW_KERNEL), ("branch7x7_3", 192, COLUMN)],
            [
                ("branch7x7dbl_1", width, 1),
                ("branch7x7dbl_2", width, COLUMN),
                ("branch7x7dbl_3", width, ROW_KERNEL),
                ("branch7x7dbl_4", width, COLUMN),
                ("branch7x7dbl_5", 192, ROW_KERNEL),
            ],
        ],
        192,
    )


def _to_8() -> Mixed:
    chain: list[Step] = [
        ("branch7x7x3_1", 192, 1),
        ("branch7x7x3_2", 192, ROW_KERNEL),
        ("branch7x7x3_3", 192, COLUMN),
        ("branch7x7x3_4", 192, 3),
    ]
    return Mixed(768, [[("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3)], chain])


def _at_8(inputs: int) -> Mixed:
    """Figure 7: rows and columns side by side."""
    forks = [("3x3_2a", (1, 3)), ("3x3_2b", (3, 1)), ("3x3dbl_3a", (1, 3)), ("3x3dbl_3b", (3, 1))]
    wide: list[Step] = [(f"branch{name}", 384, kernel) for name, kernel in forks]
    return Mixed(
        inputs,
        [
            [("branch1x1", 320, 1)],
            [("branch3x3_1", 384, 1), *wide[:2]],
            [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), *wide[2:]],
        ],
        192,
        forks=tuple(name for name, _, _ in wide),
    )


class InceptionV3(nn.Module):
    """Inception v3 without its auxiliary head: logits [B, count] for images [B, 3, H, W]."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNormReLU(3, 32, 3, 2, 0)
        self.Conv2d_2a_3x3 = ConvNormReLU(32, 32, 3, 1, 0)
        self.Conv2d_2b_3x3 = ConvNormReLU(32, 64, 3)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = ConvNormReLU(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNormReLU(80, 192, 3, 1, 0)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = _at_35(192, 32)
        self.Mixed_5c = _at_35(256, 64)
        self.Mixed_5d = _at_35(288, 64)
        self.Mixed_6a = _to_17()
        self.Mixed_6b = _at_17(128)
        self.Mixed_6c = _at_17(160)
        self.Mixed_6d = _at_17(160)
        self.Mixed_6e = _at_17(192)
        self.Mixed_7a = _to_8()
        self.Mixed_7b = _at_8(1280)
        self.Mixed_7c = _at_8(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout()
        self.fc = nn.Linear(2048, count)

    def forward(self, x: Tensor) -> Tensor:
        # The modules stand in the order in which they run.
        *body, fc = self.children()
        for module in body:
            x = module(x)
        logits: Tensor = fc(x.flatten(1))
        return logits


def inception_v3(state: State | None) -> Network:
    """Inception v3: 77.3 % top-1 on ImageNet with torchvision's weights, which were ported from TensorFlow."""
    count = class_count("inception_v3", state, "fc.weight", 1000)
    module = InceptionV3(count)
    half = (0.5, 0.5, 0.5)  # what torchvision's transform_input makes of its own mean and std
    return Network(
        "inception_v3",
        module,
        half,
        half,
        labels=imagenet(count),
        logits="fc",
        objective="mixed3 + mixed5",
        guide="mixed1",
        aliases=_keras(module),
        smallest=75,
    )


def _keras(module: InceptionV3) -> dict[str, str]:
    """The layers' names in Keras: mixed0 .. mixed10, and the parts counted by kind, the first without a number."""
    mixed = [path for path, part in module.named_children() if isinstance(part, Mixed)]
    names = {f"mixed{at}": path for at, path in enumerate(mixed)} | {
        "avg_pool": "avgpool",
        "predictions": "fc",
    }
    kinds = {
        nn.Conv2d: "conv2d",
        nn.BatchNorm2d: "batch_normalization",
        nn.ReLU: "activation",
        nn.MaxPool2d: "max_pooling2d",
        nn.AvgPool2d: "average_pooling2d",
    }
    seen = dict.fromkeys(kinds.values(), 0)
    for path, part in module.named_modules():
        if kind := kinds.get(type(part)):
            names[f"{kind}_{seen[kind]}" if seen[kind] else kind] = path
            seen[kind] += 1
    return names
