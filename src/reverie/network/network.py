"""A network to dream with: a module, its input normalization, the names of its layers, its labels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reverie.errors import UnknownName, UsageError
from reverie.network.checkpoints import without_checkpoints
from reverie.network.class_map import ClassMap, class_map
from reverie.network.receptive import Traced, leaf, traced
from reverie.network.working import working_device, working_type
from reverie.pixels.ops import Size
from reverie.recipe import grammar

Activations = dict[str, Tensor]
"""Layer name -> activation [B, C, h, w] (or [B, C]); ``"image"`` is always there, in 0..1."""


class _Enough(BaseException):
    """Raised by the last hook: nothing deeper is wanted. No Exception: a module may catch those."""


class _Redirected(torch.autograd.Function):
    """A ReLU through which gradient passes that raises a negative input, where else none would pass at all."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bounds = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        plain = gradient * (x > 0) * (x < ctx.bounds[1])
        silent = plain.flatten(1).abs().amax(1).view(-1, *(1,) * (x.ndim - 1)) == 0
        raising = gradient * ((x > 0) | (gradient > 0))
        return torch.where(silent, raising, plain), None, None


def _redirect(module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
    found: Tensor = _Redirected.apply(inputs[0], 0.0, 6.0 if isinstance(module, nn.ReLU6) else math.inf)  # type: ignore[no-untyped-call]
    return found


class Adapter(Protocol):
    """Between Reverie and a module that was not made for it; :mod:`reverie.zoo.adopt` makes them."""

    def enter(self, image: Tensor) -> Tensor:
        """What the module takes for ``image`` [B, 3, H, W] in 0..1, differentiable."""

    def leave(self, name: str, output: object, image: Tensor) -> Tensor | None:
        """The activation [B, C, h, w] or [B, C] in the ``output`` of a layer; None where there is none."""


@dataclass(frozen=True)
class Layer:
    """What one layer is: dotted module path, traditional names, kind, channels.

    ``stride`` and ``receptive`` (the side of what one unit sees, the longer one) are in pixels, 0 where
    it has no places, sees the whole picture, or nothing is known. ``inputs`` are the paths of the
    layers, or "image", that it reads.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    channels: int
    stride: int
    receptive: int = 0
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A module with everything a dream needs to know about it.

    ``module`` takes normalized images [B, 3, H, W]; ``mean`` and ``std`` are per RGB channel in
    image range; ``aliases`` maps traditional names to dotted module paths; ``logits`` is the path
    whose channels are the classes of ``labels`` (``synsets`` are their WordNet ids, where they have
    any); ``trunk`` is the path whose numbered children bare integers mean; ``objective`` is the text
    dreamt by default, ``guide`` the layers (joined by +) that a guide works on by default; ``by_place`` says that the
    logits are a map with a class contest at every place;
    ``smallest`` is the least side in pixels that the module can take, ``motif`` the usual side in pixels of what its
    default objective draws. With an ``adapter`` that one says
    what the module is shown, and ``mean`` and ``std`` count for nothing; ``bf16`` says whether it can be
    converted to bfloat16; ``redirects`` that a ReLU which is silent in a whole picture lets gradient through;
    ``notes`` are sentences about its weights for the user.
    """

    name: str
    module: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    labels: tuple[str, ...] = ()
    logits: str = ""
    trunk: str = ""
    objective: str = ""
    guide: str = ""
    by_place: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)
    smallest: int = 32
    motif: int = 40
    sha256: str = ""
    synsets: tuple[str, ...] = ()
    adapter: Adapter | None = None
    bf16: bool = True
    redirects: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for module in self.module.modules():
            # An in-place ReLU would rewrite the activation of the layer before it.
            if isinstance(getattr(module, "inplace", None), bool):
                module.inplace = False  # type: ignore[assignment]
        self.module.eval().requires_grad_(False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self.labels)} classes>"

    def capture(self, image: Tensor, layers: Iterable[str]) -> Activations:
        """Run ``image`` [B, 3, H, W] in 0..1 as deep as the deepest of ``layers`` and no deeper.

        Returns float activations by the names given (dotted paths or ``"image"``). No hook
        outlives the call. A module used several times gives its first output.
        """
        found: Activations = {"image": image}
        wanted = {name for name in layers if name != "image"}
        if not wanted:
            return found

        outputs = self._outputs(image, wanted)
        for name in sorted(wanted):
            if name not in outputs:
                raise UsageError(self._idle(name))
            found[name] = self._activation(name, outputs[name], image)
        return found

    def _outputs(self, image: Tensor, wanted: Set[str]) -> dict[str, object]:
        """What the modules of those paths give, as far as they are run."""
        outputs: dict[str, object] = {}

        def keep(name: str) -> Callable[[nn.Module, object, object], None]:
            def hook(_module: nn.Module, _inputs: object, output: object) -> None:
                # A stranger's module may write into it later: x += shortcut.
                copied = self.adapter is not None and isinstance(output, Tensor)
                outputs.setdefault(name, output.clone() if copied else output)  # type: ignore[attr-defined]
                if wanted <= outputs.keys():
                    raise _Enough

            return hook

        modules = {name: self.module.get_submodule(name) for name in wanted}
        relus = [each for each in self.module.modules() if isinstance(each, nn.ReLU | nn.ReLU6)]
        # Before those that read: what they keep must be what the next layer gets.
        handles = [each.register_forward_hook(_redirect) for each in relus if self.redirects]
        handles += [module.register_forward_hook(keep(name)) for name, module in modules.items()]
        try:
            with without_checkpoints():
                self.module(self._normalized(image))
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return outputs

    def _activation(self, name: str, output: object, image: Tensor) -> Tensor:
        activation = self._read(name, output, image)
        if activation is None:
            raise UsageError(self._idle(name))
        if image.requires_grad and torch.is_grad_enabled() and not activation.requires_grad:
            raise UsageError(
                f"The layer {name!r} of {self.name} passes no gradient back to the picture (its forward "
                "detaches it, or runs under no_grad); choose another."
            )
        return activation.float() if activation.dtype in _HALF else activation

    def _read(self, name: str, output: object, image: Tensor) -> Tensor | None:
        if self.adapter is not None:
            return self.adapter.leave(name, output, image)
        return output if isinstance(output, Tensor) and output.ndim in (2, 4) else None

    def _idle(self, name: str) -> str:
        return (
            f"The layer {name!r} of {self.name} takes no part in its forward pass, or gives nothing that can "
            "be dreamt; choose another."
        )

    def _normalized(self, image: Tensor) -> Tensor:
        if self.adapter is not None:
            return self.adapter.enter(image).to(self._type)
        mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        x = (image - mean) / std
        return x.to(self._type).contiguous(memory_format=torch.channels_last)

    @cached_property
    def _type(self) -> torch.dtype:
        return working_type(self.module)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Every module that yields an activation, in the order of the forward pass."""
        side = self.smallest * -(-64 // self.smallest)
        small = large = self._traced((2 * side, 2 * side))
        if any(each.jump is None for each in large.values()):
            small = self._traced((side, side))
        names: dict[str, list[str]] = {}
        for alias, path in self.aliases.items():
            names.setdefault(path, []).append(alias)
        found = []
        for name, seen in large.items():
            kind = _kind(self.module.get_submodule(name))
            # Where the trace was lost two sizes tell: borders make side / height only roughly the stride.
            before = (*small[name].shape, 1)[2] if name in small else 0
            grown = seen.shape[2] - before if len(seen.shape) == 4 and before else 0
            stride = seen.jump or (round(side / grown) if grown else 0)
            known = tuple(names.get(name, ()))
            found.append(Layer(name, known, kind, seen.shape[1], stride, seen.receptive, seen.inputs))
        return tuple(found)

    @cached_property
    def _sights(self) -> dict[Size, dict[str, Traced]]:
        return {}

    def sight(self, size: Size) -> tuple[Size, dict[str, Traced]]:
        """What stands behind each layer for a picture of ``size`` (height, width), by path, in forward order.

        Shapes and spans are those of a small picture, whose size comes with them: its sides differ by multiples
        of the largest stride, so that whatever depends on an odd or even side is as it is there.
        """
        stride = math.lcm(*(each.stride for each in self.layers if each.receptive))
        least = 2 * self.smallest * -(-64 // self.smallest)
        height, width = (side if side < least else least + (side - least) % stride for side in size)
        if (height, width) not in self._sights:
            self._sights[height, width] = self._traced((height, width))
        return (height, width), self._sights[height, width]

    def _traced(self, size: Size) -> dict[str, Traced]:
        image = torch.full((1, 3, *size), 0.5, device=working_device(self.module))
        return traced(
            self.module, image, self._normalized, lambda name, output: self._read(name, output, image)
        )

    def layer(self, name: str) -> Layer | None:
        """The layer of that path, alias, or number within the trunk, or its own; None when there is none.

        A number in brackets, as Python writes it (``layer2[3].relu``), is a part of the path.
        """
        path = self.aliases.get(name) or re.sub(r"\[(\d+)\]", r".\1", name)
        if path.isdecimal() and self.trunk:
            path = f"{self.trunk}.{path}"
        found = next((each for each in self.layers if each.name == path), None)
        return self._own if found is None and name == grammar.DEFAULT else found

    @cached_property
    def _own(self) -> Layer | None:
        """The first layer of what is dreamt by default, for those who write of no network in particular."""
        names = [target.name for target in grammar.parse_objective(self.objective)] if self.objective else []
        return next((found for each in names if (found := self.layer(each)) is not None), None)

    def require_layer(self, name: str) -> Layer:
        """Like :meth:`layer`, but :class:`UnknownName` with the nearest good names."""
        found = self.layer(name)
        if found is None and self.idle(name):
            raise UsageError(self._idle(name))
        if found is None:
            raise UnknownName("layer", name, self.layer_names(), f"'reverie layers {self.name}'")
        return found

    def idle(self, name: str) -> bool:
        """Whether that is the path of a module which yields no activation in the forward pass."""
        paths = {path for path, module in self.module.named_modules() if not _listing(module)}
        return name != "" and name in paths and self.layer(name) is None

    def layer_names(self) -> tuple[str, ...]:
        """All dotted paths and aliases."""
        return (*(each.name for each in self.layers), *self.aliases)

    @cached_property
    def class_map(self) -> ClassMap | None:
        """The classifier for every place, where the logits are those of a whole picture; None where it has none."""
        return class_map(self)

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

    def class_group(self, holds: Callable[[str], bool]) -> tuple[int, ...]:
        """The classes whose WordNet id ``holds`` accepts, in the order of the logits."""
        return tuple(index for index, synset in enumerate(self.synsets) if synset and holds(synset))

    def class_names(self) -> tuple[str, ...]:
        """Every name that a class goes by."""
        return tuple(part.strip() for label in self.labels for part in label.split(","))

    def redirected(self) -> Network:
        """The same network, whose ReLUs let gradient through that raises what is silent in a whole picture.

        A start from noise may leave an objective without any gradient (lucid, Olah et al. 2017).
        """
        return replace(self, redirects=True)

    def with_module(self, module: nn.Module) -> Network:
        """The same network around another (faster, converted) module of the same structure."""
        return replace(self, module=module)


def _kind(module: nn.Module) -> str:
    """What torch calls it, also where it is a variety of ours; a block where it has parts."""
    if not leaf(module):
        return "block"
    torchs = (each for each in type(module).__mro__ if each.__module__.startswith("torch.nn.modules."))
    known = next(torchs, nn.Module)
    return (type(module) if known is nn.Module else known).__name__.lower()


def _listing(module: nn.Module) -> bool:
    return isinstance(module, nn.ParameterDict | nn.ParameterList)


_HALF = (torch.bfloat16, torch.float16)


_SYNSET = re.compile(r"n\d{8}")


def _plain(name: str) -> str:
    """Lower case; underscores, and the slashes of Places, are spaces."""
    return " ".join(name.lower().replace("_", " ").replace("/", " ").split())
