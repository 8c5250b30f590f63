"""What a step of the default dream costs in each of some networks, against GoogLeNet's inception_4c.

    python -m benchmarks.steps [bf16|fp32]

One thread, 512x384, Reverie's default recipe (gradient, shaping and step), networks in turn, medians of the process'
CPU time: it counts what is computed, not what other programs on the machine take. Networks whose weights are not here
run with random ones, which cost the same.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import mean, median

import torch

from reverie import zoo
from reverie.cli.allocator import keep_freed_memory
from reverie.loop.plan import prepare
from reverie.loop.render import render
from reverie.pixels.ops import cloud
from reverie.recipe import Recipe
from reverie.zoo.fetch import available

SIZE = (384, 512)
STEPS = 9  # the first is left out; of the others every fourth measures how strong the terms are
ROUNDS = 5
BASE = "googlenet inception_4c"
CASES = {
    BASE: ("googlenet", "inception_4c"),
    "motif, default": ("motif", ""),
    "efficientnet_lite0, default": ("efficientnet_lite0", ""),
    "efficientnet_lite1, default": ("efficientnet_lite1", ""),
    "efficientnet_lite2, default": ("efficientnet_lite2", ""),
    "efficientnet_lite2, block12": ("efficientnet_lite2", "block12"),
    "efficientnet_lite2, group:dogs": ("efficientnet_lite2", "group:dogs"),
}


def steps_of(network: str, objective: str, precision: str) -> Callable[[], float]:
    """A call that dreams STEPS steps and tells the seconds of CPU time of one."""
    here = network == "motif" or available(network)
    loaded = zoo.load(network) if here else zoo.architecture(network)
    values = {"network": network, "objective": objective, "octaves": 1, "steps": STEPS, "schedule": "even"}
    plan = prepare(loaded, Recipe.of(values), SIZE, precision=precision)  # type: ignore[arg-type]
    source = cloud(SIZE, torch.Generator().manual_seed(0))

    def run() -> float:
        seconds, before = [], time.process_time()
        for _ in render(plan, source):
            seconds.append(time.process_time() - before)
            before = time.process_time()
        return mean(seconds[1:])

    return run


def main(precision: str = "bf16") -> None:
    """Measure every case in turn and print a table."""
    keep_freed_memory()
    torch.set_num_threads(1)
    runs = {name: steps_of(network, objective, precision) for name, (network, objective) in CASES.items()}
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for at in range(ROUNDS + 1):
        for name, run in runs.items():
            seconds = run()
            if at:  # the first round warms up
                taken[name].append(seconds)
    base = median(taken[BASE])
    print(f"| {precision} | ms of CPU time a step | against {BASE} |\n| --- | --- | --- |")
    for name, each in taken.items():
        print(f"| {name} | {1000 * median(each):.0f} | {median(each) / base:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:2])
