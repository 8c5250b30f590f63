"""What a user waits for who types the command: torch's own import, a preview, a whole default dream."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.duel import ROOT

PHOTO = ROOT / "examples" / "cat.jpg"
DREAM = ("-m", "reverie", "dream", str(PHOTO), "--overwrite", "--quiet", "--out")


def startup(rounds: int, clock: str, threads: int) -> Iterator[dict[str, Any]]:
    """Medians of whole processes, in turn; the first of each is not counted, which finds the files cold."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.png")
        commands = {
            "import torch": ("-c", "import torch"),
            "reverie dream --preview": (*DREAM, out, "--preview"),
            "reverie dream --size 512": (*DREAM, out, "--size", "512"),
        }
        taken: dict[str, list[float]] = {label: [] for label in commands}
        for at in range(rounds + 1):
            for label, command in commands.items():
                seconds = run(command, clock, threads)
                if at:
                    taken[label].append(seconds)
    for label, each in taken.items():
        yield {"what": label, "threads": threads, "seconds": median(each)}


def run(command: tuple[str, ...], clock: str, threads: int) -> float:
    """Seconds of one process, by wall time or by its own CPU time."""
    path = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    before, wall = os.times(), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}
    subprocess.run([sys.executable, *command], env=environment, check=True)
    if clock == "wall":
        return time.perf_counter() - wall
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
