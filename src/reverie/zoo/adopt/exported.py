"""Networks that torch.export has written out: a list of operations, made into layers with names."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any

import torch
from torch import fx, nn

SCORING = ("linear", "addmm", "conv2d", "convolution")
"""Operations with weights; the last one gives the classes where its output is the network's."""


class GraphOperation(nn.Module):
    """One operation of an exported program as a layer, so that it can be listened to."""

    def __init__(self, target: Any) -> None:
        super().__init__()
        self.target = target

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """What the operation gives."""
        return self.target(*arguments, **options)


def is_exported(module: object) -> bool:
    """Whether that is a program of torch.export, or the module of one."""
    return isinstance(module, torch.export.ExportedProgram) or (
        isinstance(module, fx.GraphModule)
        and any(isinstance(node.target, torch._ops.OpOverload) for node in module.graph.nodes)
    )


def layered(program: Any) -> tuple[nn.Module, str]:
    """An exported ``program`` with each of its operations as a layer (``conv2d_1``), and the layer with its classes.

    The checks of the input's size that torch.export adds are left out: many programs take any size.
    """
    module = program.module() if isinstance(program, torch.export.ExportedProgram) else program
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(module.graph, copied))
    parts: dict[str, Any] = {}
    for node in reversed(graph.nodes):
        if node.op == "call_module" and not node.users:
            graph.erase_node(node)
    for node in graph.nodes:
        if node.op in ("get_attr", "call_module"):
            parts[node.target] = reduce(getattr, node.target.split("."), module)
    children = {target.split(".")[0] for target in parts}
    for node in graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem:
            name = f"{node.name}_op" if node.name in children else node.name
            parts[name] = GraphOperation(node.target)
            node.op, node.target = "call_module", name
    return fx.GraphModule(parts, graph), _scores(graph, parts)


def _scores(graph: fx.Graph, parts: dict[str, Any]) -> str:
    """The layer that gives the classes; "" where the output comes from something else."""
    (given,) = (node.args[0] for node in graph.nodes if node.op == "output")
    while isinstance(given, tuple | list) and len(given) == 1:
        given = given[0]
    part = parts.get(str(given.target)) if isinstance(given, fx.Node) else None
    known = isinstance(part, GraphOperation) and str(getattr(part.target, "_opname", "")) in SCORING
    return str(given.target) if known and isinstance(given, fx.Node) else ""
