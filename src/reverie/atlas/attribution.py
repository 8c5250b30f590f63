"""Which channels feed a class: Olah et al. 2018, "The Building Blocks of Interpretability" (channel attribution).

The one place beside the ascent where a gradient is taken; it is one with respect to layers, never to the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from reverie.atlas.baseline import fitting, flat, references
from reverie.atlas.layer_selection import distinct
from reverie.atlas.sheets import dreams
from reverie.errors import UnknownName, UsageError
from reverie.loop.plan import prepare
from reverie.network import Layer, Network
from reverie.pixels.ops import cloud
from reverie.recipe import Recipe

EXAMPLE_COUNT = 3
EXAMPLE_SIDE = 192


@dataclass(frozen=True)
class Feed:
    """How much ``channel`` of ``layer`` (its path) gives to the score of a class.

    By weights: how much the score rises when the channel rises by one everywhere. By gradient: what the channel
    adds to the score of a picture. ``share`` is that over the sum of all channels' absolute values.
    """

    layer: str
    channel: int
    value: float
    share: float


@dataclass(frozen=True)
class Feeding:
    """All channels of one layer, those that feed ``classes`` most first, and how that was found out."""

    layer: Layer
    classes: tuple[int, ...]
    method: Literal["weights", "gradient"]
    feeds: tuple[Feed, ...]


def feeder(network: Network) -> Layer:
    """The last layer before the class scores whose places feed them (a transformer's last block does by one token
    alone, which has no place). Raises :class:`UsageError` for a network without classes, or without such a layer."""
    scores, side = _scores(network), max(64, network.smallest)
    picture = references(network, (side, side), 1)[0]
    for layer in reversed(distinct(network)):
        if layer.name != scores and next(_rows(network, layer.name, picture, [0])).any():
            return layer
    raise UsageError(f"No layer of {network.name} feeds its classes; 'reverie inspect' shows what they do.")


def matching(network: Network, text: str) -> tuple[int, ...]:
    """The classes that ``text`` means: one by name, number or synset, with or without ``class:`` before it; several
    joined by ``|``; or all that share a name or have its words in theirs (``snake``).

    Raises :class:`UnknownName` with the nearest good names.
    """
    _scores(network)
    found: list[int] = []
    for part in text.split("|"):
        name = part.strip().removeprefix("class:").strip()
        try:
            found.append(network.require_class(name))
        except UnknownName:
            raise
        except UsageError:  # several classes answer to it
            words = _words(name)
            names = [[_words(each) for each in label.split(",")] for label in network.labels]
            # The last word says what a thing is: a snake fence is no snake.
            tiers = (
                [at for at, each in enumerate(names) if words == each[0]],
                [at for at, each in enumerate(names) if any(f" {one}".endswith(f" {words}") for one in each)],
                [at for at, each in enumerate(names) if any(f" {words} " in f" {one} " for one in each)],
            )
            found += next(each for each in tiers if each)
    return tuple(dict.fromkeys(found))


def feeding(
    network: Network, classes: Sequence[int], layers: Iterable[str], pictures: Sequence[Tensor] = ()
) -> tuple[Feeding, ...]:
    """Which channels of each of ``layers`` feed ``classes`` most; of several classes the mean score.

    With ``pictures`` [1, 3, H, W] in 0..1 by gradient times activation, summed over places, averaged over
    pictures; without, by weights, which is only possible where a layer feeds the scores linearly
    (:class:`UsageError` for others; :func:`direct` tells).

    >>> feeding(network, matching(network, "owl"), ["stage4"])[0].feeds[:5]  # doctest: +SKIP
    """
    found, wanted = [network.require_layer(name) for name in layers], tuple(classes)
    if not pictures:
        return tuple(_by_weights(network, wanted, each) for each in found)
    paths = [each.name for each in found]
    totals = {path: torch.zeros(each.channels) for path, each in zip(paths, found, strict=True)}
    for picture in pictures:
        image = fitting(network, picture)
        scores, seen = _forward(network, image, paths)
        gradients = _pulled(scores[:, list(wanted)].mean(1).sum(), seen)
        for path in paths:
            a, g = (_read(network, path, each, image) for each in (seen[path], gradients[path]))
            totals[path] += (flat(a) * flat(g)).sum((0, 2)).detach().float().cpu() / len(pictures)
    return tuple(_ranked(each, wanted, "gradient", totals[each.name]) for each in found)


def direct(network: Network, layer: str, classes: Sequence[int] | None = None) -> Tensor | None:
    """How much each class score rises when a channel of ``layer`` rises by one everywhere, [K, C]; or None.

    None where the layer does not feed the scores linearly: where the gradient is not the same for two pictures
    that have nothing in common. ``classes`` are the rows wanted, all by default.
    """
    path, count = network.require_layer(layer).name, _count(network)
    side = max(64, network.smallest)
    clouds = references(network, (side, side), 2)
    probes = sorted({0, count // 2, count - 1})
    first, second = (_rows(network, path, each, probes) for each in (clouds[0], 1 - clouds[1] ** 2))
    one, other = torch.stack([*first]), torch.stack([*second])
    if not one.abs().max() > 0 or not torch.allclose(one, other, 1e-3, 1e-5 * one.abs().max().item()):
        return None
    wanted = range(count) if classes is None else classes
    return torch.stack([flat(each[None])[0].sum(1) for each in _rows(network, path, clouds[0], wanted)])


def reach(network: Network, layer: str, picture: Tensor | None = None) -> Iterator[Tensor]:
    """For each class in turn how much its score would rise with each channel of ``layer``, [C].

    As :func:`direct`, but for any layer, and only true near ``picture`` [1, 3, H, W], by default a cloud of noise:
    the gradient, summed over places. One backward pass for each class.
    """
    path = network.require_layer(layer).name
    image = references(network, count=1)[0] if picture is None else picture
    for each in _rows(network, path, image, range(_count(network))):
        yield flat(each[None])[0].sum(1)


def examples(
    network: Network,
    classes: Sequence[int],
    count: int = EXAMPLE_COUNT,
    *,
    device: str = "cpu",
    precision: str = "fp32",
) -> Iterator[Tensor]:
    """Pictures [1, 3, H, W] in 0..1 that excite ``classes``: short dreams of them from noise, one a seed.

    Of several classes each place of a picture may take its own.
    """
    side = max(EXAMPLE_SIDE, network.smallest)
    text = "|".join(f"class:{index}" for index in classes)
    recipe = Recipe.of({"objective": text, "size": f"{side}x{side}"})
    plan = prepare(network, recipe, (side, side), device=device, precision=precision)  # type: ignore[arg-type]
    for seed in range(count):
        source = cloud((side, side), torch.Generator().manual_seed(seed))
        for dream in dreams(replace(plan, seed=seed), [plan.octaves[0].objective], source):
            yield dream.picture


def _words(name: str) -> str:
    """As :meth:`Network.class_index` reads names: in any case, with underscores or slashes for spaces."""
    return " ".join(name.lower().replace("_", " ").replace("/", " ").split())


def _scores(network: Network) -> str:
    if not network.labels or not network.logits:
        raise UsageError(f"The network {network.name} has no classes; 'reverie channels' lists its channels.")
    return network.logits


def _count(network: Network) -> int:
    return network.require_layer(_scores(network)).channels


def _by_weights(network: Network, classes: tuple[int, ...], layer: Layer) -> Feeding:
    weights = direct(network, layer.name, classes)
    if weights is None:
        raise UsageError(
            f"The layer {layer.name!r} of {network.name} does not feed the classes linearly; give pictures."
        )
    return _ranked(layer, classes, "weights", weights.mean(0).cpu())


def _ranked(
    layer: Layer, classes: tuple[int, ...], method: Literal["weights", "gradient"], values: Tensor
) -> Feeding:
    total = values.abs().sum().clamp_min(1e-12)
    order = values.argsort(descending=True, stable=True).tolist()
    feeds = (Feed(layer.name, at, values[at].item(), (values[at] / total).item()) for at in order)
    return Feeding(layer, classes, method, tuple(feeds))


def _rows(network: Network, path: str, picture: Tensor, classes: Iterable[int]) -> Iterator[Tensor]:
    """The gradient of each class score with respect to a layer, [C, h, w] or [C]."""
    image = fitting(network, picture)
    scores, seen = _forward(network, image, [path])
    for index in classes:
        yield _read(network, path, _pulled(scores[0, index], seen)[path], image)[0].detach().float()


def _forward(network: Network, image: Tensor, layers: Sequence[str]) -> tuple[Tensor, dict[str, object]]:
    """The class scores [B, K], averaged over places, and what each of ``layers`` put out, in one graph.

    The graph begins at the first of them: nothing before it keeps anything.
    """
    seen: dict[str, object] = {}

    def keep(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> object:
            if name in seen:
                return None
            seen[name] = tree_map(_leaf, output)
            # What follows gets a copy, since it may write into it.
            return tree_map(lambda each: each.clone() if isinstance(each, Tensor) else each, seen[name])

        return hook

    handles = [network.module.get_submodule(name).register_forward_hook(keep(name)) for name in layers]  # type: ignore[arg-type]
    try:
        with torch.enable_grad():
            found = network.capture(image, [_scores(network)])[network.logits]
    finally:
        for handle in handles:
            handle.remove()
    for name in layers:
        if name not in seen:
            raise UsageError(
                f"The layer {name!r} of {network.name} does not come before its class scores; choose another."
            )
    return flat(found).mean(2), seen


def _leaf(each: object) -> object:
    fresh = isinstance(each, Tensor) and each.is_floating_point() and not each.requires_grad
    return each.detach().requires_grad_(True) if fresh and isinstance(each, Tensor) else each


def _pulled(score: Tensor, seen: dict[str, object]) -> dict[str, object]:
    """The gradient of ``score`` with respect to each of ``seen``, in the form of each; zero where it has none."""
    if not score.requires_grad:
        return {name: tree_map(_zero, each) for name, each in seen.items()}
    tensors = [
        each for each in tree_leaves(list(seen.values())) if isinstance(each, Tensor) and each.requires_grad
    ]
    gradients = iter(torch.autograd.grad(score, tensors, retain_graph=True, allow_unused=True))
    found: dict[str, object] = {}
    for name, output in seen.items():
        parts, form = tree_flatten(output)
        filled = [
            (next(gradients) if each.requires_grad else None) if isinstance(each, Tensor) else each
            for each in parts
        ]
        whole = [_zero(part) if each is None else each for each, part in zip(filled, parts, strict=True)]
        found[name] = tree_unflatten(whole, form)
    return found


def _zero(each: object) -> object:
    return torch.zeros_like(each) if isinstance(each, Tensor) else each


def _read(network: Network, name: str, output: object, image: Tensor) -> Tensor:
    """The activation in what a layer put out, as :meth:`Network.capture` would give it."""
    found = output if network.adapter is None else network.adapter.leave(name, output, image)
    if not isinstance(found, Tensor):
        raise UsageError(
            f"The layer {name!r} of {network.name} gives nothing that can be weighed; choose another."
        )
    return found
