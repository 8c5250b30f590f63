"""A contestant in a process of its own: told a number of steps, it runs them and says what that took."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import warnings


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
        taken["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps(taken), file=answers, flush=True)


if __name__ == "__main__":
    main()
