"""torch-dreams 4 from the package index, its transforms turned down to none."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.case import Case
from reverie import zoo
from tests.oracle.torchvision_shim import models

models()  # torchvision, which torch-dreams imports, may not fit this torch
from torch_dreams import Dreamer  # noqa: E402
from torch_dreams.auto_image_param import AutoImageParam  # noqa: E402


def runner(case: Case) -> Callable[[int], None]:
    network = zoo.architecture(case.network)
    module = network.module.requires_grad_(True)
    dreamer = Dreamer(module, quiet=True, device="cpu")
    dreamer.set_custom_transforms(torch.nn.Identity())
    layer = module.get_submodule(network.aliases.get(case.layer, case.layer))
    height, width = case.size

    def run(steps: int) -> None:
        parameter = AutoImageParam(height=height, width=width, device="cpu", standard_deviation=0.01)
        dreamer.render(
            layers=[layer],
            image_parameter=parameter,
            iters=steps,
            custom_func=lambda outputs: -outputs[0].square().mean(),
        )

    return run
