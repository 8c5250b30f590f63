"""Which layers of a network are worth a look, and what people call them."""

from __future__ import annotations

import torch
from torch import Tensor

from reverie.errors import UnknownName, UsageError
from reverie.network import Layer, Network
from reverie.network.working import working_device

MOST_LAYERS = 24  # more layers than this nobody asks for without saying so
PASSIVE = (
    "pool",
    "dropout",
    "flatten",
    "identity",
    "pad",
    "permute",
    "reshape",
    "softmax",
    "upsampl",
    "localresponse",
)
POINTWISE = (
    *("norm", "relu", "elu", "gelu", "silu", "swish", "mish"),
    *("sigmoid", "tanh", "activation"),
)
JOINS = ("concat", "concatenate", "add")  # the end of a block in networks that have no blocks


def layer_label(layer: Layer) -> str:
    """The traditional name of a layer, else its path."""
    return layer.aliases[0] if layer.aliases else layer.name


def worthwhile(network: Network, kind: str | None = None, *, dreamable: bool = True) -> tuple[Layer, ...]:
    """The layers that a person would want to see, in forward order; at most 24, and the class scores last.

    A convolution counts together with the norm and the activation behind it, a block together with the layer
    that ends it; pooling, dropout and the like are left out, and so is what comes after the class scores.
    Of nested blocks only so many levels are taken as make no more than 24 layers. With ``kind`` instead every
    layer whose kind has that in its name; ``all`` for all. With ``dreamable`` layers without a gradient are left out.
    Raises :class:`UnknownName` for a kind that is not there, and :class:`UsageError` where no layer is left.
    """
    if kind is not None:
        found = [each for each in network.layers if kind == "all" or kind.lower() in each.kind]
        if not found:
            kinds = sorted({each.kind for each in network.layers})
            raise UnknownName("kind of layer", kind, kinds, f"'reverie layers {network.name}'")
        seen = _captured(network, found, dreamable)
        return _some(network, [each for each in found if each.name in seen])
    found, blocks, seen = _distinct(network, dreamable)
    _some(network, found)
    depths = {
        each.name: sum(
            each.name.startswith(f"{name}.") and not _equal(seen, each.name, name) for name in blocks
        )
        for each in found
    }
    for depth in range(max(depths.values()), -1, -1):
        level = [each for each in found if depths[each.name] <= depth]
        if level and len(level) <= MOST_LAYERS:
            return tuple(level)
    return _thinned(network, [each for each in found if not depths[each.name]])


def _some(network: Network, layers: list[Layer]) -> tuple[Layer, ...]:
    if not layers:
        raise UsageError(
            f"No layer of {network.name} passes a gradient back to the picture (its forward detaches it, or runs "
            "under no_grad), so none can be dreamt."
        )
    return tuple(layers)


def distinct(network: Network) -> tuple[Layer, ...]:
    """All layers up to the class scores that show something of their own, in forward order."""
    return tuple(_distinct(network)[0])


def before_relu(network: Network, layer: Layer) -> dict[int, tuple[str, int]]:
    """For channels of ``layer`` that come out of a ReLU: the (layer, channel) that went into it.

    A channel that sleeps in a whole picture has no gradient there; what goes into its ReLU has one, and dreams of the
    same thing. Empty where nothing can be told.
    """
    inside = {layer.name, *layer.inputs}
    relus = [
        each
        for each in network.layers
        if "relu" in each.kind
        and len(each.inputs) == 1
        and (each.name in inside or each.name.startswith(f"{layer.name}."))
    ]
    seen = _captured(network, [layer, *relus]) if relus else {}
    found: dict[int, tuple[str, int]] = {}
    for relu in relus:
        source = network.layer(relu.inputs[0])
        if layer.name not in seen or relu.name not in seen or source is None:
            continue
        whole, part = seen[layer.name], seen[relu.name]
        if source.channels != relu.channels or whole.shape[2:] != part.shape[2:] or not part.any():
            continue
        # A block that joins several has each of them somewhere among its channels.
        for at in range(layer.channels - relu.channels + 1):
            if torch.equal(whole[:, at : at + relu.channels], part):
                found |= {at + each: (source.name, each) for each in range(relu.channels)}
                break
    return found


def _distinct(network: Network, dreamable: bool = True) -> tuple[list[Layer], set[str], dict[str, Tensor]]:
    """The layers up to the class scores as :func:`_once` leaves them, its blocks, and all their activations."""
    layers = list(network.layers)
    at = next((at for at, each in enumerate(layers) if each.name == network.logits), len(layers) - 1)
    seen = _captured(network, layers[: at + 1], dreamable)
    return *_once(layers[: at + 1], seen), seen


def _captured(network: Network, layers: list[Layer], dreamable: bool = True) -> dict[str, Tensor]:
    """Activations of those ``layers`` that pass a gradient back, or of all, for one small noisy picture."""
    side, names = max(64, network.smallest), [each.name for each in layers]
    place = working_device(network.module)
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(place)
    image.requires_grad_(True)
    with torch.set_grad_enabled(dreamable):
        try:
            return network.capture(image, names)
        except UsageError:
            found: dict[str, Tensor] = {}
            for name in names:
                try:
                    found |= network.capture(image, [name])
                except UsageError:
                    continue
            return found


def _once(layers: list[Layer], seen: dict[str, Tensor]) -> tuple[list[Layer], set[str]]:
    """``layers`` without doubles, without what a norm or an activation behind it shows better, and without
    what only rearranges; and the names of all blocks that do more than that."""
    layers = [each for each in layers if each.name in seen]
    shown_by = {
        each.inputs[0]
        for each in layers
        if len(each.inputs) == 1 and _is(each, POINTWISE) and not _is(each, PASSIVE)
    }
    kept: list[Layer] = []
    for layer in layers:
        inner = [
            each
            for each in kept
            if each.name.startswith(f"{layer.name}.") and _equal(seen, each.name, layer.name)
        ]
        doubles = [*inner, layer]
        kept = [each for each in kept if each not in inner]
        # Of a block and the layer that ends it: the one with a traditional name, or the block.
        best = next((each for each in reversed(doubles) if each.aliases), layer)
        kept.append(best)
    passive = {each.name for each in layers if _is(each, PASSIVE)}
    for layer in layers:
        # A block that ends in a pool is that pool.
        if any(name.startswith(f"{layer.name}.") and _equal(seen, name, layer.name) for name in passive):
            passive |= {layer.name}
    blocks = {each.name for each in layers if each.kind == "block"} - passive
    return [each for each in kept if each.name not in passive | shown_by] or layers, blocks


def _is(layer: Layer, words: tuple[str, ...]) -> bool:
    return any(word in layer.kind for word in words)


def _equal(seen: dict[str, Tensor], one: str, other: str) -> bool:
    return seen[one].shape == seen[other].shape and torch.equal(seen[one], seen[other])


def _thinned(network: Network, layers: list[Layer]) -> tuple[Layer, ...]:
    """At most 24 of a network that has no blocks: the ends of its joins where it has some, else every so many."""
    if len(layers) <= MOST_LAYERS:
        return tuple(layers)
    kinds = {each.name: each.kind for each in network.layers}
    joined = [
        each
        for each in layers[:-1]
        if each.kind in JOINS or (_is(each, POINTWISE) and kinds.get("".join(each.inputs)) in JOINS)
    ]
    if len(joined) >= 4:
        # With what ends the network: the layer before the class scores, and these.
        layers = [*joined, *(each for each in layers[-2:] if each not in joined)]
    step = -(-len(layers) // MOST_LAYERS)
    return tuple(reversed(layers[::-1][::step]))
