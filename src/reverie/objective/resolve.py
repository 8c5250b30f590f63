"""Targets to objectives: every term and guide as written becomes a value, its names and pictures found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from reverie.errors import UnknownName, UsageError
from reverie.network import Activations, Layer, Network
from reverie.network.working import working_device
from reverie.objective.guide import Match, match
from reverie.objective.layers import channel, layer, neuron
from reverie.objective.place import inside, masked
from reverie.objective.value import Fit, Objective, Sight, Term, whole
from reverie.pixels.ops import fitted_size, resize, unit
from reverie.pixels.transform import pad
from reverie.recipe import Recipe
from reverie.recipe.functions import FUNCTIONS, Function
from reverie.recipe.grammar import DEFAULT, GROUP, Guide, Role, Target, parse_guide, parse_objective
from reverie.recipe.groups import class_groups, parse_groups

GUIDE_SIDE = 448  # pixels of the long side that a guide is looked at with; a smaller one stays as it is
SOFT, SHARP = 2.0, 1.0
"""Temperatures of the soft maximum over a few classes, and over a group: of a hundred classes most are far away, and
together they must not outweigh the nearest. 1 is what the networks were trained with."""

_MARGIN = 32  # mirrored pixels around a guide, so that a network's zero padding is no part of it


@dataclass(frozen=True, eq=False)
class Assets:
    """The pictures that a recipe names, by path as written.

    ``guides`` are [1, 3, H, W] in 0..1 (or integers as a file has them) of any size, several where a folder was
    named; ``masks`` [1, 1, h, w] in 0..1,
    each lying over the whole picture.
    """

    guides: Mapping[str, Sequence[Tensor]] = field(default_factory=dict)
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    _seen: dict[tuple[Network, str, str], Tensor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def token(cls, files: Iterable[tuple[Role, str]]) -> Assets:
        """Small gray stand-ins for ``files``, to check names before any picture is read."""
        named = list(files)
        gray, full = torch.full((1, 3, 32, 32), 0.5), torch.ones(1, 1, 32, 32)
        return cls(
            {file: (gray,) for role, file in named if role == "guide"},
            {file: full for role, file in named if role == "mask"},
        )

    def guide(self, file: str) -> Sequence[Tensor]:
        """The pictures of a guide; :class:`UsageError` where it was not handed in."""
        if file not in self.guides:
            raise UsageError(f"The guide {file!r} was not handed in as an asset.")
        return self.guides[file]

    def showing(self, guides: Mapping[str, Sequence[Tensor]]) -> Assets:
        """The same with other pictures for some ``guides``; what was seen in the rest is not looked at again."""
        made = Assets({**self.guides, **guides}, self.masks)
        made._seen.update({key: seen for key, seen in self._seen.items() if key[2] not in guides})
        return made

    def features(self, network: Network, layer: Layer, file: str) -> Tensor:
        """What a network sees in a guide at a layer, [M, C]: looked at once, however often a plan is revised."""
        key = (network, layer.name, file)
        if key not in self._seen:
            self._seen[key] = features(network, layer, self.guide(file))
        return self._seen[key]

    def mask(self, file: str) -> Tensor:
        """A mask; :class:`UsageError` where it was not handed in."""
        if file not in self.masks:
            raise UsageError(f"The mask {file!r} was not handed in as an asset.")
        return self.masks[file]


NO_ASSETS = Assets()


def resolve(
    network: Network,
    text: str,
    focus: float = 0.0,
    assets: Assets = NO_ASSETS,
    inset: int = 0,
    certainty: float = 0.0,
    groups: Iterable[str] = (),
) -> Objective:
    """The objective that ``text`` means for ``network``; :class:`UnknownName` for what it lacks.

    Without the outer ``inset`` cells of the maps it looks at. Each class is its logit and ``certainty`` times its
    log-probability.
    ``groups`` are those of the user, as in ``pets=tabby|beagle``.
    With ``assets`` that have guides, ``network`` is the one that will dream: it looks at them here.

    >>> resolve(load("motif"), "0.7*owl + 0.3*stage3")       # doctest: +SKIP
    """
    terms: list[Term] = []
    own = parse_groups(groups)
    for target in parse_objective(text):
        names = target.names()
        for name in names:
            found = inside(_Resolver(network, target, name, focus, assets, certainty, own).objective(), inset)
            if target.mask:
                found = masked(found, assets.mask(target.mask), target.mask)
            terms.extend((found * (target.weight / len(names))).terms)
    return Objective(tuple(terms))


def guidance(network: Network, recipe: Recipe, assets: Assets = NO_ASSETS) -> tuple[Term, ...]:
    """The terms of all guides of a recipe; none where it has none."""
    found = (
        guided(network, parse_guide(each), recipe.match, assets, recipe.inset) for each in recipe.guide
    )
    return tuple(term for each in found for term in each.terms)


def guided(
    network: Network,
    guide: Guide,
    by: Match = "dot",
    assets: Assets = NO_ASSETS,
    inset: int = 0,
) -> Objective:
    """The objective of one guide: its pictures are looked at once, here, at a size of their own."""
    layers = guide_layers(network, guide.layer)
    found = []
    for each in layers:
        vectors = assets.features(network, each, guide.file)
        one = _honest(each, match(each.name, vectors, by, f"{guide.file}@{each.name}"))
        one = inside(one, inset)
        found.append(masked(one, assets.mask(guide.mask), guide.mask) if guide.mask else one)
    return guide.weight / len(found) * sum(found[1:], found[0])


def features(network: Network, layer: Layer, pictures: Iterable[Tensor]) -> Tensor:
    """The activations [M, C] of all places of ``pictures`` [1, 3, H, W] at a layer, on the network's device."""
    device = working_device(network.module)
    found = []
    for picture in map(unit, pictures):
        size = (picture.shape[-2], picture.shape[-1])
        small = resize(picture, fitted_size(size, GUIDE_SIDE)) if max(size) > GUIDE_SIDE else picture
        with torch.no_grad():
            shown = pad(_MARGIN, network.smallest)(small.clamp(0, 1).to(device), torch.Generator())
            a = network.capture(shown, [layer.name])[layer.name]
        if a.ndim == 4:
            a = a[..., _inside(shown, small, a, -2), :][..., _inside(shown, small, a, -1)]
        found.append(a.flatten(2)[0].T if a.ndim == 4 else a)
    return torch.cat(found)


