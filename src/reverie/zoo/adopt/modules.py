"""adopt(): any torch module or Keras model becomes a Network."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from reverie.errors import InputError, UnknownName, UsageError
from reverie.network import Layer, Network
from reverie.network.working import working_device
from reverie.pixels.ops import Size
from reverie.zoo.adopt import colors, exported
from reverie.zoo.adopt.adapter import ImageAdapter
from reverie.zoo.adopt.colors import ColorFunction, Range
from reverie.zoo.adopt.probe import Body, probe_module
from reverie.zoo.catalog import label_places, synsets
from reverie.zoo.labels import imagenet
from reverie.zoo.unwrapping import unwrapped
from reverie.zoo.weights import State, filled

STRIDE = 16
"""Pixels between the units of the layer that is dreamt by default, where there is one."""

BLOCKS = ("block", "add", "concatenate", "functional", "sequential")
"""Kinds of layers that bring several together; Keras' have no parts of their own."""


def adopt(
    module: Any,
    *,
    name: str = "",
    mean: Sequence[float] | float | None = None,
    std: Sequence[float] | float | None = None,
    range: Range = (0.0, 1.0),
    order: Literal["rgb", "bgr"] = "rgb",
    channels: Literal[1, 3] | None = None,
    preprocess: ColorFunction | None = None,
    deprocess: ColorFunction | None = None,
    size: int | Size | None = None,
    labels: Sequence[str] | str = (),
    logits: str = "",
    objective: str = "",
    aliases: Mapping[str, str] | None = None,
    bf16: bool = False,
) -> Network:
    """Any ``torch.nn.Module`` or Keras model that takes a picture, as a Network to dream with.

    What it takes is said in numbers: the picture is brought into ``range`` ((0, 1), (0, 255), (-1, 1)),
    its channels into ``order`` (or into one gray channel, ``channels=1``; by default as many as its first
    convolution has), then ``mean`` is subtracted and ``std`` divided by, both in units of ``range`` and in
    the network's order. Or in functions: ``preprocess`` takes RGB [B, 3, H, W] in 0..1 and gives
    [B, C, H, W], for Keras too; ``deprocess`` undoes it and is held against it. ``size`` is the only
    (height, width) that it takes; by default that is tried out. ``labels`` are the names of its classes, or
    ``"imagenet"``, ``"places365"`` or ``"places205"`` for the lists that Reverie has,
    ``logits`` the layer that has them, ``aliases`` further names of layers, ``objective`` what it dreams by
    default, ``bf16`` says that it may be converted to bfloat16.

    A copy is adopted where one can be made: yours stays as it is. Raises :class:`UsageError`,
    :class:`InputError` where it fails on every picture.

    >>> adopt(torchvision.models.resnet18(), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))  # doctest: +SKIP
    """
    numbers = {"mean": mean is not None, "std": std is not None, "range": tuple(range) != (0.0, 1.0)}
    numbers |= {"order": order != "rgb", "channels": channels is not None}
    if (given := next((key for key, said in numbers.items() if said), "")) and preprocess is not None:
        raise UsageError(f"preprocess already says all that {given} would; give one of them.")
    if deprocess is not None and preprocess is None:
        raise UsageError("deprocess undoes preprocess; give that too, or mean, std, range and order instead.")
    colors.callable_or_none("preprocess", preprocess)
    colors.callable_or_none("deprocess", deprocess)
    body = prepared(module, own=False)
    if preprocess is not None:
        sight = colors.functions(preprocess, deprocess)
    else:
        sight = colors.normalization(mean, std, range, order, channels or body.channels)
    made = around(
        body,
        sight,
        name or str(getattr(module, "name", "") or type(module).__name__),
        size=_size(size),
        labels=named_labels(labels),
        logits=logits,
        bf16=bf16,
    )
    made = replace(made, name=f"python:{made.name}", sha256=digest(made.module))
    return adopted(made, objective, aliases or {})


def named_labels(labels: Sequence[str] | str) -> tuple[str, ...]:
    """The class names themselves, or those of the list of that name; :class:`UsageError` for any other text."""
    if not isinstance(labels, str):
        return tuple(labels)
    if labels == "imagenet":
        return imagenet()
    if labels in ("places365", "places205"):
        return label_places(labels)
    raise UsageError(
        f"labels must be a list of names, or one of 'imagenet', 'places365' and 'places205', not {labels!r}."
    )


def prepared(module: Any, own: bool) -> Body:
    """A module or Keras model ready to be tried out: ``own`` where nobody else holds it."""
    from reverie.zoo.adopt import keras

    if keras.is_model(module):
        return keras.body(module, own)
    logits = ""
    if exported.is_exported(module):
        (module, logits), own = exported.layered(module), True
    if not isinstance(module, nn.Module):
        raise UsageError(f"A {type(module).__name__} is no network; give a torch.nn.Module or a Keras model.")
    if not own:
        try:
            module = copy.deepcopy(module)
        except Exception:  # some hold what cannot be copied; then it is adopted itself
            own = True
    for part in module.modules():
        if isinstance(getattr(part, "inplace", None), bool):
            part.inplace = False
    module.eval()
    first = next((each for each in module.parameters() if each.ndim == 4), None)
    gray = first is not None and first.shape[1] == 1 and first.shape[0] > 1
    return Body(module, 1 if gray else 3, logits=logits)


