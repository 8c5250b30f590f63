"""Contestants in turn: whatever else the machine does then hits all of them alike."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.case import Case

ROOT = Path(__file__).parents[1]


class Contestant:
    """A worker process: ``run(steps)`` gives what it took."""

    def __init__(self, name: str, case: Case, python: Path) -> None:
        threads = {"OMP_NUM_THREADS": str(case.threads), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        self.process = subprocess.Popen(
            [str(python), "-m", "benchmarks.worker", name, case.text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**os.environ, **threads},
        )

    def run(self, steps: int) -> dict[str, Any] | None:
        """None where it broke: a peer may not bear this torch."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(steps, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            return None
        return json.loads(line) if line else None

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Taken:
    """``seconds``, by one clock, the median of those of ``each`` round; the largest resident size in bytes."""

    seconds: float
    peak: float
    each: tuple[float, ...] = ()


def duel(
    entries: Mapping[str, tuple[str, Case, Path]], rounds: int, clock: str, steps: int, whole: bool
) -> dict[str, Taken | None]:
    """What a step costs each of ``entries`` (contestant, case, python), or ``whole`` runs of that many steps an octave.

    A step is the difference between a run of ``steps + 1`` and one of 1, so that no setting up counts.
    """
    made = {label: Contestant(name, case, python) for label, (name, case, python) in entries.items()}
    found: dict[str, list[float]] = {label: [] for label in made}
    peaks: dict[str, float] = {}
    try:
        for label, each in made.items():
            if each.run(1) is None:  # the first also warms up
                del found[label]
        for _ in range(rounds):
            for label in list(found):
                short = {clock: 0.0} if whole else made[label].run(1)
                long = made[label].run(steps if whole else steps + 1)
                if short is None or long is None:
                    del found[label]
                    continue
                found[label].append((long[clock] - short[clock]) / (1 if whole else steps))
                peaks[label] = long["peak"]
    finally:
        for each in made.values():
            each.close()
    return {
        label: Taken(median(each), peaks[label], tuple(each)) if (each := found.get(label)) else None for label in made
    }
