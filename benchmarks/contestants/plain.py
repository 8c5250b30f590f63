"""PyTorch the way tutorials write it: the whole network, a hook, autograd over everything, fp32."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.case import Case
from reverie import zoo


def runner(case: Case) -> Callable[[int], None]:
    network = zoo.load(case.network) if case.network == "motif" else zoo.architecture(case.network)
    module = network.module.requires_grad_(True)
    seen: dict[str, torch.Tensor] = {}
    layer = network.aliases.get(case.layer, case.layer)
    module.get_submodule(layer).register_forward_hook(lambda _module, _inputs, output: seen.update(a=output))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (network.mean, network.std))
    source = torch.rand(1, 3, *case.size)

    def run(steps: int) -> None:
        height, width = case.size
        image = source
        for octave in reversed(range(case.octaves)):
            size = (round(height / case.scale**octave), round(width / case.scale**octave))
            image = F.interpolate(image.detach(), size, mode="bilinear")
            for _ in range(steps):
                shift = torch.randint(-32, 33, (2,)).tolist()
                shown = image.detach().roll(shift, (2, 3)).requires_grad_()
                module((shown - mean) / std)
                loss = 0.5 * seen["a"].square().mean()
                loss.backward()
                assert shown.grad is not None
                g = shown.grad / shown.grad.std()
                image = (shown.detach() + 0.01 * g).clamp(0, 1).roll([-each for each in shift], (2, 3))

    return run
