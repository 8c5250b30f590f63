"""``python -m benchmarks.tiles``: what a step costs whole and in tiles, and how that grows with the picture.

Counted is the time that the process itself was given, on one thread, so that other work on the machine does not
matter. Pieces of one size take turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import torch

from benchmarks.work import loaded
from reverie.jobs import budget
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import Frame, render
from reverie.recipe import Recipe
from reverie.tile import Tiles


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="motif")
    parser.add_argument("--objective", default="", help="by default the network's own")
    parser.add_argument("--megapixels", type=float, nargs="+", default=[4.0])
    parser.add_argument("--tiles", type=int, nargs="+", default=[512], help="sides in pixels; 0 is whole")
    parser.add_argument("--steps", type=int, default=2, help="that are counted, after one that is not")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for megapixels in options.megapixels:
        side = round((megapixels * 1e6) ** 0.5)
        for row in measured(options.network, options.objective, side, options.tiles, options.steps):
            print(json.dumps(row), flush=True)


def measured(network: str, objective: str, side: int, tiles: list[int], steps: int) -> list[dict[str, float]]:
    """A row a tile: pixels that are computed for each of the picture, CPU seconds a megapixel of either kind."""
    recipe = Recipe.of({"objective": objective, "octaves": 1, "steps": steps + 1})
    whole = prepare(loaded(network), recipe, (side, side), precision="auto")
    plans = {tile: tiled(whole, tile) for tile in tiles}
    running: dict[int, Iterator[Frame]] = {
        tile: render(plan, torch.rand(1, 3, 512, 512)) for tile, plan in plans.items()
    }
    taken: dict[int, list[float]] = {tile: [] for tile in tiles}
    for _ in range(steps + 1):
        for tile, frames in running.items():
            begun = time.process_time()
            next(frames)
            taken[tile].append(time.process_time() - begun)
    rows = []
    for tile, plan in plans.items():
        seconds = median(taken[tile][1:]) / (side * side / 1e6)
        computed = sum(budget.pieces(plan, plan.octaves[-1])) / side**2
        rows.append({
            "megapixels": side * side / 1e6, "tile": tile, "computed": round(computed, 3),
            "seconds": round(seconds, 3), "seconds_computed": round(seconds / computed, 3),
        })  # fmt: skip
    return rows


def tiled(plan: Plan, side: int) -> Plan:
    return plan if side == 0 else replace(plan, look=Tiles(side, keeps=budget.can_keep(plan)))


if __name__ == "__main__":
    main()
