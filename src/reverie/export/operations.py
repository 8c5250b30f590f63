"""What a network computes, as a list of operations whose gradients are known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, fx, nn

from reverie.errors import UsageError
from reverie.network import Network
from reverie.network.class_map import ClassMap
from reverie.network.padding import SameConv2d

Kind = Literal["conv", "scale", "relu", "relu6", "add", "pool", "flatten", "linear"]
FOLLOWED_KINDS = "convolutions, batch norms, ReLUs, sums, global average pools and linear layers"
CLASS_MAP = "class_map"  # the value of the classes at every place
KNOWN = "motif or EfficientNet-Lite"


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: its ``kind``, the names of the values it reads and of the one it makes, and its numbers.

    ``conv`` has a ``weight`` [O, I / groups, kh, kw] and a ``bias`` [O]; ``scale`` multiplies each channel by
    ``weight`` [C] and adds ``bias`` [C]; ``linear`` has ``weight`` [O, I]. ``stride`` and ``padding`` are (down,
    across); with ``same`` the padding depends on the size, as :class:`SameConv2d` has it.
    """

    kind: Kind
    inputs: tuple[str, ...]
    output: str
    weight: Tensor | None = None
    bias: Tensor | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1
    same: bool = False


@dataclass(frozen=True, eq=False)
class Followed:
    """The operations that ``outputs`` (layer -> name of its value) need, in the order of the forward pass.

    The value ``image`` is the normalized picture.
    """

    operations: tuple[Operation, ...]
    outputs: Mapping[str, str]


def follow(network: Network, layers: Iterable[str]) -> Followed:
    """The operations of ``network`` up to ``layers`` (paths); batch norms are folded into convolutions.

    Raises :class:`UsageError` for a network that has an operation of another kind, or cannot be followed.
    """
    if network.adapter is not None:
        raise UsageError(f"{network.name} is a foreign network, which has no step graph; take {KNOWN}.")
    tracer = _Tracer()
    try:
        graph = tracer.trace(network.module)
    except Exception as error:  # a forward pass that decides on values raises whatever it likes
        raise UsageError(f"The forward pass of {network.name} cannot be followed: {error}") from None
    outputs = {}
    for name in layers:
        if name not in tracer.outputs:
            raise UsageError(
                f"The layer {name!r} of {network.name} takes no part in its forward pass; choose another."
            )
        outputs[name] = tracer.outputs[name]
    needed = _needed(outputs.values())
    made: list[Operation] = []
    for node in graph.nodes:
        if node in needed and node.op != "placeholder":
            made.append(_operation(node, network))
    return Followed(*_folded(made, {name: _name(node) for name, node in outputs.items()}))


def with_class_map(followed: Followed, layer: str, classes: ClassMap, kept: bool) -> Followed:
    """The same with the classes of each place as the output of ``layer``, the logits of the whole picture.

    The activation that ``classes`` reads is among the outputs of ``followed``; it stays there if ``kept``.
    """
    weight = classes.weight[..., None, None]
    made = Operation("conv", (followed.outputs[classes.layer],), CLASS_MAP, weight, classes.bias)
    outputs = {name: value for name, value in followed.outputs.items() if kept or name != classes.layer}
    return Followed((*followed.operations, made), {**outputs, layer: CLASS_MAP})


class _Tracer(fx.Tracer):
    """Remembers what each module gave, blocks too."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(True for _ in m.children()) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        found = super().call_module(m, forward, args, kwargs)
        if isinstance(found, fx.Proxy):
            self.outputs.setdefault(self.path_of_module(m), found.node)
        return found


def _needed(outputs: Iterable[fx.Node]) -> set[fx.Node]:
    found, open_ = set[fx.Node](), list(outputs)
    while open_:
        node = open_.pop()
        if node not in found:
            found.add(node)
            open_ += node.all_input_nodes
    return found


def _name(node: fx.Node) -> str:
    return "image" if node.op == "placeholder" else node.name


def _operation(node: fx.Node, network: Network) -> Operation:
    inputs = tuple(_name(each) for each in node.all_input_nodes)
    if node.op == "call_module":
        module = network.module.get_submodule(str(node.target))
        if (made := _of_module(module, inputs, node.name)) is not None:
            return made
        what = f"its layer {node.target} is a {type(module).__name__}"
    elif node.op == "call_function" and node.target in (operator.add, torch.add) and len(inputs) == 2:
        return Operation("add", inputs, node.name)
    elif node.target in ("flatten", torch.flatten) and node.args[1:] == (1,):
        return Operation("flatten", inputs, node.name)
    else:
        what = f"it calls {getattr(node.target, '__name__', node.target)}"
    raise UsageError(f"{network.name} cannot be exported: {what}. Only {FOLLOWED_KINDS} can; take {KNOWN}.")


def _of_module(module: nn.Module, inputs: tuple[str, ...], name: str) -> Operation | None:
    if isinstance(module, nn.Conv2d):
        depthwise = module.groups == module.in_channels == module.out_channels
        plain = (
            module.dilation == (1, 1)
            and module.padding_mode == "zeros"
            and not isinstance(module.padding, str)
        )
        if not plain or not (module.groups == 1 or depthwise):
            return None
        weight, stride = module.weight.detach(), cast("tuple[int, int]", module.stride)
        bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
        padding = cast("tuple[int, int]", module.padding)
        same = isinstance(module, SameConv2d)
        return Operation("conv", inputs, name, weight, bias, stride, padding, groups=module.groups, same=same)
    if (
        isinstance(module, nn.BatchNorm2d)
        and module.running_mean is not None
        and module.running_var is not None
    ):
        factor = (module.running_var.double() + module.eps).rsqrt()
        shift = -module.running_mean.double() * factor
        if module.affine:
            factor, shift = (
                factor * module.weight.double(),
                shift * module.weight.double() + module.bias.double(),
            )
        return Operation("scale", inputs, name, factor.detach(), shift.detach())
    pools = isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
    kinds: dict[Kind, bool] = {"relu6": isinstance(module, nn.ReLU6), "pool": pools}
    kinds["relu"] = isinstance(module, nn.ReLU)
    for kind, fits in kinds.items():
        if fits:
            return Operation(kind, inputs, name)
    if isinstance(module, nn.Linear):
        weight = module.weight.detach()
        bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
        return Operation("linear", inputs, name, weight, bias)
    return None


def _folded(
    operations: list[Operation], outputs: Mapping[str, str]
) -> tuple[tuple[Operation, ...], Mapping[str, str]]:
    """Every per-channel scale behind a convolution that nothing else reads becomes part of that convolution."""
    readers: dict[str, int] = {}
    for each in operations:
        for name in each.inputs:
            readers[name] = readers.get(name, 0) + 1
    made: dict[str, Operation] = {}
    for each in operations:
        before = made.get(each.inputs[0]) if each.kind == "scale" else None
        alone = before is not None and before.kind == "conv" and readers[before.output] == 1
        if before is None or not alone or before.output in outputs.values():
            made[each.output] = each
            continue
        assert each.weight is not None
        assert each.bias is not None
        assert before.weight is not None
        assert before.bias is not None
        weight = (before.weight.double() * each.weight.view(-1, 1, 1, 1)).float()
        bias = (before.bias.double() * each.weight + each.bias).float()
        del made[before.output]
        made[each.output] = replace(before, output=each.output, weight=weight, bias=bias)
    return tuple(made.values()), outputs
