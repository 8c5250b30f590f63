"""torchvision's own networks with random weights and statistics, and everything they compute on the way."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from tests.oracle.torchvision_shim import models

CLASSES = 7
SIZES = {
    "alexnet": (80, 67),
    "vgg16": (48, 67),
    "vgg19": (67, 48),
    "googlenet": (75, 98),
    "inception_v3": (107, 96),
    "resnet18": (67, 96),
    "resnet50": (67, 80),
    "squeezenet1_0": (67, 80),
    "squeezenet1_1": (67, 80),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": False},
    "inception_v3": {"transform_input": True, "init_weights": False},
}


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Every key of the official file with its shape, auxiliary heads and all."""
    with torch.device("meta"):
        module = getattr(models(), name)(**OPTIONS.get(name, {}) | ({"aux_logits": True} if name in OPTIONS else {}))
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def built(name: str) -> nn.Module:
    """The network with ``CLASSES`` classes, random weights that keep the signal's size, random statistics."""
    with torch.device("meta"):  # its own start values would take longer than everything here
        module: nn.Module = getattr(models(), name)(num_classes=CLASSES, **OPTIONS.get(name, {}))
    module = module.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.uniform_(0.5, 1.5, generator=generator)
            part.bias.normal_(0, 0.3, generator=generator)
            assert part.running_mean is not None and part.running_var is not None
            part.running_mean.normal_(0, 0.3, generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            assert part.num_batches_tracked is not None
            part.num_batches_tracked.fill_(9)
        elif isinstance(part, nn.Conv2d | nn.Linear):
            reach = (6 / part.weight[0].numel()) ** 0.5
            part.weight.uniform_(-reach, reach, generator=generator)
            if part.bias is not None:
                part.bias.normal_(0, 0.1, generator=generator)
    return module


def run(module: nn.Module, x: Tensor) -> tuple[dict[str, list[Tensor]], dict[str, Tensor], Tensor]:
    """Every output of every module by path, every input, and the logits for normalized ``x``."""
    outputs: dict[str, list[Tensor]] = defaultdict(list)
    inputs: dict[str, Tensor] = {}
    handles = []
    for path, part in module.named_modules():

        def keep(_part: nn.Module, given: tuple[Tensor], output: Tensor, path: str = path) -> None:
            # Copies: what follows may write in place.
            outputs[path].append(output.detach().clone())

        def note(_part: nn.Module, given: tuple[Tensor], path: str = path) -> None:
            inputs[path] = given[0].detach().clone()

        handles += [part.register_forward_hook(keep), part.register_forward_pre_hook(note)]
    logits: Tensor = module(x)
    for handle in handles:
        handle.remove()
    return outputs, inputs, logits
