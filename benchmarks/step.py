"""What a step of the default dream costs against one of GoogLeNet's inception_4c, in the same engine.

``python benchmarks/step.py [--size 512x384] [--precision bf16]``: steps of both in turn, medians, ratio. GoogLeNet has
random weights: they cost what trained ones do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from statistics import median

import torch

from reverie import zoo
from reverie.loop import Frame, render
from reverie.network import Network
from reverie.ops import cloud
from reverie.optimize import resolve_precision
from reverie.plan import prepare
from reverie.recipe import Recipe


def steps(network: Network, objective: str, size: tuple[int, int], precision: str, count: int) -> Iterator[Frame]:
    recipe = Recipe(objective=objective, octaves=1, steps=count)
    source = cloud(size, torch.Generator().manual_seed(0))
    return render(prepare(network, recipe, size, precision=precision), source)  # type: ignore[arg-type]


def seconds(frames: Iterator[Frame]) -> float:
    started = time.perf_counter()
    next(frames)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="512x384", help="WxH in pixels")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--count", type=int, default=12, help="steps measured of each")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    precision = resolve_precision(options.precision, torch.device("cpu"))
    motif, googlenet = zoo.load("motif"), zoo.architecture("googlenet")
    count = options.count + 2  # the first two warm up
    runs = {
        f"motif {motif.objective}": steps(motif, "", (height, width), precision, count),
        "motif stage3": steps(motif, "stage3", (height, width), precision, count),
        "googlenet inception_4c": steps(googlenet, "inception_4c", (height, width), precision, count),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(count):
        for name, frames in runs.items():
            taken[name].append(seconds(frames))
    found = {name: median(each[2:]) for name, each in taken.items()}
    print(f"{options.size}, {precision}, {torch.get_num_threads()} threads, medians of {options.count} steps in turn")
    for name, each in found.items():
        print(f"{name:40s} {each * 1000:7.1f} ms   {each / found['googlenet inception_4c']:.2f} of GoogLeNet's")


if __name__ == "__main__":
    main()
