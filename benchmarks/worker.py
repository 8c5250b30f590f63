"""A contestant in a process of its own: told a number of steps, it runs them and says what that took."""

from __future__ import annotations

import importlib
import json
import sys
import time
import warnings
from pathlib import Path


def main() -> None:
    from benchmarks.case import parsed

    warnings.filterwarnings("ignore")
    name, case = sys.argv[1], parsed(sys.argv[2])
    answers, sys.stdout = sys.stdout, sys.stderr
    if name != "tensorflow":
        import torch

        torch.set_num_threads(case.threads)
    run = importlib.import_module(f"benchmarks.contestants.{name}").runner(case)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        said = run(int(line))
        taken = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "said": said}
        taken["peak"] = peak()
        print(json.dumps(taken), file=answers, flush=True)


def peak() -> int:
    """The largest resident size so far, in bytes. Not of getrusage, which begins at that of the parent."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
