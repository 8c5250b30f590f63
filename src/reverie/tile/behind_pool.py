"""Layers behind a module that sees the whole picture: what leads up to it is stitched, and handed to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reverie.network import Activations, Network
from reverie.network.receptive import leaf
from reverie.network.working import working_device, working_type


@dataclass(frozen=True)
class Head:
    """The rest of a network from ``module`` on, which reads the map of the layer ``neck`` and nothing else."""

    neck: str
    module: str

    def capture(self, network: Network, neck: Tensor, layers: Iterable[str]) -> Activations:
        """``layers`` as they are for a picture whose layer ``neck`` is that map [B, C, h, w]."""
        image = neck.new_zeros(neck.shape[0], 3, _side(network), _side(network))
        part = network.module.get_submodule(self.module)
        given = neck.to(working_type(network.module)).contiguous(memory_format=torch.channels_last)
        handle = part.register_forward_pre_hook(lambda _module, _inputs: (given,))
        try:
            found = network.capture(image, layers)
        finally:
            handle.remove()
        return {name: activation for name, activation in found.items() if name != "image"}


def head(network: Network, layers: Iterable[str]) -> Head | None:
    """Where ``network`` can be split for ``layers``, which have no places of their own; None where it cannot.

    It is not believed but tried out: the map of a picture of noise, handed to the head of a black one.
    """
    device = working_device(network.module)
    dtype = torch.float64 if working_type(network.module) == torch.float64 else torch.float32
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(1, 3, _side(network), _side(network), generator=generator).to(device, dtype)
    split = _neck(network, noise)
    if split is None:
        return None
    # A network that is listened to runs as it stands, so both sides are computed alike.
    listening = network.module.register_forward_hook(lambda _module, _inputs, _output: None)
    with torch.no_grad(), listening:
        # What grows with the picture (attention, a norm over places) would have to be computed whole.
        wide = torch.cat([noise, noise], -1)
        one, two = (network.capture(each, [split.module])[split.module] for each in (noise, wide))
        if one.shape != two.shape:
            return None
        expected = network.capture(noise, [*layers, split.neck])
        found = split.capture(network, expected[split.neck], layers)
    same = (torch.equal(found[name], expected[name]) for name in layers)
    return split if all(same) else None


def _neck(network: Network, image: Tensor) -> Head | None:
    """The first module that takes a map with places and gives something without."""
    size = (image.shape[-2], image.shape[-1])
    _, sight = network.sight(size)
    made: dict[int, str] = {}
    kept: list[object] = []  # so that no id is given out twice
    found: list[Head] = []

    def hook(name: str, placed: bool) -> object:
        def after(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            neck = made.get(id(inputs[0])) if inputs else None
            if not placed and neck is not None and len(inputs) == 1:
                found.append(Head(neck, name))
            if placed:
                made[id(output)] = name
                kept.append(output)

        return after

    handles = []
    for name, part in network.module.named_modules():
        if name in sight and (leaf(part) or sight[name].spans is not None):
            after = hook(name, sight[name].spans is not None)
            handles.append(part.register_forward_hook(after))
    try:
        with torch.no_grad():
            network.capture(image, [next(reversed(sight))])
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _side(network: Network) -> int:
    """Of a small picture that the network takes."""
    return 2 * network.smallest * -(-64 // network.smallest)
