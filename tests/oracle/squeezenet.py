"""torchvision's SqueezeNet written as plain calls on its published state_dict keys."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

# Fire modules by index in `features`: (inputs, squeeze, expand); pools by index.
FIRES = {
    "squeezenet1_0": {
        3: (96, 16, 64), 4: (128, 16, 64), 5: (128, 32, 128), 7: (256, 32, 128),
        8: (256, 48, 192), 9: (384, 48, 192), 10: (384, 64, 256), 12: (512, 64, 256),
    },
    "squeezenet1_1": {
        3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
        9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256),
    },
}  # fmt: skip
POOLS = {"squeezenet1_0": (2, 6, 11), "squeezenet1_1": (2, 5, 8)}
FIRST = {"squeezenet1_0": (96, 3, 7, 7), "squeezenet1_1": (64, 3, 3, 3)}
PARAMETERS = {"squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496}  # as torchvision documents


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Every key of the published file with its shape, in the file's order."""
    found: dict[str, tuple[int, ...]] = {}

    def add(key: str, *shape: int) -> None:
        found[f"{key}.weight"] = shape
        found[f"{key}.bias"] = shape[:1]

    add("features.0", *FIRST[name])
    for at, (inputs, squeeze, expand) in FIRES[name].items():
        add(f"features.{at}.squeeze", squeeze, inputs, 1, 1)
        add(f"features.{at}.expand1x1", expand, squeeze, 1, 1)
        add(f"features.{at}.expand3x3", expand, squeeze, 3, 3)
    add("classifier.1", 1000, 512, 1, 1)
    return found


def forward(name: str, state: Mapping[str, Tensor], x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Activations by key (after their ReLU) and the logits [B, 1000]."""

    def conv(key: str, x: Tensor, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, state[f"{key}.weight"], state[f"{key}.bias"], **options))

    seen = {"features.1": (x := conv("features.0", x, stride=2))}
    for at in range(2, 13):
        if at in POOLS[name]:
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        else:
            s = conv(f"features.{at}.squeeze", x)
            wide = conv(f"features.{at}.expand3x3", s, padding=1)
            x = torch.cat([conv(f"features.{at}.expand1x1", s), wide], 1)
        seen[f"features.{at}"] = x
    return seen, conv("classifier.1", x).mean((2, 3))
