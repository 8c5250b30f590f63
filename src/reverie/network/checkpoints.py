"""Reentrant checkpoints of a stranger's network, which torch refuses to differentiate with respect to an input."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Here(threading.local):
    active = False


_here = _Here()


@contextmanager
def without_checkpoints() -> Iterator[None]:
    """Inside, in this thread, what ``torch.utils.checkpoint(use_reentrant=True)`` wraps is computed as it stands.

    A reentrant checkpoint saves memory in training; ``torch.autograd.grad`` raises at one. Its result is the same
    without.
    """
    module: Any = sys.modules.get("torch.utils.checkpoint")
    if module is not None and not isinstance(module.CheckpointFunction, _Switch):
        module.CheckpointFunction = _Switch(module.CheckpointFunction)
    before, _here.active = _here.active, True
    try:
        yield
    finally:
        _here.active = before


class _Switch:
    """Torch's own function, except where this thread is inside of :func:`without_checkpoints`."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def apply(self, run: Any, preserve: bool, *arguments: Any) -> Any:
        return run(*arguments) if _here.active else self.own.apply(run, preserve, *arguments)
