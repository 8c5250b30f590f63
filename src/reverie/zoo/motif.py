"""The built-in network: a small plain convnet trained on rendered motifs (see ``training/``)."""

from __future__ import annotations

from torch import Tensor, nn

from reverie.network import Network
from reverie.zoo.weights import State, class_count, labels

MOTIF_MEAN = (0.5, 0.5, 0.5)
MOTIF_STD = (0.25, 0.25, 0.25)


def stage(inputs: int, width: int, kernel: int, extra: int, conv: type[nn.Conv2d]) -> nn.Sequential:
    """One strided convolution and ``extra`` 3x3 ones, a ReLU behind each."""
    # Even kernels under stride 2 see every pixel equally often, so no checkerboard grows.
    blocks = [nn.Sequential(conv(inputs, width, kernel, stride=2, padding=kernel // 2 - 1), nn.ReLU())]
    blocks += [nn.Sequential(conv(width, width, 3, padding=1), nn.ReLU()) for _ in range(extra)]
    return nn.Sequential(*blocks)


class MotifNet(nn.Module):
    """Four stages at strides 2, 4, 8, 16 and a map of class logits; receptive field 160 px.

    Takes normalized images [B, 3, H, W], H and W at least 16; returns logits [B, K, h, w].
    ``conv`` is the convolution to build with: training hands in one with standardized weights.
    """

    def __init__(self, classes: int, conv: type[nn.Conv2d] = nn.Conv2d) -> None:
        super().__init__()
        self.stage1 = stage(3, 32, 6, 0, conv)
        self.stage2 = stage(32, 64, 4, 2, conv)
        self.stage3 = stage(64, 160, 4, 2, conv)
        self.stage4 = stage(160, 256, 4, 2, conv)
        self.logits = nn.Conv2d(256, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Class logits at every place [B, K, H / 16, W / 16]; their mean is the picture's."""
        logits: Tensor = self.logits(self.stage4(self.stage3(self.stage2(self.stage1(image)))))
        return logits


def motif(state: State | None) -> Network:
    """The built-in network; its class names travel in the weights file."""
    count = class_count("motif", state, "logits.weight", 79)
    return Network(
        "motif",
        MotifNet(count),
        MOTIF_MEAN,
        MOTIF_STD,
        labels=labels(state, count),
        logits="logits",
        objective="stage3 + owl|rose",
        guide="stage3+stage4",
        by_place=True,
        smallest=64,
    )
