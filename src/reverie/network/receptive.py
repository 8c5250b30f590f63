"""What stands behind each layer of a module: the layers it reads, its stride and its receptive field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reverie.network.checkpoints import without_checkpoints

_aten = torch.ops.aten


class ReceptiveField(NamedTuple):
    """Along one axis, unit i sees the pixels ``first + i * jump`` to ``last + i * jump``."""

    first: int
    last: int
    jump: int

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> ReceptiveField:
        """What a unit sees that looks at ``kernel`` of these."""
        first = self.first - padding * self.jump
        last = self.last + (dilation * (kernel - 1) - padding) * self.jump
        return ReceptiveField(first, last, stride * self.jump)


@dataclass(frozen=True)
class Seen:
    """What stands behind a tensor: the spans of height and width (None: the whole picture), and the
    last layers on the way to it."""

    spans: tuple[ReceptiveField, ReceptiveField] | None
    layers: frozenset[str]


@dataclass(frozen=True)
class Traced:
    """The first activation of a module, [B, C, h, w] or [B, C], and what it saw, as in a Layer of reverie.network.

    ``jump`` is its stride, None where nothing can be said of it; ``spans`` are what its units see along
    height and width, None where that is the whole picture or not known.
    """

    shape: torch.Size
    jump: int | None
    receptive: int
    inputs: tuple[str, ...]
    spans: tuple[ReceptiveField, ReceptiveField] | None = None


class _Tracing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, whatever is computed from a known tensor becomes known itself."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # The tensors are kept, so that no id is given out twice.
        self.known: dict[int, tuple[Tensor, Seen]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch's compiler takes a second to import

    def tell(self, tensor: Tensor, seen: Seen) -> None:
        self.known[id(tensor)] = (tensor, seen)

    def ask(self, tensors: object) -> list[tuple[Tensor, Seen]]:
        """The known ones among ``tensors``, however nested."""
        return [self.known[id(each)] for each in tree_leaves(tensors) if id(each) in self.known]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        read = self.ask((args, kwargs))
        if read:
            layers = frozenset[str]().union(*(seen.layers for _, seen in read))
            for result in tree_leaves(out):
                if isinstance(result, Tensor):
                    self.tell(result, Seen(_spans(func.overloadpacket, args, read, result), layers))
        return out


def _spans(
    operation: Any, args: tuple[Any, ...], read: list[tuple[Tensor, Seen]], result: Tensor
) -> tuple[ReceptiveField, ReceptiveField] | None:
    """What stands behind ``result``; the whole picture where the operation is not one of those known."""
    spans = [seen.spans for _, seen in read if seen.spans is not None]
    if len(spans) < len(read):
        return None
    (height, width) = spans[0]
    if operation in (_aten.convolution, _aten.max_pool2d_with_indices, _aten.avg_pool2d) and args[0].ndim == 4:
        if operation is _aten.convolution:
            if args[6]:  # transposed
                return None
            kernel, (stride, padding, dilation) = args[1].shape[2:], args[3:6]
        else:
            kernel, stride = args[1], args[2] if len(args) > 2 else ()
            padding = args[3] if len(args) > 3 else 0
            dilation = args[4] if operation is _aten.max_pool2d_with_indices and len(args) > 4 else 1
        windows = [_pair(each) for each in (kernel, stride or kernel, padding, dilation)]
        return (height.window(*(each[0] for each in windows)), width.window(*(each[1] for each in windows)))
    if operation in (_aten.constant_pad_nd, _aten.reflection_pad2d, _aten.replication_pad2d):
        left, _, top, _ = (*args[1], 0, 0, 0, 0)[:4]
        return height.window(1, 1, top, 1), width.window(1, 1, left, 1)
    pooled = operation in (_aten._adaptive_avg_pool2d, _aten.adaptive_max_pool2d, _aten.mean)
    # Channels go last and come back, or are joined there; height and width stay who they are.
    # Normalized over places, a unit sees them all.
    pooled = pooled or operation is _aten.native_group_norm or (operation is _aten.native_batch_norm and args[5])
    joined = operation is _aten.cat and (args[1] if len(args) > 1 else 0) in (3, -1)
    turned = result.ndim == 4 and (joined or operation in (_aten.permute, _aten.transpose))
    if pooled or (not turned and any(tensor.shape[-2:] != result.shape[-2:] for tensor, _ in read)):
        return None
    # Place by place: what any of the inputs sees.
    return _union([each[0] for each in spans]), _union([each[1] for each in spans])


def _pair(value: Any) -> tuple[int, int]:
    """Height and width out of one number for both, or two."""
    sides = tuple(value) if isinstance(value, Sequence) else (value,)
    return (sides[0], sides[-1])


def _union(spans: list[ReceptiveField]) -> ReceptiveField:
    return ReceptiveField(min(each.first for each in spans), max(each.last for each in spans), spans[0].jump)


Read = Callable[[str, object], Tensor | None]
"""What the output of a module of that path means: an activation [B, C, h, w] or [B, C], or None."""


def leaf(module: nn.Module) -> bool:
    """Whether a module has no parts; lists of parameters (Keras has one in every layer) are none."""
    return all(isinstance(each, nn.ParameterDict | nn.ParameterList) for each in module.children())


def traced(
    module: nn.Module, image: Tensor, enter: Callable[[Tensor], Tensor], read: Read
) -> dict[str, Traced]:
    """Every module that yields an activation for ``image`` [1, 3, H, W], by path, in forward order.

    ``enter`` makes of the image what ``module`` takes.
    """
    found: dict[str, Traced] = {}
    inputs_of: dict[str, frozenset[str]] = {}
    tracing = _Tracing()

    def before(name: str) -> Callable[[nn.Module, object], None]:
        def hook(_module: nn.Module, inputs: object) -> None:
            inputs_of[name] = frozenset[str]().union(*(seen.layers for _, seen in tracing.ask(inputs)))

        return hook

    def after(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(part: nn.Module, _inputs: object, output: object) -> None:
            activation = read(name, output)
            if activation is None:
                return
            spans = next((seen.spans for _, seen in tracing.ask(output)), None)
            jump = spans[0].jump if spans else 0 if activation.shape[2:].numel() == 1 else None
            receptive = max(each.last - each.first + 1 for each in spans) if spans else 0
            read_by = tuple(sorted(inputs_of[name]))
            found.setdefault(name, Traced(activation.shape, jump, receptive, read_by, spans))
            if leaf(part):
                for each in tree_leaves(output):
                    if isinstance(each, Tensor):
                        tracing.tell(each, Seen(spans, frozenset({name})))

        return hook

    handles = []
    for name, part in module.named_modules():
        if name:
            handles += [part.register_forward_pre_hook(before(name)), part.register_forward_hook(after(name))]
    try:
        x = enter(image)
        with torch.no_grad(), tracing, without_checkpoints():
            tracing.tell(x, Seen((ReceptiveField(0, 0, 1), ReceptiveField(0, 0, 1)), frozenset({"image"})))
            module(x)
    finally:
        for handle in handles:
            handle.remove()
    return found
