"""Groups of classes for ``group:dogs``: ImageNet's in ``groups.toml``, and the user's own. Torch-free.

A group of ImageNet's is a set of WordNet ids, so it means the same classes in every network that knows them, whatever
their order there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from reverie.errors import UsageError
from reverie.recipe.grammar import GROUP, parse_objective

_NAME = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True)
class Group:
    """ImageNet classes that belong together: ``spans`` of WordNet ids, first and last included."""

    name: str
    about: str
    spans: tuple[tuple[str, str], ...]

    def holds(self, synset: str) -> bool:
        """Whether the class of that WordNet id ("" for a class without one) is in the group."""
        return any(first <= synset <= last for first, last in self.spans)


@cache
def class_groups() -> dict[str, Group]:
    """Every group of ImageNet's classes by name."""
    text = resources.files("reverie.recipe").joinpath("groups.toml").read_text("utf-8")
    return {
        name: Group(name, values["about"], tuple(_span(each) for each in values["classes"]))
        for name, values in tomllib.loads(text).items()
    }


def _span(text: str) -> tuple[str, str]:
    first, _, last = text.partition("..")
    return first, last or first


def parse_groups(texts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The classes of each group that a recipe defines, by its name, out of ``("pets=tabby|beagle", ...)``.

    A class may be a ``group:NAME`` again. Raises :class:`UsageError` for a text that is no group.

    >>> parse_groups(["pets=tabby|beagle|group:birds"])
    {'pets': ('tabby', 'beagle', 'group:birds')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, mark, classes = text.partition("=")
        if not mark or not _NAME.fullmatch(name.strip()):
            raise UsageError(f"The group {text!r} cannot be read; write NAME=CLASS|CLASS, as in 'pets=tabby|beagle'.")
        found[name.strip()] = _classes(name.strip(), classes)
    return found


def _classes(name: str, text: str) -> tuple[str, ...]:
    wrong = UsageError(f"The group {name!r} must be classes joined by '|', as in 'pets=tabby|beagle', not {text!r}.")
    try:
        targets = parse_objective(text)
    except UsageError:
        raise wrong from None
    target = targets[0]
    plain = target.kind in ("", "class") and target.channel is None and target.last is None
    if len(targets) > 1 or target.weight != 1 or target.function or target.mask or not plain:
        raise wrong
    return (target.name, *target.others)


def group_texts(groups: Mapping[str, object]) -> tuple[str, ...]:
    """The texts that :func:`parse_groups` reads, out of a mapping of names to classes (a text, or a list of names)."""
    found = []
    for name, classes in groups.items():
        several = classes if isinstance(classes, list | tuple) else [classes]
        if not all(isinstance(each, str) for each in several):
            raise ValueError(f"must name classes as text, not {classes!r}")
        parts = [str(each) if isinstance(classes, str) else _quoted(str(each)) for each in several]
        found.append(f"{name}={'|'.join(parts)}")
    return tuple(found)


def _quoted(name: str) -> str:
    if name.startswith(f"{GROUP}:"):
        return name
    return '"' + name.replace('"', '""') + '"'
