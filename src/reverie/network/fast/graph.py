"""A network's module as a graph of operations, cut to what is asked for and made of fewer, larger ones."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reverie.network.fast.convolution import Convolution, Same
from reverie.network.fast.operations import Averaged, Branches, Gated, symmetric
from reverie.network.padding import SameConv2d
from reverie.network.receptive import leaf


@dataclass(frozen=True, eq=False)
class TracedGraph:
    """What ``module`` does, and which node of the graph gives the (first) output of each of its parts."""

    module: nn.Module
    graph: fx.Graph
    outputs: dict[str, fx.Node]


class _Tracer(fx.Tracer):
    """Follows a module through its containers; what has no parts stays whole."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return leaf(m)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        output = super().call_module(m, forward, args, kwargs)
        if isinstance(output, fx.Proxy):
            self.outputs.setdefault(self.path_of_module(m), output.node)
        return output


def trace_graph(module: nn.Module) -> TracedGraph | None:
    """``module`` as a graph; None where it cannot be followed, or does what a graph would not."""
    if watched(module):
        return None
    tracer = _Tracer()
    try:
        graph = tracer.trace(module)
    except Exception:  # whatever a stranger's forward does with what it takes for a tensor
        return None
    finally:
        # torch's functions around a trace refer to one another and to the tracer, and so to all weights.
        outputs = tracer.outputs
        vars(tracer).clear()
    for node in graph.nodes:
        # A tensor that was made on the way would be frozen as it happened to be; writing in place would
        # change what was captured.
        made = node.op == "get_attr" and node.target.startswith("_tensor_constant")
        wrote = node.target is operator.setitem or (node.op == "call_method" and node.target.endswith("_"))
        if made or wrote or node.kwargs.get("inplace"):
            return None
    return TracedGraph(module, graph, outputs)


def watched(module: nn.Module) -> bool:
    """Whether somebody listens to a module or its parts, or changes what they give."""
    return any(
        "forward" in vars(part)
        or part._forward_hooks
        or part._forward_pre_hooks
        or part._backward_hooks
        or part._backward_pre_hooks
        for part in module.modules()
    )


