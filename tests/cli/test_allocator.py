"""Memory that is freed is kept for the next step, measured by the pages that the kernel has to fetch."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from reverie.cli import allocator

CODE = """
import resource, torch
from reverie.cli.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()

def step():
    held = [torch.zeros(24 << 20, dtype=torch.uint8) for _ in range(4)]

step()  # the first must fetch its pages in any case: 48 or 24,576 of them, as the kernel gives large pages or not
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
"""


def faults(keep: bool) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    code = CODE.format(keep=keep)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return int(found.stdout)


def glibc() -> bool:
    try:
        return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
    except OSError:
        return False


@pytest.mark.skipif(not glibc(), reason="the C library is another")
def test_the_same_pages_are_used_again() -> None:
    kept, alone = faults(keep=True), faults(keep=False)
    used = 20 * 4 * (24 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert kept < 0.05 * used
    assert kept < alone  # how many glibc alone fetches varies from run to run: 6 % to all


def test_the_users_own_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert not allocator.keep_freed_memory()


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not allocator.keep_freed_memory()
