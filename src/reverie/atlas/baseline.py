"""What a layer's channels do at rest: their activation on noise, against which all else is measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reverie.network import Network
from reverie.network.working import working_device
from reverie.pixels.ops import EPSILON, Size, cloud, rms
from reverie.pixels.transform import pad

REFERENCES = 4
SIDE = 192  # pixels: what the clouds are drawn at, and small enough to be quick


@dataclass(frozen=True)
class ChannelSurvey:
    """A channel's ``mean`` activation over pictures and places, the share of places where it is above zero
    (``active``), and the classes that it feeds most, best first."""

    channel: int
    mean: float
    active: float
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Rest:
    """Statistics of each channel of a layer over pictures and places, each [C]."""

    mean: Tensor
    deviation: Tensor
    square: Tensor
    active: Tensor

    @property
    def unit(self) -> Tensor:
        """What counts as one unit of excitement, [C]: the deviation, and for channels that slept, a tenth of
        what is usual in the layer."""
        return _above_zero(self.deviation + 0.1 * self.deviation.mean())

    @property
    def strength(self) -> Tensor:
        """Root mean square, floored likewise, [C]."""
        root = self.square.sqrt()
        return _above_zero(root + 0.1 * root.mean())


def _above_zero(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.ones_like(x))


def place(network: Network) -> torch.device:
    """Where the network computes."""
    return working_device(network.module)


def references(network: Network, size: Size | None = None, count: int = REFERENCES) -> list[Tensor]:
    """Noise [1, 3, H, W] in 0..1, always the same: in turn clouds, as dreams from nothing start at, and grain with
    as much detail as a photograph has. A picture is measured against all of it."""
    side = max(SIDE, network.smallest)
    kinds = (cloud, grain_noise)
    return [
        kinds[seed % 2](size or (side, side), torch.Generator().manual_seed(seed)).to(place(network))
        for seed in range(count)
    ]


def grain_noise(size: Size, generator: torch.Generator) -> Tensor:
    """Noise [1, 3, H, W] in 0..1 whose amplitude falls as 1/f, as that of photographs does (Field 1987)."""
    frequency = torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None])
    frequency[0, 0] = math.inf
    field = torch.fft.irfft2(
        torch.fft.rfft2(torch.randn(1, 3, *size, generator=generator)) / frequency, s=size
    )
    field = field / rms(field).clamp_min(EPSILON)
    image: Tensor = 0.5 + 0.16 * field.mean(1, keepdim=True) + 0.1 * field
    return image.clamp(0, 1)


def fitting(network: Network, picture: Tensor, margin: int = 0) -> Tensor:
    """``picture`` [1, 3, H, W] with a mirrored ``margin``, more where it is smaller than the network can take."""
    return pad(margin, network.smallest)(picture.to(place(network)), torch.Generator())


def flat(activation: Tensor) -> Tensor:
    """An activation [B, C, h, w] or [B, C] as [B, C, places]."""
    return activation.flatten(2) if activation.ndim > 2 else activation[:, :, None]


def at_rest(network: Network, layers: Sequence[str], pictures: Iterable[Tensor]) -> dict[str, Rest]:
    """Statistics of ``layers`` over ``pictures``, each [1, 3, H, W] in 0..1, one forward pass for each picture."""
    sums: dict[str, Tensor] = {}
    count = 0
    with torch.no_grad():
        for picture in pictures:
            seen = network.capture(fitting(network, picture), layers)
            count += 1
            for name in layers:
                a = flat(seen[name]).double() if seen[name].device.type != "mps" else flat(seen[name])
                moments = torch.stack([a.mean((0, 2)), a.square().mean((0, 2)), (a > 0).to(a).mean((0, 2))])
                sums[name] = sums[name] + moments if name in sums else moments
    found = {}
    for name, total in sums.items():
        mean, square, active = (total / count).float()
        found[name] = Rest(mean, (square - mean.square()).clamp_min(0).sqrt(), square, active)
    return found


def survey_channels(
    network: Network, layer: str, pictures: Sequence[Tensor] = (), feeds: Tensor | None = None, top: int = 3
) -> tuple[ChannelSurvey, ...]:
    """Every channel of ``layer``, over ``pictures`` [1, 3, H, W] (by default noise).

    With ``feeds`` [K, C], how much each class gets from each channel (:func:`reverie.atlas.direct` or
    :func:`reverie.atlas.reach`), the ``top`` classes of each that get anything.
    """
    path = network.require_layer(layer).name
    rest = at_rest(network, [path], pictures or references(network))[path]
    best: list[list[int]] = [[] for _ in range(len(rest.mean))]
    if feeds is not None:
        values, classes = feeds.topk(min(top, len(feeds)), 0)
        best = [
            [index for index, value in zip(indices, amounts, strict=True) if value > 0]
            for indices, amounts in zip(classes.T.tolist(), values.T.tolist(), strict=True)
        ]
    return tuple(
        ChannelSurvey(at, mean, active, tuple(best[at]))
        for at, (mean, active) in enumerate(zip(rest.mean.tolist(), rest.active.tolist(), strict=True))
    )
