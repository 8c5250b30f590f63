"""Trying a foreign module out: which sizes it takes, which of its parts take part, what they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from reverie.errors import InputError, ReverieError
from reverie.network.checkpoints import without_checkpoints
from reverie.network.receptive import leaf
from reverie.network.working import working_device, working_type
from reverie.pixels.ops import Size
from reverie.zoo.adopt.adapter import ImageAdapter
from reverie.zoo.adopt.tokens import TokenLayout, first, folded, layout

INPUT_SIDES = (32, 64, 96, 112, 128, 160, 192, 224, 256, 299, 320, 384, 448, 512, 518, 28, 48, 331, 600)
"""Sides of pictures to try on a module that does not say what it takes, in pixels."""

SIDE_MULTIPLES = (1, 2, 4, 8, 16, 32, 64, 7, 14, 28, 56, 12, 24, 48)
"""Sides may have to be multiples of one of these."""


@dataclass(frozen=True, eq=False)
class Body:
    """A module that is ours to change, and what it says of itself.

    ``last``: its channels come last where nothing else tells; ``logits``: the path of its class scores.
    """

    module: nn.Module
    channels: Literal[1, 3] = 3
    last: bool = False
    logits: str = ""
    hint: int = 0
    bf16: bool = True


@dataclass(frozen=True)
class Survey:
    """What was found: how the module sees, the least side it takes, and the path that gives the classes."""

    sight: ImageAdapter
    smallest: int
    logits: str
    classes: int


@dataclass(frozen=True)
class _Outputs:
    """The shape that each module gave first, in forward order, and the module's own result."""

    shapes: dict[str, torch.Size]
    result: torch.Size | None


def probe_module(
    module: nn.Module, sight: ImageAdapter, name: str, size: Size | None = None, hint: int = 0, last: bool = False
) -> Survey:
    """Find out how ``module`` is to be looked through with the colors of ``sight``.

    ``size`` (height, width) is the only one it takes, where that is known; ``hint`` a side that it takes
    for certain. Raises :class:`InputError` where it fails on every picture.
    """
    large, multiple, window = None, 1, size
    if size is not None:
        side, seen = max(size), _tried(module, sight, name, size)
    else:
        side, seen = _smallest(module, sight, name, hint)
        size = (side, side)
        # A little more may do by rounding alone, so twice the side is asked first.
        large = _works(module, sight, 2 * side)
        if large is None:
            window = size
        else:
            steps = (step for step in SIDE_MULTIPLES if side % step == 0 and _works(module, sight, side + step))
            multiple = next(steps, side)
    layouts = _layouts(module, seen, large, size, last)
    logits, classes = _logits(module, seen, layouts)
    sight = replace(sight, window=window, multiple=multiple, layouts=layouts)
    return Survey(sight, side, logits, classes)


def _smallest(module: nn.Module, sight: ImageAdapter, name: str, hint: int) -> tuple[int, _Outputs]:
    sides = [*INPUT_SIDES[: INPUT_SIDES.index(224)], *([hint] if hint else []), *INPUT_SIDES[INPUT_SIDES.index(224) :]]
    for side in sides:
        if found := _works(module, sight, side):
            return side, found
    side = hint or 224
    found = _tried(module, sight, name, (side, side))  # which says why not
    return side, found


def _tried(module: nn.Module, sight: ImageAdapter, name: str, size: Size) -> _Outputs:
    try:
        return _outputs(module, sight, size)
    except ReverieError:
        raise
    except Exception as error:  # a stranger's module may fail in any way
        raise InputError(
            f"The network {name} fails on a picture of {size[1]}x{size[0]} pixels ({sentence(error)}); if it "
            "takes another size or number of channels, say so with reverie.adopt(..., size=, channels=)."
        ) from None


def _works(module: nn.Module, sight: ImageAdapter, side: int) -> _Outputs | None:
    try:
        return _outputs(module, sight, (side, side))
    except ReverieError:
        raise
    except Exception:  # a stranger's module may fail in any way
        return None


def sentence(error: BaseException) -> str:
    """What an exception says, in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Keras puts a headline of its own, and terminal colors, around what happened.
    said = next((line for line in lines if not line.startswith("Exception encountered")), "")
    said = said.removeprefix("\x1b[1m").removesuffix("\x1b[0m").rstrip(".")
    return f"{type(error).__name__}: {said[:200]}" if said else type(error).__name__


def _outputs(module: nn.Module, sight: ImageAdapter, size: Size) -> _Outputs:
    shapes: dict[str, torch.Size] = {}

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if (tensor := first(output)) is not None:
                shapes.setdefault(name, tensor.shape)

        return hook

    handles = [part.register_forward_hook(keep(name)) for name, part in module.named_modules() if name]
    image = torch.full((1, 3, *size), 0.5, device=working_device(module))
    dtype = working_type(module)
    try:
        with torch.no_grad(), without_checkpoints():
            result = first(module(sight.colored(image).to(dtype)))
    finally:
        for handle in handles:
            handle.remove()
    return _Outputs(shapes, None if result is None else result.shape)


def _layouts(
    module: nn.Module, seen: _Outputs, large: _Outputs | None, size: Size, last: bool
) -> dict[str, TokenLayout]:
    found: dict[str, TokenLayout] = {}
    maps: list[Size] = []
    for name, shape in seen.shapes.items():
        other = None if large is None else large.shapes.get(name)
        how = layout(module.get_submodule(name), shape, other, size, maps, last)
        example = folded(torch.empty(shape, device="meta"), how, 1, size)
        if example is None:
            continue
        found[name] = how
        if example.ndim == 4 and example.shape[2] > 1:
            maps.append((example.shape[2], example.shape[3]))
    return found


def _logits(module: nn.Module, seen: _Outputs, layouts: dict[str, TokenLayout]) -> tuple[str, int]:
    """The last layer with weights that has as many channels as the result has; "" where there is none."""
    if seen.result is None or len(seen.result) not in (2, 4):
        return "", 0
    classes = seen.result[1]
    for name in reversed(layouts):
        part, how = module.get_submodule(name), layouts[name]
        weighted = leaf(part) and any(each.ndim >= 2 for each in part.parameters())
        if weighted and seen.shapes[name][how.channels] == classes:
            return name, classes
    return "", classes
