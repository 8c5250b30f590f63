"""How this process keeps its memory, which decides a tenth of the time on a CPU."""

from __future__ import annotations

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_KEPT = 32 << 20  # bytes; glibc takes no more


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed for the next step instead of handing it back page by page.

    Each step frees and asks for the same tensors; fetching their pages again costs 5 to 12 % of a step. Blocks above
    32 MiB still come and go, so that a large picture's memory is what the plan says. False where the C library
    is another, or the user has settings of their own.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has none
        return False
    # Setting one alone would switch off glibc's own adapting of the other.
    return bool(mallopt(TRIM_THRESHOLD, 2**31 - 1)) and bool(mallopt(MMAP_THRESHOLD, LARGEST_KEPT))
