"""The networks by name. A table of lazy entries: nothing is built or read until it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reverie.errors import InputError, OutputError, UnknownName
from reverie.recipe import AUTO
from reverie.zoo.adopt.names import EXAMPLES, consent, foreign
from reverie.zoo.catalog import SIZES, Published, entries, label_places, published, synsets
from reverie.zoo.default import BUILT_IN, PREFERRED, advice, automatic, settled
from reverie.zoo.fetch import Converter, Receipt, adopt_file, ensure, receipt
from reverie.zoo.packages import packaged_file

if TYPE_CHECKING:
    from reverie.network import Network
    from reverie.zoo.weights import State

CAFFE_MEAN = (123.0, 117.0, 104.0)
"""RGB mean of ImageNet in 0..255, as the Caffe models subtract it; the files themselves do not say."""


@dataclass(frozen=True)
class Entry:
    """Where a network comes from: a module of this package and its builder, and a line for people."""

    module: str
    build: str
    about: str
    bundled: str = ""  # weights beside the module, if any


__all__ = [
    "BUILT_IN",
    "NETWORKS",
    "Entry",
    "advice",
    "architecture",
    "automatic",
    "built_in_knows",
    "consent",
    "entry",
    "fetched",
    "foreign",
    "import_weights",
    "libraries",
    "load",
    "owner",
    "settled",
]

NETWORKS: dict[str, Entry] = {
    "motif": Entry(
        "motif",
        "motif",
        "built in: owls, eyes, feathers, roses and more, trained on rendered motifs",
        bundled="motif.safetensors",
    ),
    "efficientnet_lite0": Entry("efficientnet", "efficientnet_lite0", "EfficientNet-Lite0, 1000 ImageNet classes"),
    "efficientnet_lite1": Entry("efficientnet", "efficientnet_lite1", "EfficientNet-Lite1, 1000 ImageNet classes"),
    "efficientnet_lite2": Entry(
        "efficientnet", "efficientnet_lite2", "EfficientNet-Lite2, 1000 ImageNet classes: dogs, birds, snakes, eyes"
    ),
    "alexnet": Entry("alexnet", "alexnet", "AlexNet (2014), 1000 ImageNet classes"),
    "vgg16": Entry("vgg", "vgg16", "VGG 16, 1000 ImageNet classes"),
    "vgg19": Entry("vgg", "vgg19", "VGG 19, 1000 ImageNet classes"),
    "googlenet": Entry("googlenet", "googlenet", "GoogLeNet with batch norm, 1000 ImageNet classes"),
    "googlenet-bvlc": Entry(
        "googlenet", "googlenet_bvlc", "Caffe's GoogLeNet, the network of the first deep dreams, 1000 ImageNet classes"
    ),
    "inception_v1": Entry(
        "inception_v1", "inception_v1", "TensorFlow's GoogLeNet of 2015 ('inception5h'), 1008 classes"
    ),
    "inception_v3": Entry("inception_v3", "inception_v3", "Inception v3, 1000 ImageNet classes"),
    "resnet18": Entry("resnet", "resnet18", "ResNet 18, 1000 ImageNet classes"),
    "resnet50": Entry("resnet", "resnet50", "ResNet 50, 1000 ImageNet classes"),
    "squeezenet1_0": Entry("squeezenet", "squeezenet1_0", "SqueezeNet 1.0, 1000 ImageNet classes"),
    "squeezenet1_1": Entry("squeezenet", "squeezenet1_1", "SqueezeNet 1.1, 1000 ImageNet classes"),
}


def entry(name: str) -> Entry:
    """The table's line for a network, or for one with other weights after an ``@``, or for a foreign one.

    Raises :class:`UnknownName` with the nearest good names.
    """
    name = settled(name)
    if (found := foreign(name)) is not None:
        return Entry("adopt", "", f"a network of {found.kind}")
    network, mark, _ = name.partition("@")
    if network not in NETWORKS or (mark and name not in entries()):
        known = [AUTO, *NETWORKS, *(each for each in entries() if each.partition("@")[0] in NETWORKS), *EXAMPLES]
        raise UnknownName("network", name, known, "'reverie networks'")
    return NETWORKS[network]


def libraries(name: str) -> tuple[str, ...]:
    """The optional libraries whose version decides what a foreign network computes."""
    found = foreign(name)
    return (found.package,) if found is not None and found.package else ()


def architecture(name: str) -> Network:
    """The network with random weights: enough to list its layers."""
    from reverie.zoo.weights import State

    name = settled(name)
    if (found := foreign(name)) is not None:
        from reverie.zoo.adopt.loading import load_foreign

        return load_foreign(found, None, blank=True)
    line = entry(name)
    blank = State(Path(), {}, "", head=published(name).classes if "@" in name else 0)
    return _described(name, _builder(line)(blank if blank.head else None), blank)


def load(name: str, weights: Path | str | None = None, *, offline: bool = False) -> Network:
    """The network with its built-in weights, those of a file, or its published ones.

    The published ones are fetched into the cache at their first use, unless ``offline`` (or
    REVERIE_OFFLINE) forbids it; those of an installed package are converted into it. Raises
    :class:`UnknownName`, :class:`InputError` for a file that does not fit, and :class:`MissingError` where no
    weights are to be had. A foreign network may run code: see :func:`consent`.
    """
    from reverie.zoo.weights import read_weights

    name = owner(Path(weights)) if name == AUTO and weights is not None else settled(name)
    if (found := foreign(name)) is not None:
        from reverie.zoo.adopt.loading import load_foreign

        return load_foreign(found, Path(weights) if weights is not None else None, offline=offline)

    line = entry(name)
    if weights is not None or line.bundled:
        state = read_weights(Path(weights) if weights is not None else Path(__file__).parent / line.bundled)
        return _network(name, state)
    try:
        path = fetched(name, offline=offline)
    except OutputError:
        if not published(name).package:
            raise
        # A cache that cannot be written must not stop a network whose file is on the disk anyway.
        return _network(name, read_weights(packaged_file(published(name))))
    known = receipt(name)
    damaged = InputError(
        f"The weights of {name} in the cache are damaged; 'reverie weights fetch {name}' brings them again."
    )
    try:
        state = read_weights(path)
    except InputError:
        raise damaged from None
    if known is None or state.sha256 != known.sha256:
        raise damaged
    # A Record names the file as published: our converted copy is nobody's business.
    return replace(_network(name, state), sha256=known.source)


def owner(weights: Path) -> str:
    """The network among those of ``auto`` that the weights in a file belong to; :class:`InputError` for none."""
    for name in PREFERRED:
        try:
            return load(name, weights).name
        except InputError:
            continue
    return load(BUILT_IN, weights).name


def built_in_knows(word: str, network: str) -> bool:
    """Whether ``word`` is a layer or a class of the built-in network, while another ``network`` dreams."""
    if network == BUILT_IN:
        return False
    built_in = load(BUILT_IN)
    return built_in.layer(word) is not None or word in built_in.class_names()


def fetched(name: str, *, offline: bool = False, check: bool = False, again: bool = False) -> Path:
    """Where the published weights of that name lie in the cache, fetched unless they are there.

    ``check`` hashes what is there and replaces it when it is damaged; ``again`` replaces it in any case.
    """
    entry(published(name).network)
    return ensure(name, _converter(name), forbidden=offline, check=check, again=again)


def import_weights(name: str, file: Path) -> Receipt:
    """Convert a file that the user has into the cache, as the weights of that name."""
    entry(published(name).network)
    return adopt_file(name, file, _converter(name))


def _converter(name: str) -> Converter:
    def convert(source: Path, target: Path) -> None:
        from reverie.zoo import weights

        network, wanted = _network(name, weights.read_weights(source)), published(name)
        _check_classes(source, network, wanted)
        weights.save_weights(target, network, {"labels": wanted.labels})

    return convert


def _check_classes(path: Path, network: Network, wanted: Published) -> None:
    from reverie.zoo.weights import heads

    if (count := heads(network)) != wanted.classes:
        fits = [
            name
            for name, each in entries().items()
            if (each.network, each.classes) == (wanted.network, count)
        ]
        remedy = f"; they may be those of {fits[0]}" if fits else ""
        raise InputError(
            f"The weights in {path} tell {count} classes apart, not the {wanted.classes} of {wanted.name}{remedy}."
        )


def _builder(line: Entry) -> Callable[[State | None], Network]:
    return getattr(importlib.import_module(f"reverie.zoo.{line.module}"), line.build)  # type: ignore[no-any-return]


def _network(name: str, state: State) -> Network:
    from reverie.zoo import caffemodel, weights
    from reverie.zoo.unwrapping import unwrapped

    build, turned = _builder(entry(name)), False
    if state.caffe:
        import torch

        with torch.device("meta"):  # its names alone are wanted
            blank = build(None)
        tensors, turned = caffemodel.rename_caffe_tensors(state.tensors, blank)
        state = replace(state, tensors=tensors)
    elif not state.head:
        state = unwrapped(state, lambda: build(None))
    network = weights.filled(build(state), state)
    if turned:
        # Pixels 0..255 less Caffe's mean pixel, undivided.
        network = replace(network, mean=_caffe(CAFFE_MEAN), std=_caffe((1.0, 1.0, 1.0)))
    return replace(_described(name, network, state), sha256=state.sha256, notes=(state.note,) if state.note else ())


def _described(name: str, network: Network, state: State) -> Network:
    """``network`` with what the table, or its file if that is ours, says of normalization and labels."""
    from reverie.zoo import weights

    about, entry_ = weights.about(state), entries().get(name)
    mean, std, labels = about.get("mean"), about.get("std"), about.get("labels", "")
    if "@" in name and entry_ is not None:
        _check_classes(state.path, network, entry_)
        labels = entry_.labels
    if mean is None and entry_ is not None and entry_.mean is not None:
        mean, std = _caffe(entry_.mean), _caffe((1.0, 1.0, 1.0))
    if mean is not None and std is not None:
        network = replace(network, mean=tuple(mean), std=tuple(std))
    count = weights.heads(network)
    if labels.startswith("places") and SIZES[labels] == count:
        network = replace(network, labels=label_places(labels))
    elif len(network.labels) == count:
        network = replace(network, synsets=synsets(count))
    return replace(network, name=name)


def _caffe(values: tuple[float, float, float]) -> tuple[float, float, float]:
    red, green, blue = values
    return red / 255, green / 255, blue / 255
