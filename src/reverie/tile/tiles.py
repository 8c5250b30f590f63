"""The gradient of a picture too large to be seen at once: tile by tile, stitched to what the whole would give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from reverie.ascent.blockwise import hand_back
from reverie.ascent.gradient import image_gradient, unanswered
from reverie.errors import UsageError
from reverie.network import Activations, Network
from reverie.objective import Objective, Term
from reverie.pixels.ops import Size
from reverie.pixels.transform import Transform
from reverie.tile.behind_pool import Head, head
from reverie.tile.geometry import IMAGE, Grid, Tile, crop_activation, grids_hold, scattered, tiles, units
from reverie.tile.huge import combine, through
from reverie.tile.index_view import View

TILES_PER_TRIM = 8  # tiles between two returns of freed memory to the system; a return costs a tenth of a tile

Adding = Literal["mean", "sum"]


@dataclass(frozen=True, eq=False)
class Layout:
    """How a picture is cut for some layers: its tiles, the layers they own parts of, what lies behind those."""

    tiles: list[Tile]
    grids: dict[str, Grid]
    head: Head | None

    @property
    def computed(self) -> int:
        """Pixels that are computed in one pass over all tiles, margins included."""
        return sum(tile.area for tile in self.tiles)


@dataclass(frozen=True, eq=False)
class Tiles:
    """A :data:`reverie.ascent.gradient.Look` that never shows the network more than a tile.

    ``side`` is how many pixels a tile owns each way; margins as wide as the receptive field come on top.
    ``exact`` gives the gradient of the whole picture: a term that adds up over places is scored tile by tile, any
    other on the stitched activations of its layers, in a pass of its own. ``shifted`` is the way of TensorFlow's
    DeepDream tutorial: tiles without margins, dreamt each by itself, cut elsewhere at every step. With ``keeps`` the
    gradient is kept in bfloat16, and neither it nor the picture is ever copied: for pictures of many megapixels.
    """

    side: int
    mode: Literal["exact", "shifted"] = "exact"
    keeps: bool = False
    _layouts: dict[tuple[Network, frozenset[str], Size], Layout] = field(default_factory=dict, repr=False)

    def __call__(
        self,
        network: Network,
        objective: Objective,
        image: Tensor,
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scores [T, B] and gradients [T, B, 3, H, W] of the terms at ``image`` [B, 3, H, W] in 0..1; with
        ``weights`` [T, B] that of their weighted sum alone, [1, B, 3, H, W].

        Raises :class:`UsageError` for an objective that reads what cannot be put together from tiles.
        """
        gradients = image.new_zeros(len(objective.terms) if weights is None else 1, *image.shape)
        return self.add(network, objective, View.of(image), gradients, generator, weights), gradients

    def kept(
        self,
        network: Network,
        objective: Objective,
        image: Tensor,
        transform: Transform,
        generator: torch.Generator,
        weights: Tensor,
        balance: bool,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scores [T, B] and the combined gradient [B, 3, H, W] in bfloat16 of ``image`` seen through ``transform``.

        With ``balance`` also the scales [T, B] by which the terms were divided before their ``weights`` [T, B].
        """
        view = through(transform, image, generator)
        if not balance:
            whole = torch.zeros_like(view.image, dtype=torch.bfloat16)
            return self.add(network, objective, view, [whole], generator, weights), whole, None
        kept = [torch.zeros_like(view.image, dtype=torch.bfloat16) for _ in weights]
        scores = self.add(network, objective, view, kept, generator)
        return scores, kept[0], combine(kept, weights)

    def add(
        self,
        network: Network,
        objective: Objective,
        view: View,
        gradients: Tensor | Sequence[Tensor],
        generator: torch.Generator | None = None,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Like calling it, for a picture seen through a view; adds to ``gradients`` and returns the scores."""
        if self.mode == "shifted":
            return self._shifted(network, objective, view, gradients, generator, weights)
        layout, terms = (
            self.layout(network, objective.layers or frozenset({IMAGE}), view.size),
            objective.terms,
        )
        adding = [_adding(term, layout, view.image) for term in terms]
        scores = view.image.new_zeros(len(terms), view.image.shape[0])
        seeds: list[Activations] = [{} for _ in terms]
        if not all(adding):
            apart = frozenset[str]().union(
                *(term.layers for term, adds in zip(terms, adding, strict=True) if not adds)
            )
            seen = self._stitched(network, layout, view, apart, graph=True)
            for at, (term, adds) in enumerate(zip(terms, adding, strict=True)):
                if not adds:
                    scores[at], seeds[at] = _seed(term, seen, layout)
            del seen
        for number, tile in enumerate(layout.tiles):
            if self.keeps and number % TILES_PER_TRIM == 0:
                hand_back()
            leaf = view.crop(tile.place).requires_grad_(True)
            with torch.enable_grad():
                seen = network.capture(leaf, layout.grids)
                own = {name: crop_activation(seen[name], tile.within(name)) for name in layout.grids}
                wishes = [_wish(*each, own, tile) for each in zip(terms, adding, seeds, strict=True)]
            for at, wish in enumerate(wishes):
                if adding[at]:
                    scores[at] += sum(value.detach() for value in wish.values)
            if weights is not None:
                wishes = [_summed(wishes, weights)]
            for at, wish in enumerate(wishes):
                if wish.values:
                    more = any(later.values for later in wishes[at + 1 :])
                    (gradient,) = torch.autograd.grad(
                        wish.values, leaf, wish.seeds, retain_graph=more, allow_unused=True
                    )
                    if gradient is None:
                        raise unanswered(network, objective)
                    view.add(gradients[at], tile.place, gradient)
        return scores

    def capture(self, network: Network, image: Tensor | View, layers: Iterable[str]) -> Activations:
        """What :meth:`reverie.network.Network.capture` gives, put together from tiles; without a graph."""
        view = image if isinstance(image, View) else View.of(image)
        layout = self.layout(network, frozenset(layers), view.size)
        return self._stitched(network, layout, view, frozenset(layers))

    def layout(self, network: Network, layers: frozenset[str], size: Size) -> Layout:
        """How a picture of ``size`` (height, width) is cut; :class:`UsageError` where it cannot be."""
        key = (network, layers, size)
        if key not in self._layouts:
            self._layouts[key] = _layout(network, layers, size, self.side)
        return self._layouts[key]

    def _stitched(
        self, network: Network, layout: Layout, view: View, layers: frozenset[str], graph: bool = False
    ) -> Activations:
        """The layers of the whole picture; with ``graph``, those with places are the leaves of the others."""
        batch, placed = view.image.shape[0], layers & layout.grids.keys()
        behind = layers - placed
        if behind and layout.head:
            placed |= {layout.head.neck}
        found = {
            name: view.image.new_empty(batch, layout.grids[name].channels, *layout.grids[name].count)
            for name in placed
        }
        for number, tile in enumerate(layout.tiles):
            if self.keeps and number % TILES_PER_TRIM == 0:
                hand_back()
            with torch.no_grad():
                seen = network.capture(view.crop(tile.place), placed)
            for name in placed:
                crop_activation(found[name], tile.owned(name)).copy_(crop_activation(seen[name], tile.within(name)))
        for activation in found.values():
            activation.requires_grad_(graph)
        if behind and layout.head:
            with torch.set_grad_enabled(graph):
                found |= layout.head.capture(network, found[layout.head.neck], behind)
        return found

    def _shifted(
        self,
        network: Network,
        objective: Objective,
        view: View,
        gradients: Tensor | Sequence[Tensor],
        generator: torch.Generator | None,
        weights: Tensor | None,
    ) -> Tensor:
        phase = torch.randint(0, self.side, (2,), generator=generator).tolist()
        scores = view.image.new_zeros(len(objective.terms), view.image.shape[0])
        for place in scattered(view.size, self.side, network.smallest, (phase[0], phase[1])):
            crop = view.crop(place)
            share = crop.shape[-2] * crop.shape[-1] / (view.size[0] * view.size[1])
            found, parts = image_gradient(network, objective, crop, weights=weights)
            scores += share * found
            for total, part in zip(gradients, parts, strict=True):
                view.add(total, place, share * part)
        return scores


def _layout(network: Network, layers: frozenset[str], size: Size, side: int) -> Layout:
    found = units(network, layers, size)
    behind, rest = [name for name, grid in found.items() if grid is None], None
    if behind:
        rest = head(network, behind)
        if rest is None:
            raise UsageError(
                f"The layer {behind[0]!r} of {network.name} sees the whole picture and cannot be put together from "
                "tiles; use [[tile=none]] or [[tile_mode=shifted]]."
            )
        found |= units(network, [rest.neck], size)
    placed = {name: grid for name, grid in found.items() if grid is not None}
    cut = tiles(placed, size, side, network.smallest)
    if network.adapter is not None and not grids_hold(network, placed):
        raise UsageError(
            f"What {network.name} sees depends on more than the neighborhood of each place, so tiles would not "
            "agree with the whole picture; use [[tile=none]] or [[tile_mode=shifted]]."
        )
    return Layout(cut, placed, rest)


@dataclass(frozen=True)
class _Wish:
    """What a term wants of a tile: the tensors to differentiate, and the seed of each."""

    values: Sequence[Tensor]
    seeds: Sequence[Tensor]


def _summed(wishes: Sequence[_Wish], weights: Tensor) -> _Wish:
    """All wishes as one, each as strong as its weight for each picture, [T, B]."""
    seeds = [
        [w.view(-1, *(1,) * (seed.ndim - 1)) * seed for seed in wish.seeds]
        for w, wish in zip(weights, wishes, strict=True)
    ]
    return _Wish([value for wish in wishes for value in wish.values], [seed for each in seeds for seed in each])


def _wish(term: Term, adds: Adding | None, seeds: Activations, own: Activations, tile: Tile) -> _Wish:
    if adds:
        name = next(iter(term.layers), IMAGE)
        share = tile.share(name)
        if not share:
            return _Wish([], [])
        score = term.score({name: own[name]}) * (share if adds == "mean" else 1)
        return _Wish([score], [torch.ones_like(score)])
    names = [name for name in seeds if own[name].numel()]
    return _Wish([own[name] for name in names], [crop_activation(seeds[name], tile.owned(name)) for name in names])


def _seed(term: Term, seen: Activations, layout: Layout) -> tuple[Tensor, Activations]:
    """Score [B] of a term on the whole, and its gradient with respect to every layer with places."""
    leaves = [name for name in seen if name in layout.grids]
    with torch.enable_grad():
        score = term.score(seen)
    if not score.requires_grad:
        return score, {}
    found = torch.autograd.grad(
        score.sum(), [seen[name] for name in leaves], retain_graph=True, allow_unused=True
    )
    return score.detach(), {name: g for name, g in zip(leaves, found, strict=True) if g is not None}


def _adding(term: Term, layout: Layout, like: Tensor) -> Adding | None:
    """Whether the score is the mean, or the sum, of what it is in parts of the picture; None where it is neither.

    Tried out on noise: a term that says of itself that it adds may still count places, or weight them.
    """
    (name, *others) = term.layers or [IMAGE]
    if not term.additive or others or name not in layout.grids:
        return None
    shape, generator = (like.shape[0], layout.grids[name].channels, 3, 2), torch.Generator().manual_seed(0)
    one, two = (torch.randn(shape, generator=generator).to(like) for _ in range(2))
    try:
        with torch.no_grad():
            both, first, second = (term.score({name: each}) for each in (torch.cat([one, two], -1), one, two))
    except (RuntimeError, IndexError, KeyError):  # it knows its places, or reads more than it says
        return None
    total = first + second
    for adding, expected in (("mean", total / 2), ("sum", total)):
        if torch.allclose(both, expected, rtol=1e-4, atol=0):
            return adding  # type: ignore[return-value]
    return None
