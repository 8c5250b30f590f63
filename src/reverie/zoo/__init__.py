"""The networks by name. A table of lazy entries: nothing is built or read until it is asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reverie.errors import MissingError, UnknownName

if TYPE_CHECKING:
    from reverie.network import Network


@dataclass(frozen=True)
class Entry:
    """Where a network comes from: a module of this package and its builder, and a line for people."""

    module: str
    build: str
    about: str
    bundled: str = ""  # weights beside the module, if any
    official: str = ""  # the name of the published file that fits


NETWORKS: dict[str, Entry] = {
    "motif": Entry(
        "motif",
        "motif",
        "built in: owls, eyes, feathers, roses and more, trained on rendered motifs",
        bundled="motif.safetensors",
    ),
    "squeezenet1_0": Entry(
        "squeezenet",
        "squeezenet1_0",
        "SqueezeNet 1.0, 1000 ImageNet classes",
        official="squeezenet1_0-b66bff10.pth",
    ),
    "squeezenet1_1": Entry(
        "squeezenet",
        "squeezenet1_1",
        "SqueezeNet 1.1, 1000 ImageNet classes",
        official="squeezenet1_1-b8a52dc0.pth",
    ),
}


def entry(name: str) -> Entry:
    """The table's line; :class:`UnknownName` with the nearest good names."""
    if name not in NETWORKS:
        raise UnknownName("network", name, NETWORKS, "'reverie networks'")
    return NETWORKS[name]


def architecture(name: str) -> Network:
    """The network with random weights: enough to list its layers."""
    return _build(name, None)


def load(name: str, weights: Path | str | None = None) -> Network:
    """The network with its built-in weights, or with those of a file.

    Raises :class:`UnknownName`, :class:`InputError` for a file that does not fit, and
    :class:`MissingError` where no weights are at hand.
    """
    line = entry(name)
    file = Path(weights) if weights is not None else Path(__file__).parent / line.bundled
    if weights is None and not line.bundled:
        raise MissingError(
            f"The network {name} has no weights here; give a file with --weights FILE "
            f"(PyTorch's {line.official} fits)."
        )
    return _build(name, file)


def _build(name: str, file: Path | None) -> Network:
    from reverie.zoo import weights

    line = entry(name)
    build = getattr(importlib.import_module(f"reverie.zoo.{line.module}"), line.build)
    if file is None:
        return build(None)  # type: ignore[no-any-return]
    state = weights.read(file)
    return replace(weights.filled(build(state), state), sha256=state.sha256)
