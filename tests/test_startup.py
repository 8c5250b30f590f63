"""What a first picture must not wait for."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("sympy", "torch._dynamo", "torch._inductor", "torchvision", "matplotlib", "keras", "cv2", "av")


def test_a_dream_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys, reverie; reverie.dream(size='40x32', steps=1, octaves=1); "
        f"print([each for each in {SLOW} if each in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
