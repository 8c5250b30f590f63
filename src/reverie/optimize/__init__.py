"""The same network, made ready for a device: frozen, channels-last, fewer operations, in the precision asked for."""

from __future__ import annotations

import copy
from collections.abc import Set
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from reverie.network import Layer, Network
from reverie.optimize.graph import Builder, Traced, traced

Precision = Literal["fp32", "bf16"]
DTYPES = {"fp32": None, "bf16": torch.bfloat16}


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
    """The same as ``network``, on ``device`` and faster; the one handed in stays as it is.

    A module that can be followed becomes an :class:`Optimized`. Any other, and a foreign one, whose forward may do
    what a graph would not, is copied and converted as it stands.
    """
    graph = traced(network.module) if network.adapter is None else None
    if graph is not None:
        own = {each.name: getattr(network, each.name) for each in fields(Network)}
        return Optimized(**own, base=network, graph=graph, device=device, precision=precision)
    try:
        module = copy.deepcopy(network.module).to(device)
    except Exception:  # a stranger's module may hold what cannot be copied; then it is used itself
        module = network.module.to(device)
    if (dtype := DTYPES[precision]) is not None:
        module = module.to(dtype)
    return network.with_module(module.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimized(Network):
    """A network that is rebuilt for each set of layers asked for: cut behind the deepest, batch norms folded,
    convolution and ReLU in one call.

    What is asked for is what stays visible, so a layer between a convolution and its ReLU costs what it must and no
    other pays. ``module`` is still the one of ``base``, for those who want to know its parts.
    """

    base: Network
    graph: Traced
    device: torch.device
    precision: Precision

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the network it was made of."""
        return self.base.layers

    def with_module(self, module: nn.Module) -> Network:
        """The same network around another module, made ready in the same way."""
        return optimized(self.base.with_module(module), self.device, self.precision)

    @cached_property
    def _builder(self) -> Builder:
        return Builder(self.graph, self.device, DTYPES[self.precision])

    @cached_property
    def _runners(self) -> dict[tuple[str, ...], nn.Module]:
        return {}

    def _outputs(self, image: Tensor, wanted: Set[str]) -> dict[str, object]:
        names = tuple(sorted(wanted & self.graph.outputs.keys()))
        if names not in self._runners:
            self._runners[names] = self._builder.built(names)
        return dict(zip(names, self._runners[names](self._normalized(image)), strict=True))

    def _normalized(self, image: Tensor) -> Tensor:
        x = super()._normalized(image)
        dtype = DTYPES[self.precision]
        return x if dtype is None else x.to(dtype)