def _inside(shown: Tensor, picture: Tensor, a: Tensor, axis: int) -> slice:
    """The places along an axis of ``a`` whose middle lies in ``picture``, which is in the middle of ``shown``."""
    whole, side, places = shown.shape[axis], picture.shape[axis], a.shape[axis]
    before = (whole - side) // 2
    middles = [(at + 0.5) * whole / places for at in range(places)]
    inside = [at for at, middle in enumerate(middles) if before <= middle <= before + side]
    return slice(inside[0], inside[-1] + 1) if inside else slice(None)


def placed(network: Network, objective: Objective) -> Objective:
    """``objective`` for this network: its layers found by path, alias or number, as in the text form.

    Raises :class:`UnknownName` for a layer that the network does not have.
    """
    return Objective(tuple(_placed(network, term) for term in objective.terms))


def _placed(network: Network, term: Term) -> Term:
    found = {name: network.require_layer(name) for name in term.layers - {"image"}}
    if not all(layer.stride and layer.receptive for layer in found.values()):
        term = replace(term, additive=False)
    paths = {name: layer.name for name, layer in found.items() if name != layer.name}
    return _renamed(term, paths) if paths else term


def _renamed(term: Term, paths: Mapping[str, str]) -> Term:
    """``term``, which reads layers by other names than their paths, reading them by their ``paths``."""

    def both(seen: Activations) -> Activations:
        return {**seen, **{name: seen[path] for name, path in paths.items()}}

    def capture(sight: Sight) -> Sight:
        return replace(
            sight,
            capture=lambda image, names: both(sight.capture(image, [paths.get(name, name) for name in names])),
        )

    def fitted(fit: Fit) -> Fit:
        return lambda sight: _renamed(fit(capture(sight)), paths)

    places = term.places
    return replace(
        term,
        layers=frozenset(paths.get(name, name) for name in term.layers),
        score=lambda seen: term.score(both(seen)),
        places=None if places is None else lambda seen: places(both(seen)),
        measure=fitted(term.measure) if term.measure else None,
        follow=fitted(term.follow) if term.follow else None,
    )


def guide_layers(network: Network, text: str = "") -> tuple[Layer, ...]:
    """The layers that a guide works on: those named, joined by +; else the network's own for guides, else the first
    layer of what the network dreams by default."""
    if text or network.guide:
        return tuple(network.require_layer(each.strip()) for each in (text or network.guide).split("+"))
    if (found := network.layer(DEFAULT)) is not None:
        return (found,)
    raise UsageError(f"Say which layer of {network.name} a guide is for, as in [[guide=flowers.jpg@LAYER]].")


def _honest(layer: Layer, objective: Objective) -> Objective:
    """Only what sees a known part of the picture, place by place, adds over tiles."""
    return objective if layer.stride and layer.receptive else whole(objective)


def _grouped(name: str) -> bool:
    return name.startswith(f"{GROUP}:")


