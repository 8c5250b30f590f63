"""In which type of number, and on which device, a module computes."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import torch
from torch import nn


def working_type(module: nn.Module) -> torch.dtype:
    """The type of most of a module's numbers, float32 where it has none that are fractions.

    The first parameter says nothing: it may be the counter of a normalization, a seed, or a single scale.
    """
    counts: Counter[torch.dtype] = Counter()
    for tensors in (module.parameters(), module.buffers()):
        for each in tensors:
            if each.is_floating_point() and each.dtype.itemsize > 1:
                counts[each.dtype] += each.numel()
        if counts:
            return counts.most_common(1)[0][0]
    return torch.float32


def working_device(module: nn.Module) -> torch.device:
    """Where a module's tensors are, the CPU where it has none."""
    return next((each.device for each in chain(module.parameters(), module.buffers())), torch.device("cpu"))
