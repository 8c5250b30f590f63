"""The published weights: what ``weights.toml`` says of each, as plain data. Torch-free."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from reverie.errors import UnknownName

SIZES = {"imagenet": 1000, "inception5h": 1008, "places365": 365, "places205": 205}
"""How many classes each list of labels has."""


@dataclass(frozen=True)
class Published:
    """One file of weights as its publisher describes it; empty where nothing is published or known.

    ``name`` is the network's, with another data set after an ``@``; ``megabytes`` are 2^20 bytes;
    ``sha256`` may be a prefix; ``mean`` is RGB in 0..255 for pixels that are not divided by anything.
    Weights come from ``addresses``, or from the file ``inside`` an installed Python ``package`` of ``version``.
    """

    name: str
    file: str
    credit: str
    labels: str
    addresses: tuple[str, ...] = ()
    package: str = ""
    version: str = ""
    inside: str = ""
    license: str = ""
    megabytes: float = 0.0
    sha256: str = ""
    sha1: str = ""
    mean: tuple[float, float, float] | None = None
    note: str = ""

    @property
    def network(self) -> str:
        """The architecture's name: what stands before the ``@``."""
        return self.name.partition("@")[0]

    @property
    def classes(self) -> int:
        """How many classes the weights tell apart."""
        return SIZES[self.labels]

    @property
    def hash(self) -> str:
        """The published hash in words; says so when there is none."""
        if len(self.sha256) == 64:
            return f"sha256 {self.sha256}"
        if self.sha256:
            return f"sha256 begins with {self.sha256}"
        return f"sha1 {self.sha1}" if self.sha1 else "not published"


@cache
def entries() -> dict[str, Published]:
    """Every entry of the table by name."""
    text = resources.files("reverie.zoo").joinpath("weights.toml").read_text("utf-8")
    return {name: _entry(name, values) for name, values in tomllib.loads(text).items()}


def _entry(name: str, values: dict[str, Any]) -> Published:
    frozen: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return Published(name, **frozen)


def published(name: str) -> Published:
    """The entry of that name; :class:`UnknownName` with the nearest good ones."""
    if name not in entries():
        raise UnknownName("set of weights", name, entries(), "'reverie weights list'")
    return entries()[name]


@cache
def label_places(name: str) -> tuple[str, ...]:
    """The scene names of ``places365`` or ``places205``, in the order of the logits."""
    return tuple(_lines(f"{name}.txt"))


@cache
def synsets(count: int) -> tuple[str, ...]:
    """The WordNet ids of the 1000 ImageNet classes, or of inception5h's 1008 ("" for its unused ones),
    in the order of the logits; none for another count."""
    ids = _lines("imagenet-synsets.txt")
    if count == SIZES["inception5h"]:
        order = [ids[int(each)] for line in _lines("ilsvrc2012.txt") for each in line.split()]
        return ("", *order, *[""] * 7)
    return tuple(ids) if count == len(ids) else ()


def _lines(name: str) -> list[str]:
    return resources.files("reverie.zoo").joinpath(name).read_text("utf-8").splitlines()
