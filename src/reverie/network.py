"""A network to dream with: a module, its input normalization, the names of its layers, its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from reverie.errors import UnknownName, UsageError

Activations = dict[str, Tensor]
"""Layer name -> activation [B, C, h, w] (or [B, C]); ``"image"`` is always there, in 0..1."""


class _Enough(Exception):
    """Raised by the last hook: nothing deeper is wanted."""


@dataclass(frozen=True)
class Layer:
    """What one layer is: dotted module path, traditional names, kind, channels, and stride in pixels
    (0 where it has no places, but speaks of the whole picture)."""

    name: str
    aliases: tuple[str, ...]
    kind: str
    channels: int
    stride: int


@dataclass(frozen=True, eq=False)
class Network:
    """A module with everything a dream needs to know about it.

    ``module`` takes normalized images [B, 3, H, W]; ``mean`` and ``std`` are per RGB channel in
    image range; ``aliases`` maps traditional names to dotted module paths; ``logits`` is the path
    whose channels are the classes of ``labels``; ``trunk`` is the path whose numbered children
    bare integers mean; ``objective`` is the text dreamt by default; ``by_place`` says that
    the logits are a map with a class contest at every place; ``smallest`` is the least side in pixels
    that the module can take.
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
        small, large = self._outputs(side), self._outputs(2 * side)
        names: dict[str, list[str]] = {}
        for alias, path in self.aliases.items():
            names.setdefault(path, []).append(alias)
        found = []
        for name, shape in small.items():
            module = self.module.get_submodule(name)
            kind = "block" if any(module.children()) else type(module).__name__.lower()
            # Two sizes, because borders make height / side only roughly the stride.
            grown = large[name][2] - shape[2] if len(shape) == 4 else 0
            stride = round(side / grown) if grown else 0
            found.append(Layer(name, tuple(names.get(name, ())), kind, shape[1], stride))
        return tuple(found)

    def _outputs(self, side: int) -> dict[str, torch.Size]:
        """The shape of each module's first output for a picture of ``side`` x ``side``."""
        shapes: dict[str, torch.Size] = {}
        device = next((each.device for each in self.module.parameters()), torch.device("cpu"))

        def note(name: str) -> Callable[[nn.Module, object, object], None]:
            def hook(_module: nn.Module, _inputs: object, output: object) -> None:
                if isinstance(output, Tensor) and output.ndim in (2, 4):
                    shapes.setdefault(name, output.shape)

            return hook

        handles = [
            module.register_forward_hook(note(name)) for name, module in self.module.named_modules() if name
        ]
        try:
            with torch.no_grad():
                self.module(self._normalized(torch.full((1, 3, side, side), 0.5, device=device)))
        finally:
            for handle in handles:
                handle.remove()
        return shapes

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
        """The class of that name (any case, spaces or underscores) or number; None when there is none."""
        if name.isdecimal():
            return int(name) if len(name) < 10 and int(name) < len(self.labels) else None
        plain = _plain(name)
        exact = [at for at, label in enumerate(self.labels) if _plain(label.split(",")[0]) == plain]
        if not exact:
            exact = [at for at, label in enumerate(self.labels) if plain in map(_plain, label.split(","))]
        if len(exact) > 1:
            numbers = " or ".join(f"class:{at} ({self.labels[at]})" for at in exact)
            raise UsageError(f"The class {name!r} is ambiguous in {self.name}; say {numbers}.")
        return exact[0] if exact else None

    def require_class(self, name: str) -> int:
        """Like :meth:`class_index`, but :class:`UnknownName` with the nearest good names."""
        if not self.labels:
            raise UsageError(f"The network {self.name} has no classes; name one of its layers instead.")
        found = self.class_index(name)
        if found is None:
            raise UnknownName("class", name, self.class_names(), f"'reverie layers {self.name}'")
        return found

    def class_names(self) -> tuple[str, ...]:
        """Every name that a class goes by."""
        return tuple(part.strip() for label in self.labels for part in label.split(","))

    def with_module(self, module: nn.Module) -> Network:
        """The same network around another (faster, converted) module of the same structure."""
        return replace(self, module=module)


_HALF = (torch.bfloat16, torch.float16)


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())