@dataclass(frozen=True)
class _Resolver:
    """One name of one target on its way to an objective."""

    network: Network
    target: Target
    name: str
    focus: float
    assets: Assets
    certainty: float = 0.0
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def objective(self) -> Objective:
        if self.target.function:
            return self.call()
        if self.target.kind == "class":
            return self.classes((self.name, *self.target.others))
        if self.target.channel is not None:
            return self.of_channel()
        found = self.network.layer(self.name)
        if found is not None:
            return _honest(found, layer(found.name, self.focus))
        if self.target.kind == "layer" or self.network.idle(self.name):
            self.network.require_layer(self.name)
        row = FUNCTIONS.get(self.name)
        if row is not None and row.of == "image":
            return made_by(row)
        index = self.network.class_index(self.name)
        if index is None:
            known = (*self.network.class_names(), *self.network.layer_names(), *self.group_names())
            if (group := f"{GROUP}:{self.name}") in known:
                known = (group,)
            raise UnknownName("layer or class", self.name, known, f"'reverie layers {self.network.name}'")
        return self.of_class(index)

    def of_channel(self) -> Objective:
        found = self.network.require_layer(self.name)
        index = self.channel_of(found)
        if self.target.place is not None:
            self.require_places(found)
            return neuron(found.name, index, self.target.place)
        return _honest(found, channel(found.name, index))

    def channel_of(self, layer: Layer) -> int:
        index = self.target.channel
        assert index is not None
        if index >= layer.channels:
            raise UsageError(
                f"The layer {self.name!r} of {self.network.name} has the channels 0 to {layer.channels - 1}, "
                f"no {index}."
            )
        return index

    def require_places(self, layer: Layer) -> None:
        if not layer.stride:
            raise UsageError(f"The layer {self.name!r} of {self.network.name} has no places, so no neurons.")

    def classes(self, names: Sequence[str]) -> Objective:
        network = self.network
        found = dict.fromkeys(index for name in names for index in self.members(name, ()))
        if not any(_grouped(name) for name in names):
            return self.of_class(*found)
        labels = [name if _grouped(name) else network.labels[network.require_class(name)] for name in names]
        return self.of_class(*found, label="|".join(labels), temperature=SHARP)

    def members(self, name: str, within: tuple[str, ...]) -> tuple[int, ...]:
        """The classes that a name means: one, or those of a group, which may name groups of its own."""
        if not _grouped(name):
            return (self.network.require_class(name),)
        group = name.removeprefix(f"{GROUP}:")
        if group in within:
            raise UsageError(f"The group {group!r} is made of itself; name classes in it.")
        if group in self.groups:
            each = (self.members(one, (*within, group)) for one in self.groups[group])
            return tuple(index for indices in each for index in indices)
        if group not in class_groups():
            known = [*self.groups, *class_groups()]
            raise UnknownName("group", group, known, f"'reverie layers {self.network.name} --kind group'")
        found = self.network.class_group(class_groups()[group].holds)
        if not found:
            raise UsageError(
                f"The network {self.network.name} knows none of the ImageNet classes of group:{group}; "
                "take one that saw ImageNet, or name classes of its own."
            )
        return found

    def group_names(self) -> tuple[str, ...]:
        """What groups are called here, as one writes them."""
        known = dict.fromkeys((*self.groups, *(class_groups() if self.network.synsets else ())))
        return tuple(f"{GROUP}:{name}" for name in known)

    def of_class(self, *indices: int, label: str = "", temperature: float = SOFT) -> Objective:
        network = self.network
        label = label or "|".join(network.labels[index] for index in indices)
        forms = {self.target.function or "logit": 1.0}
        if self.certainty and not self.target.function:
            forms["logprob"] = self.certainty
        layer = network.require_layer(network.logits)
        # Of one class the mean over places is the logit of the picture.
        classes = network.class_map if len(indices) > 1 and not layer.stride else None
        if classes is not None:
            layer = network.require_layer(classes.layer)
        wanted = []
        for form, weight in forms.items():
            row, named = FUNCTIONS[form], dict[str, Any](label=label)
            if row.ours:
                named |= {"temperature": temperature if form == "logit" else SOFT, "classes": classes}
            wanted.append(weight * made_by(row, network.logits, *indices, *self.numbers(), **named))
        return _honest(layer, Objective(tuple(term for each in wanted for term in each.terms)))

    def numbers(self) -> list[float]:
        return [each for each in self.target.arguments if not isinstance(each, str)]

    def call(self) -> Objective:
        row, numbers = FUNCTIONS[self.target.function], self.numbers()
        if row.of == "class":
            return self.classes((self.name, *self.target.others))
        layer = self.network.require_layer(self.name)
        if row.of == "channel":
            index = self.channel_of(layer)
            self.require_places(layer)
            return _honest(layer, made_by(row, layer.name, index, (0.5, 0.5), *numbers))
        if row.picture:
            file = str(self.target.arguments[0])
            vector = self.assets.features(self.network, layer, file).mean(0)
            return _honest(layer, made_by(row, layer.name, vector, *numbers, label=f"{file}@{layer.name}"))
        return _honest(layer, made_by(row, layer.name, *(int(each) if row.counts else each for each in numbers)))


def made_by(row: Function, *arguments: Any, **named: Any) -> Objective:
    """The objective of a row of the language."""
    made: Objective = row.make(*arguments, **named)
    return made