def around(
    body: Body,
    sight: ImageAdapter,
    name: str,
    *,
    size: Size | None = None,
    labels: tuple[str, ...] = (),
    named: Callable[[int], tuple[str, ...]] = lambda count: (),
    logits: str = "",
    bf16: bool = False,
) -> Network:
    """The network of a module, tried out. ``labels`` must fit its head; else ``named`` gives those for a head."""
    found = probe_module(body.module, sight, name, size, body.hint, body.last)
    logits = logits or body.logits or found.logits
    if logits and logits not in found.sight.layouts:
        raise UnknownName("layer", logits, found.sight.layouts)
    if labels and not logits:
        raise UsageError(f"It cannot be told which layer of {name} gives its classes; say so with logits=.")
    if labels and len(labels) != found.classes:
        raise UsageError(
            f"{len(labels)} labels were given for {name}, which tells {found.classes} classes apart."
        )
    labels = labels or (named(found.classes) if logits else ())
    return Network(
        name,
        body.module,
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        labels=labels,
        synsets=imagenet_synsets(labels),
        logits=logits if labels else "",
        smallest=found.smallest,
        adapter=found.sight,
        bf16=bf16 and body.bf16,
    )


def adopted(network: Network, objective: str = "", aliases: Mapping[str, str] | None = None) -> Network:
    """``network`` with an objective to dream by default, and with ``aliases`` that lead somewhere."""
    layers = network.layers
    if not layers:
        raise InputError(f"The network {network.name} has no layer that gives anything to dream.")
    known = {layer.name for layer in layers}
    for path in (aliases or {}).values():
        if path not in known:
            raise UnknownName("layer", path, known)
    made = replace(
        network, objective=objective or quoted(_answering(network, layers).name), aliases=dict(aliases or {})
    )
    if not aliases:
        made.__dict__["layers"] = layers  # a trace of a large network takes seconds, and this one is the same
    return made


def _answering(network: Network, layers: tuple[Layer, ...]) -> Layer:
    """The favorite layer among those that pass a gradient back to the picture; a position embedding passes none."""
    left = layers
    while left:
        favorite = _favorite(left)
        if _answers(network, favorite):
            return favorite
        left = tuple(layer for layer in left if layer is not favorite)
    return _favorite(layers)


def _answers(network: Network, layer: Layer) -> bool:
    side = network.smallest
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    image = image.to(working_device(network.module)).requires_grad_(True)
    try:
        with torch.enable_grad():
            seen = network.capture(image, [layer.name])[layer.name]
            (gradient,) = torch.autograd.grad(seen.square().sum(), image, allow_unused=True)
    except (UsageError, RuntimeError, NotImplementedError):
        return False
    return gradient is not None and bool(gradient.isfinite().all()) and bool(gradient.any())


def _favorite(layers: tuple[Layer, ...]) -> Layer:
    """The deepest layer with a unit each 16 pixels; two thirds of the way where all have the same."""
    placed = [layer for layer in layers if 0 < layer.stride <= STRIDE]
    if not placed:
        return layers[(len(layers) - 1) * 2 // 3]
    blocks = [layer for layer in placed if layer.kind in BLOCKS] or placed
    if len({layer.stride for layer in blocks}) == 1:
        return blocks[(len(blocks) - 1) * 2 // 3]
    coarse = max(layer.stride for layer in blocks)
    # The outermost of them: a whole stage sooner than a branch of its last block.
    return min(
        (layer for layer in reversed(blocks) if layer.stride == coarse),
        key=lambda layer: layer.name.count(".") + layer.name.count("/"),
    )


def quoted(name: str) -> str:
    """A layer's name as an objective can be written with it."""
    return name if re.fullmatch(r"[A-Za-z_][\w./]*", name) and ".." not in name else f'layer:"{name}"'


def digest(module: nn.Module) -> str:
    """The SHA-256 of every tensor of a module with its name."""
    found = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        found.update(key.encode())
        if isinstance(value, torch.Tensor) and value.numel():
            value = value.dequantize() if value.is_quantized else value
            found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def weighted(network: Network, state: State) -> Network:
    """``network`` with the tensors of a file in it; :class:`InputError` where they do not fit."""
    if state.caffe:
        raise InputError(f"{state.path} is a Caffe model; those fit Reverie's own networks alone.")
    state = unwrapped(state, lambda: network)
    notes = (*network.notes, state.note) if state.note else network.notes
    return replace(filled(network, state), sha256=state.sha256, notes=notes)


def imagenet_names(count: int) -> tuple[str, ...]:
    """The names of ImageNet's classes for a head of 1000, or of 1001 with the background first, as TensorFlow has it;
    no other set has so many."""
    return ("background", *imagenet()) if count == 1001 else imagenet(count)


def imagenet_synsets(labels: tuple[str, ...]) -> tuple[str, ...]:
    """The WordNet ids of ``labels`` where those are ImageNet's, with "" for the background; else none."""
    if labels == imagenet_names(1001):
        return ("", *synsets(1000))
    return synsets(1000) if labels == imagenet() else ()


def _size(size: Any) -> Size | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(isinstance(each, int) and 1 <= each <= 8192 for each in sides):
        raise UsageError(f"size must be a side or (height, width) in pixels, not {size!r}.")
    return sides
