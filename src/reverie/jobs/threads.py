"""CPU threads for a while: what torch had before is set again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

Yielded = TypeVar("Yielded")


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Let torch compute with ``count`` CPU threads inside the block; None leaves their number alone."""
    before = torch.get_num_threads()
    if count is not None and count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def with_threads(items: Iterable[Yielded], count: int) -> Iterator[Yielded]:
    """``items``, each made with ``count`` CPU threads; whoever reads them computes with his own number."""
    source = iter(items)
    while True:
        with cpu_threads(count):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item
        del item  # a picture may fill the memory: nobody holds the last one while the next is made