@dataclass
class Fused:
    """A convolution with what follows it: batch norm, ReLU up to ``limit``; ``pool`` comes before it."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d | None = None
    relu: bool = False
    limit: float | None = None
    gated: bool = True
    pool: nn.AvgPool2d | None = None

    @property
    def plain(self) -> bool:
        """Whether every place of the output reads that place of the input alone."""
        conv = self.conv
        return conv.kernel_size == (1, 1) and conv.padding == (0, 0) and conv.groups == 1


@dataclass
class Pooled:
    """A max pool that stops the gradient for the ReLU before it."""

    pool: nn.Module


@dataclass
class Siblings:
    """1x1 convolutions that read the same."""

    convs: list[Fused]


GraphPart = nn.Module | Fused | Pooled | Siblings | Tensor
Parts = dict[fx.Node, GraphPart]


class Builder:
    """Makes runners of a traced module for sets of layers; they share their converted weights."""

    def __init__(self, source: TracedGraph, device: torch.device, dtype: torch.dtype | None) -> None:
        self.source, self.device, self.dtype = source, device, dtype
        self._converted: dict[tuple[int, ...], Any] = {}

    def built(self, layers: Sequence[str]) -> nn.Module:
        """A module that gives the outputs of ``layers``, a tuple, and computes nothing that they do not need."""
        graph = fx.Graph()
        copied: dict[fx.Node, fx.Node] = {}
        graph.graph_copy(self.source.graph, copied)
        graph.output(tuple(copied[self.source.outputs[name]] for name in layers))
        for node in reversed(graph.nodes):
            if not node.users and node.op not in ("placeholder", "output"):
                graph.erase_node(node)
        parts: Parts = {
            node: _found(self.source.module, node.target)
            for node in graph.nodes
            if node.op in ("call_module", "get_attr")
        }
        for node, part in parts.items():
            if not isinstance(part, nn.Conv2d) or part.padding_mode != "zeros" or isinstance(part.padding, str):
                continue
            if type(part) in (nn.Conv2d, SameConv2d):
                parts[node] = Fused(part)
        for rewrite in (_norms_folded, _relus_fused, _gates_moved, _pools_swapped, _siblings_joined):
            rewrite(graph, parts)
        made: dict[str, Any] = {}
        for at, (node, part) in enumerate(parts.items()):
            node.target = f"part{at}"
            made[node.target] = self._made(part)
        runner = fx.GraphModule(made, graph)
        # The graph was needed to write the code. That it points back at its module would keep all weights until
        # the garbage collector comes by.
        runner.graph.owning_module = None
        return runner

    def _made(self, part: GraphPart) -> nn.Module | Tensor:
        if isinstance(part, Fused) and part.pool is not None:
            return Averaged(part.pool, self._conv(part.conv, part.norm), part.relu)
        if isinstance(part, Fused):
            conv = self._conv(part.conv, part.norm)
            if isinstance(conv, SameConv2d):
                return Same(conv, part.relu, part.gated, part.limit)
            return Convolution(conv, part.relu, part.gated, part.limit)
        if isinstance(part, Pooled):
            return Gated(part.pool)
        if isinstance(part, Siblings):
            return Branches([self._conv(each.conv, each.norm) for each in part.convs])
        key = (id(part),)
        if key not in self._converted:
            self._converted[key] = self._moved(copy.deepcopy(part))
        found: nn.Module | Tensor = self._converted[key]
        return found

    def _conv(self, conv: nn.Conv2d, norm: nn.BatchNorm2d | None) -> nn.Conv2d:
        key = (id(conv), id(norm))
        if key not in self._converted:
            whole = copy.deepcopy(conv) if norm is None else fuse_conv_bn_eval(conv, norm)
            self._converted[key] = self._moved(whole).requires_grad_(False)
        found: nn.Conv2d = self._converted[key]
        return found

    def _moved(self, part: Any) -> Any:
        part = part.to(self.device)
        if self.dtype is not None and (isinstance(part, nn.Module) or part.is_floating_point()):
            part = part.to(self.dtype)
        if not isinstance(part, nn.Module):
            return part
        return part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _norms_folded(graph: fx.Graph, parts: Parts) -> None:
    """A batch norm is part of the convolution before it, where nobody else reads that."""
    for node, part in list(parts.items()):
        if type(part) is nn.BatchNorm2d and part.running_mean is not None:
            before = _alone(node.args[0], parts)
            if before is not None:
                before.norm = part
                _dropped(node, graph, parts)


def _relus_fused(graph: fx.Graph, parts: Parts) -> None:
    """A ReLU or ReLU6 is part of the convolution before it, or of the sum with a shortcut before it."""
    for node in list(graph.nodes):
        limited = type(parts.get(node)) is nn.ReLU6 or node.target is nn.functional.relu6
        plain = type(parts.get(node)) is nn.ReLU or node.target in (torch.relu, nn.functional.relu)
        if not (limited or plain):
            continue
        limit = 6.0 if limited else None
        before = _alone(node.args[0], parts)
        if before is not None:
            before.relu, before.limit = True, limit
            _dropped(node, graph, parts)
        elif (conv := _conv_of_sum(node.args[0], parts)) is not None:
            total = node.args[0]
            other = next(each for each in total.args if each is not conv)
            total.prepend(conv)  # behind the shortcut, which it now reads
            conv.args = (*conv.args, other)
            fused = parts[conv]
            assert isinstance(fused, Fused)
            fused.relu, fused.limit = True, limit
            _dropped(node, graph, parts, conv)
            graph.erase_node(total)


def _gates_moved(graph: fx.Graph, parts: Parts) -> None:
    """Where only a max pool reads a ReLU, the gradient is stopped behind the pool."""
    for node, part in list(parts.items()):
        if isinstance(part, nn.MaxPool2d):
            before = _alone(node.args[0], parts, relu=True)
            if before is not None and before.limit is None:
                before.gated = False
                parts[node] = Pooled(part)


def _pools_swapped(graph: fx.Graph, parts: Parts) -> None:
    """An average pool that only a 1x1 convolution to fewer channels reads goes behind it."""
    for node, part in list(parts.items()):
        if not (isinstance(part, Fused) and part.plain and part.gated and len(node.args) == 1):
            continue
        before, conv = node.args[0], part.conv
        if not isinstance(before, fx.Node) or len(before.users) != 1:
            continue
        pool, smaller = parts.get(before), conv.out_channels < conv.in_channels
        unlimited = part.limit is None and conv.stride == (1, 1)
        if type(pool) is nn.AvgPool2d and symmetric(pool) and smaller and unlimited:
            part.pool = pool
            _dropped(before, graph, parts)


def _siblings_joined(graph: fx.Graph, parts: Parts) -> None:
    """The 1x1 convolutions at the head of an inception block's branches are one, whose output is sliced."""
    families: dict[tuple[Any, ...], list[fx.Node]] = {}
    for node, part in parts.items():
        if not isinstance(part, Fused) or part.pool is not None or len(node.args) != 1:
            continue
        if part.relu and part.limit is None and part.gated and part.plain:
            families.setdefault((node.args[0], part.conv.stride), []).append(node)
    for family in families.values():
        if len(family) > 1:
            with graph.inserting_before(family[0]):
                joined = graph.call_module("joined", (family[0].args[0],))
            parts[joined] = Siblings([part for node in family if isinstance(part := parts[node], Fused)])
            for at, node in enumerate(family):
                with graph.inserting_after(joined):
                    slice_ = graph.call_function(operator.getitem, (joined, at))
                _dropped(node, graph, parts, slice_)


def _alone(source: Any, parts: Parts, relu: bool = False) -> Fused | None:
    """The convolution that ``source`` is, with a ReLU or not, where but one reads it."""
    part = parts.get(source) if isinstance(source, fx.Node) and len(source.users) == 1 else None
    return part if isinstance(part, Fused) and part.relu == relu else None


def _conv_of_sum(total: Any, parts: Parts) -> fx.Node | None:
    """A convolution in a sum of two nodes that is read but once, where nobody else reads either."""
    if not isinstance(total, fx.Node) or total.target is not operator.add or len(total.users) != 1:
        return None
    if len({each for each in total.args if isinstance(each, fx.Node)}) != 2:
        return None
    return next((each for each in total.args if _alone(each, parts)), None)  # type: ignore[return-value]


def _dropped(node: fx.Node, graph: fx.Graph, parts: Parts, instead: fx.Node | None = None) -> None:
    source = instead or node.args[0]
    assert isinstance(source, fx.Node)
    node.replace_all_uses_with(source)
    graph.erase_node(node)
    parts.pop(node, None)


def _found(module: nn.Module, path: Any) -> Any:
    """The part or tensor of that path."""
    found: Any = module
    for name in path.split("."):
        found = getattr(found, name)
    return found
