"""The same network, made ready for a device: frozen, channels-last, fewer operations, in the precision asked for."""

from __future__ import annotations

import copy
from collections.abc import Set
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from reverie.errors import UsageError
from reverie.network.class_map import ClassMap
from reverie.network.fast.graph import Builder, TracedGraph, trace_graph, watched
from reverie.network.fast.operations import Scale, lowered, raised
from reverie.network.network import Layer, Network
from reverie.network.receptive import Traced
from reverie.pixels.ops import Size
from reverie.recipe import Precision

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}

NARROW = 0.05
"""A network with a smaller ``std`` takes pixels of 0..255; its activations leave the range of fp16."""


def resolve_precision(
    asked: Literal["auto"] | Precision, device: torch.device, network: Network | None = None
) -> Precision:
    """``auto`` is fp16 on a CUDA device, bf16 on a CPU with instructions for it, else fp32, which is the reference.

    fp16 is nearer to fp32 than bf16 is, but has a narrow range: it is taken for networks that normalize what they
    see. Raises :class:`UsageError` for what ``network`` cannot.
    """
    able: list[Precision] = ["fp32"]
    if network is None or network.bf16:
        # The scale that fp16 needs hangs on our own graph, which a foreign module has not.
        able += ["bf16"] if network is not None and network.adapter is not None else ["bf16", "fp16"]
    if asked != "auto":
        if network is not None and asked not in able:
            raise UsageError(
                f"The network {network.name} computes in {' and '.join(able)} alone; leave [[precision={asked}]] out."
            )
        return asked
    if device.type == "cuda":
        if network is not None and network.adapter is None and min(network.std) < NARROW:
            able = [each for each in able if each != "fp16"]
        return able[-1]
    if device.type == "cpu" and "bf16" in able:
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"):
            return "bf16"
    return "fp32"


def optimized(network: Network, device: torch.device, precision: Precision) -> Network:
    """The same as ``network``, on ``device`` and faster; the one handed in stays as it is.

    A module that can be followed becomes an :class:`Optimized`. Any other, and a foreign one, whose forward may do
    what a graph would not, is copied and converted as it stands; :class:`UsageError` for that in fp16.
    """
    graph = trace_graph(network.module) if network.adapter is None else None
    if graph is None and precision == "fp16":
        raise UsageError(f"The network {network.name} cannot be followed into fp16; use [[precision=bf16]].")
    if graph is not None and device.type == "cpu":
        return _around(network, graph, device, precision)
    try:
        module = copy.deepcopy(network.module).to(device)
    except Exception:  # a stranger's module may hold what cannot be copied; then it is used itself
        module = network.module.to(device)
    if graph is not None and (graph := trace_graph(module)) is not None:
        return _around(network.with_module(module), graph, device, precision)
    if (dtype := DTYPES[precision]) is not None:
        module = module.to(dtype)
    return network.with_module(module.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _around(network: Network, graph: TracedGraph, device: torch.device, precision: Precision) -> Optimized:
    own = {each.name: getattr(network, each.name) for each in fields(Network)}
    return Optimized(**own, base=network, graph=graph, device=device, precision=precision)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Optimized(Network):
    """A network that is rebuilt for each set of layers asked for: cut behind the deepest, batch norms folded,
    convolution and ReLU in one call.

    What is asked for is what stays visible, so a layer between a convolution and its ReLU costs what it must and no
    other pays. ``module`` is still the one of ``base``, in its own precision; it is run while somebody listens to it.
    In fp16 a gradient is scaled on its way, so that none of it falls below what fp16 can hold.
    """

    base: Network
    graph: TracedGraph
    device: torch.device
    precision: Precision

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the network it was made of."""
        return self.base.layers

    @cached_property
    def class_map(self) -> ClassMap | None:
        """That of the network it was made of."""
        return self.base.class_map

    def with_module(self, module: nn.Module) -> Network:
        """The same network around another module, made ready in the same way."""
        return optimized(self.base.with_module(module), self.device, self.precision)

    @cached_property
    def _builder(self) -> Builder:
        return Builder(self.graph, self.device, DTYPES[self.precision])

    @cached_property
    def _runners(self) -> dict[tuple[str, ...], nn.Module]:
        return {}

    def _traced(self, size: Size) -> dict[str, Traced]:
        return self.base._traced(size)

    def _outputs(self, image: Tensor, wanted: Set[str]) -> dict[str, object]:
        # Convolution and ReLU in one leave no ReLU to redirect.
        if self.redirects or watched(self.module):
            return super()._outputs(image, wanted)
        names = tuple(sorted(wanted & self.graph.outputs.keys()))
        if names not in self._runners:
            self._runners[names] = self._builder.built(names)
        x, dtype = self._normalized(image), DTYPES[self.precision]
        if self.precision == "fp16":
            scale = Scale(self.name)
            outputs = [raised(each, scale) for each in self._runners[names](lowered(x, scale))]
        else:
            outputs = self._runners[names](x if dtype is None else x.to(dtype))
        return dict(zip(names, outputs, strict=True))
