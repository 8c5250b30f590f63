"""torch-lucent 0.1.8 from the package index: a pixel image, no transforms, the mean square of the layer."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.case import Case
from reverie import zoo
from tests.oracle.torchvision_shim import models

models()  # torchvision, which lucent imports, may not fit this torch
from lucent.optvis import param, render  # noqa: E402


def runner(case: Case) -> Callable[[int], None]:
    network = zoo.architecture(case.network)
    module = network.module.requires_grad_(True).eval()
    name = network.aliases.get(case.layer, case.layer).replace(".", "_")
    height, width = case.size

    def run(steps: int) -> None:
        render.render_vis(
            module,
            lambda seen: -seen(name).square().mean(),
            lambda: param.image(width, height, fft=False, decorrelate=False),
            transforms=[],
            thresholds=(steps,),
            progress=False,
            show_image=False,
        )

    torch.manual_seed(0)
    return run
