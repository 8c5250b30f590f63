"""Reverie as the command runs it: the loop, with the classic recipe where a layer is named, else its defaults."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.case import Case
from reverie import zoo
from reverie.cli.allocator import keep_freed_memory
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.pixels.ops import cloud
from reverie.recipe import Recipe

CLASSIC = {"jitter": 32, "pad": 0, "bands": 0, "spread": 0, "gray": 0, "momentum": 0, "step_decay": 1, "coarse": 1}


def runner(case: Case) -> Callable[[int], None]:
    keep_freed_memory()
    network = zoo.load(case.network) if case.network == "motif" else zoo.architecture(case.network)
    source = cloud(case.size, torch.Generator().manual_seed(0))
    values = {"objective": case.layer, **CLASSIC} if case.layer else {}

    def run(steps: int) -> None:
        recipe = Recipe.of({"octaves": case.octaves, "octave_scale": case.scale, "steps": steps}, values)
        plan = prepare(network, recipe, case.size, precision=case.precision)  # type: ignore[arg-type]
        for _ in render(plan, source):
            pass

    return run
