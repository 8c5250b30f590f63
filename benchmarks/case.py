"""What is measured: a network, a layer, a size, octaves, a precision, threads."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Case:
    """One job that every contestant does; ``size`` is (height, width), ``layer`` empty for the default dream."""

    network: str
    layer: str
    size: tuple[int, int] = (384, 512)
    octaves: int = 1
    scale: float = 1.8
    precision: str = "bf16"
    threads: int = 1

    def text(self) -> str:
        return json.dumps(asdict(self))

    @property
    def title(self) -> str:
        return f"{self.network} {self.layer or 'default dream'}"


def parsed(text: str) -> Case:
    values = json.loads(text)
    return Case(**{**values, "size": tuple(values["size"])})


NETWORKS = {
    "vgg16": "relu4_3",
    "vgg19": "relu4_3",
    "googlenet": "inception_4c",
    "googlenet-bvlc": "inception_4c",
    "inception_v1": "mixed4c",
    "inception_v3": "mixed5",
    "resnet18": "layer3",
    "resnet50": "layer3",
    "alexnet": "relu4",
    "squeezenet1_0": "fire7",
    "squeezenet1_1": "fire7",
    "efficientnet_lite0": "blocks.4.1",
    "efficientnet_lite1": "blocks.4.1",
    "efficientnet_lite2": "blocks.4.1",
    "motif": "stage3",
}
