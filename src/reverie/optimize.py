"""The same network, made ready for a device: frozen, channels-last, in the precision asked for."""

from __future__ import annotations

import copy
from typing import Literal

import torch

from reverie.network import Network

Precision = Literal["fp32", "bf16"]


def resolve_precision(asked: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """``auto`` is bf16 where a CPU has instructions for it, else fp32, which is the reference."""
    if asked != "auto":
        return asked
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"):
            return "bf16"
    return "fp32"


def optimized(network: Network, device: torch.device, precision: Precision) -> Network:
    """A copy of ``network`` on ``device``; the one handed in stays as it is."""
    try:
        module = copy.deepcopy(network.module).to(device)
    except Exception:  # a stranger's module may hold what cannot be copied; then it is used itself
        module = network.module.to(device)
    if precision == "bf16":
        module = module.to(torch.bfloat16)
    return network.with_module(module.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
