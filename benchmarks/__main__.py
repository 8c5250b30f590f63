"""``python -m benchmarks``: limits of the machine, steps, whole runs, growth, memory, start-up; writes docs/benchmarks.

On a busy machine ``--clock cpu`` with one thread counts only what each process itself was given. ``--quick`` takes
a few minutes and rough figures.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.case import NETWORKS, Case
from benchmarks.duel import ROOT, Contestant, Taken, duel
from benchmarks.peers import environment
from benchmarks.report import write
from benchmarks.startup import startup
from benchmarks.work import operations

QUICK = ("googlenet", "inception_v3", "resnet50", "vgg16", "motif")
PEERS = ("googlenet", "inception_v3", "vgg16")
SIZES = ((192, 256), (384, 512), (768, 1024))
RUNS = (("googlenet", SIZES), ("resnet50", SIZES[:2]), ("vgg16", SIZES[:2]))
HERE = Path(sys.executable)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer networks, rounds and sizes")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="install and compare no other package")
    parser.add_argument("--peers", type=Path, help="the interpreter of an environment that has them already")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for benchmarks.md, .json and the plot")
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        python = options.peers
        if python is None and not options.no_peers:
            print("installing the peers")
            python = environment(Path(folder) / "peers")
        found: dict[str, Any] = {"about": about(options)}
        found["startup"] = list(startup(1 if options.quick else 3, options.clock, options.threads[-1]))
        for part in (limits, growth, steps, runs):
            found[part.__name__] = []
            for each in part(options, python):
                found[part.__name__].append(each)
                print(f"{time.perf_counter() - begun:5.0f} s  {part.__name__} {json.dumps(each)}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmarks.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    write(found, options.out)
    print(f"wrote {options.out / 'benchmarks.md'} after {(time.perf_counter() - begun) / 60:.0f} minutes")


def about(options: argparse.Namespace) -> dict[str, Any]:
    name = str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor())
    return {
        "machine": name,
        "cores": torch.get_num_threads(),
        "torch": torch.__version__,
        "clock": options.clock,
        "rounds": options.rounds,
        "quick": options.quick,
    }


def limits(options: argparse.Namespace, _python: Path | None) -> Iterator[dict[str, Any]]:
    for threads in options.threads:
        for precision in ("fp32", "bf16"):
            each = Contestant("limits", Case("", "", precision=precision, threads=threads), HERE)
            answer = each.run(1)
            each.close()
            if answer is not None:
                yield {"threads": threads, "precision": precision, **answer["said"]}


def steps(options: argparse.Namespace, python: Path | None) -> Iterator[dict[str, Any]]:
    """One step at 512x384 against plain PyTorch and whoever knows that network.

    Every network and every peer with as many threads as there may be; a few networks without peers with fewer.
    """
    for threads in options.threads:
        most = threads == options.threads[-1]
        rounds = options.rounds if most else min(3, options.rounds)
        for network in NETWORKS if most and not options.quick else QUICK:
            case = Case(network, NETWORKS[network], threads=threads)
            exact = replace(case, precision="fp32")
            entries = {
                "ours bf16": ("ours", case, HERE),
                "ours fp32": ("ours", exact, HERE),
                "plain PyTorch": ("plain", exact, HERE),
            }
            if python is not None and most and network in PEERS:
                entries |= {
                    "torch-lucent": ("lucent", exact, python),
                    "torch-dreams": ("dreams", exact, python),
                }
            if python is not None and most and network == "inception_v3":
                entries |= {
                    "TensorFlow tutorial fp32": ("tensorflow", exact, python),
                    "TensorFlow tutorial bf16": ("tensorflow", case, python),
                }
            taken = duel(entries, rounds, options.clock, 2, whole=False)
            yield row(case, taken) | {"operations": operations(case)}


def runs(options: argparse.Namespace, _python: Path | None) -> Iterator[dict[str, Any]]:
    """Whole runs of 4 octaves; the slow ones at the smaller sizes alone."""
    count, threads = 3 if options.quick else 10, options.threads[-1]
    for network, sizes in (("googlenet", SIZES),) if options.quick else RUNS:
        for size in sizes:
            case = Case(network, NETWORKS[network], size, octaves=4, threads=threads)
            entries = {
                "ours bf16": ("ours", case, HERE),
                "plain PyTorch": ("plain", replace(case, precision="fp32"), HERE),
            }
            rounds = min(3, options.rounds)
            yield row(case, duel(entries, rounds, options.clock, count, whole=True)) | {"steps": count}


def growth(options: argparse.Namespace, _python: Path | None) -> Iterator[dict[str, Any]]:
    """One step of growing pictures: time and memory."""
    threads = options.threads[-1]
    for network, layer in (("motif", ""), ("googlenet", NETWORKS["googlenet"])):
        for size in (*SIZES, (1536, 2048))[: 3 if options.quick else 4]:
            case = Case(network, layer, size, threads=threads)
            yield row(case, duel({"ours bf16": ("ours", case, HERE)}, 3, options.clock, 2, whole=False))


def row(case: Case, taken: dict[str, Taken | None]) -> dict[str, Any]:
    return {"case": asdict(case), "taken": {label: asdict(each) if each else None for label, each in taken.items()}}


if __name__ == "__main__":
    main()
