"""A network to dream with: a module, its input normalization, the names of its layers, its labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reverie.errors import UnknownName, UsageError

Activations = dict[str, Tensor]
"""Layer name -> activation [B, C, h, w] (or [B, C]); ``"image"`` is always there, in 0..1."""


aten = torch.ops.aten


class _Enough(Exception):
    """Raised by the last hook: nothing deeper is wanted."""


@dataclass(frozen=True)
class Layer:
    """What one layer is: dotted module path, traditional names, kind, channels.

    ``stride`` and ``receptive`` (the side of what one unit sees, the longer one) are in pixels, 0 where
    it has no places or sees the whole picture. ``inputs`` are the paths of the layers, or "image", that
    it reads.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    channels: int
    stride: int
    receptive: int = 0
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Network:
    """A module with everything a dream needs to know about it.

    ``module`` takes normalized images [B, 3, H, W]; ``mean`` and ``std`` are per RGB channel in
    image range; ``aliases`` maps traditional names to dotted module paths; ``logits`` is the path
    whose channels are the classes of ``labels`` (``synsets`` are their WordNet ids, where they have
    any); ``trunk`` is the path whose numbered children bare integers mean; ``objective`` is the text
    dreamt by default; ``by_place`` says that the logits are a map with a class contest at every place;
    ``smallest`` is the least side in pixels that the module can take.
    """

    name: str
    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    labels: tuple[str, ...] = ()
    logits: str = ""
    trunk: str = ""
    objective: str = ""
    by_place: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    smallest: int = 32
    sha256: str = ""
    synsets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for module in self.module.modules():
            # An in-place ReLU would rewrite the activation of the layer before it.
            if isinstance(getattr(module, "inplace", None), bool):
                module.inplace = False  # type: ignore[assignment]
        self.module.eval().requires_grad_(False)

    def capture(self, image: Tensor, layers: Iterable[str]) -> Activations:
        """Run ``image`` [B, 3, H, W] in 0..1 as deep as the deepest of ``layers`` and no deeper.

        Returns float activations by the names given (dotted paths or ``"image"``). No hook
        outlives the call. A module used several times gives its first output.
        """
        found: Activations = {"image": image}
        wanted = {name for name in layers if name != "image"}
        if not wanted:
            return found

        def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
            def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
                found.setdefault(name, output.float() if output.dtype in _HALF else output)
                if wanted <= found.keys():
                    raise _Enough

            return hook

        modules = {name: self.module.get_submodule(name) for name in wanted}
        handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
        try:
            self.module(self._normalized(image))
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        if missing := wanted - found.keys():
            raise UsageError(
                f"The layer {min(missing)!r} of {self.name} takes no part in its forward pass; "
                "choose another."
            )
        return found

    def _normalized(self, image: Tensor) -> Tensor:
        weight = next(self.module.parameters(), image)
        mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        x = (image - mean) / std
        return x.to(weight.dtype).contiguous(memory_format=torch.channels_last)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every module that yields an activation, in the order of the forward pass."""
        side = max(64, self.smallest)
        small = large = _trace(self, 2 * side)
        if any(each.jump is None for each in large.values()):
            small = _trace(self, side)
        names: dict[str, list[str]] = {}
        for alias, path in self.aliases.items():
            names.setdefault(path, []).append(alias)
        found = []
        for name, seen in large.items():
            kind = _kind(self.module.get_submodule(name))
            # Where the trace was lost two sizes tell: borders make side / height only roughly the stride.
            grown = seen.shape[2] - small[name].shape[2] if len(seen.shape) == 4 else 0
            stride = seen.jump or (round(side / grown) if grown else 0)
            known = tuple(names.get(name, ()))
            found.append(Layer(name, known, kind, seen.shape[1], stride, seen.receptive, seen.inputs))
        return tuple(found)

    def layer(self, name: str) -> Layer | None:
        """The layer of that path, alias, or number within the trunk; None when there is none."""
        path = self.aliases.get(name, name)
        if path.isdecimal() and self.trunk:
            path = f"{self.trunk}.{path}"
        return next((each for each in self.layers if each.name == path), None)

    def require_layer(self, name: str) -> Layer:
        """Like :meth:`layer`, but :class:`UnknownName` with the nearest good names."""
        found = self.layer(name)
        if found is None:
            raise UnknownName("layer", name, self.layer_names(), f"'reverie layers {self.name}'")
        return found

    def layer_names(self) -> tuple[str, ...]:
        """All dotted paths and aliases."""
        return (*(each.name for each in self.layers), *self.aliases)

    def class_index(self, name: str) -> int | None:
        """The class of that name, number or synset; None when there is none.

        Tried in turn: the first name, a synonym, whole words of either (``retriever``); any case,
        spaces or underscores. Raises :class:`UsageError` with the candidates where several fit.
        """
        plain = _plain(name)
        if name.isdecimal():
            return int(name) if len(name) < 10 and int(name) < len(self.labels) else None
        if not plain:
            return None
        if plain in self.synsets:
            return self.synsets.index(plain)
        synonyms = [[_plain(part) for part in label.split(",")] for label in self.labels]
        words = f" {plain} "
        for fits in (
            lambda parts: plain == parts[0],
            lambda parts: plain in parts,
            lambda parts: any(words in f" {part} " for part in parts),
        ):
            found = [at for at, parts in enumerate(synonyms) if fits(parts)]
            if len(found) > 1:
                raise UsageError(self._ambiguous(name, found))
            if found:
                return found[0]
        return None

    def _ambiguous(self, name: str, found: list[int]) -> str:
        said = [f"class:{at} ({self.labels[at]})" for at in found[:6]]
        if more := len(found) - len(said):
            return f"The class {name!r} is ambiguous in {self.name}; say {', '.join(said)} or one of {more} more."
        return f"The class {name!r} is ambiguous in {self.name}; say {', '.join(said[:-1])} or {said[-1]}."

    def require_class(self, name: str) -> int:
        """Like :meth:`class_index`, but :class:`UnknownName` with the nearest good names."""
        if not self.labels:
            raise UsageError(f"The network {self.name} has no classes; name one of its layers instead.")
        found = self.class_index(name)
        if found is None:
            known = self.synsets if _SYNSET.fullmatch(_plain(name)) else self.class_names()
            raise UnknownName("class", name, known, f"'reverie layers {self.name}'")
        return found

    def class_names(self) -> tuple[str, ...]:
        """Every name that a class goes by."""
        return tuple(part.strip() for label in self.labels for part in label.split(","))

    def with_module(self, module: nn.Module) -> Network:
        """The same network around another (faster, converted) module of the same structure."""
        return replace(self, module=module)


def _kind(module: nn.Module) -> str:
    """What torch calls it, also where it is a variety of ours; a block where it has parts."""
    if any(module.children()):
        return "block"
    torchs = (each for each in type(module).__mro__ if each.__module__.startswith("torch.nn.modules."))
    known = next(torchs, nn.Module)
    return (type(module) if known is nn.Module else known).__name__.lower()


_HALF = (torch.bfloat16, torch.float16)


_SYNSET = re.compile(r"n\d{8}")


def _plain(name: str) -> str:
    """Lower case; underscores, and the slashes of Places, are spaces."""
    return " ".join(name.lower().replace("_", " ").replace("/", " ").split())


class _Span(NamedTuple):
    """Along one axis, unit i sees the pixels ``first + i * jump`` to ``last + i * jump``."""

    first: int
    last: int
    jump: int

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> _Span:
        """What a unit sees that looks at ``kernel`` of these."""
        first = self.first - padding * self.jump
        last = self.last + (dilation * (kernel - 1) - padding) * self.jump
        return _Span(first, last, stride * self.jump)


@dataclass(frozen=True)
class _Seen:
    """What stands behind a tensor: the spans of height and width (None: the whole picture), and the
    last layers on the way to it."""

    spans: tuple[_Span, _Span] | None
    layers: frozenset[str]


@dataclass(frozen=True)
class _Traced:
    """The first output of a module, [B, C, h, w] or [B, C], and what it saw: see :class:`Layer`.

    ``jump`` is its stride, None where nothing can be said of it.
    """

    shape: torch.Size
    jump: int | None
    receptive: int
    inputs: tuple[str, ...]


class _Tracing(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, whatever is computed from a known tensor becomes known itself."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # The tensors are kept, so that no id is given out twice.
        self.known: dict[int, tuple[Tensor, _Seen]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and torch's compiler takes a second to import

    def tell(self, tensor: Tensor, seen: _Seen) -> None:
        self.known[id(tensor)] = (tensor, seen)

    def ask(self, tensors: object) -> list[tuple[Tensor, _Seen]]:
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
                    self.tell(result, _Seen(_spans(func.overloadpacket, args, read, result), layers))
        return out


def _spans(
    operation: Any, args: tuple[Any, ...], read: list[tuple[Tensor, _Seen]], result: Tensor
) -> tuple[_Span, _Span] | None:
    """What stands behind ``result``; the whole picture where the operation is not one of those known."""
    spans = [seen.spans for _, seen in read if seen.spans is not None]
    if len(spans) < len(read):
        return None
    (height, width) = spans[0]
    if operation in (aten.convolution, aten.max_pool2d_with_indices, aten.avg_pool2d) and args[0].ndim == 4:
        if operation is aten.convolution:
            if args[6]:  # transposed
                return None
            kernel, (stride, padding, dilation) = args[1].shape[2:], args[3:6]
        else:
            kernel, stride = args[1], args[2] if len(args) > 2 else ()
            padding = args[3] if len(args) > 3 else 0
            dilation = args[4] if operation is aten.max_pool2d_with_indices and len(args) > 4 else 1
        windows = [_pair(each) for each in (kernel, stride or kernel, padding, dilation)]
        return (height.window(*(each[0] for each in windows)), width.window(*(each[1] for each in windows)))
    if operation in (aten.constant_pad_nd, aten.reflection_pad2d, aten.replication_pad2d):
        left, _, top, _ = (*args[1], 0, 0, 0, 0)[:4]
        return height.window(1, 1, top, 1), width.window(1, 1, left, 1)
    pooled = operation in (aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d, aten.mean)
    if pooled or any(tensor.shape[-2:] != result.shape[-2:] for tensor, _ in read):
        return None
    # Place by place: what any of the inputs sees.
    return _union([each[0] for each in spans]), _union([each[1] for each in spans])


def _pair(value: Any) -> tuple[int, int]:
    """Height and width out of one number for both, or two."""
    sides = tuple(value) if isinstance(value, Sequence) else (value,)
    return (sides[0], sides[-1])


def _union(spans: list[_Span]) -> _Span:
    return _Span(min(each.first for each in spans), max(each.last for each in spans), spans[0].jump)


def _trace(network: Network, side: int) -> dict[str, _Traced]:
    """Every module that yields an activation for a picture of ``side`` x ``side``, in forward order."""
    found: dict[str, _Traced] = {}
    read: dict[str, frozenset[str]] = {}
    tracing = _Tracing()
    device = next((each.device for each in network.module.parameters()), torch.device("cpu"))

    def before(name: str) -> Callable[[nn.Module, object], None]:
        def hook(_module: nn.Module, inputs: object) -> None:
            read[name] = frozenset[str]().union(*(seen.layers for _, seen in tracing.ask(inputs)))

        return hook

    def after(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _inputs: object, output: object) -> None:
            if not isinstance(output, Tensor) or output.ndim not in (2, 4):
                return
            spans = next((seen.spans for _, seen in tracing.ask(output)), None)
            jump = spans[0].jump if spans else 0 if output.shape[2:].numel() == 1 else None
            receptive = max(each.last - each.first + 1 for each in spans) if spans else 0
            found.setdefault(name, _Traced(output.shape, jump, receptive, tuple(sorted(read[name]))))
            if not any(module.children()):
                tracing.tell(output, _Seen(spans, frozenset({name})))

        return hook

    handles = []
    for name, module in network.module.named_modules():
        if name:
            handles += [
                module.register_forward_pre_hook(before(name)),
                module.register_forward_hook(after(name)),
            ]
    try:
        image = network._normalized(torch.full((1, 3, side, side), 0.5, device=device))
        with torch.no_grad(), tracing:
            tracing.tell(image, _Seen((_Span(0, 0, 1), _Span(0, 0, 1)), frozenset({"image"})))
            network.module(image)
    finally:
        for handle in handles:
            handle.remove()
    return found
