"""What the machine can do: the fastest matrix product and the fastest convolution, in operations per second."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarks.case import Case

SHAPES = [(64, 384, 512), (128, 192, 256), (256, 96, 128), (512, 48, 64)]


def fastest(call: Callable[[], object], operations: float) -> float:
    """Operations per second, by the clock that others on the machine disturbed less."""
    taken = []
    for _ in range(4):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        taken.append(min(time.perf_counter() - wall, (time.process_time() - cpu) / torch.get_num_threads()))
    return operations / min(taken)


def runner(case: Case) -> Callable[[int], dict[str, float]]:
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32

    def run(_steps: int) -> dict[str, float]:
        a = torch.randn(2048, 2048).to(dtype)
        found = {"gemm": fastest(lambda: a @ a, 2 * 2048**3), "convolution": 0.0}
        for channels, height, width in SHAPES:
            image = torch.randn(1, channels, height, width).to(dtype).contiguous(memory_format=torch.channels_last)
            conv = torch.nn.Conv2d(channels, channels, 3, padding=1).to(dtype).requires_grad_(False)
            conv = conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            speed = fastest(lambda conv=conv, image=image: conv(image), 18 * channels**2 * height * width)
            found["convolution"] = max(found["convolution"], speed)
        return found

    return run
