"""The functions and words of the objective language, a row each. Torch-free: what computes is imported when asked for.

A row here is all that the language needs of an objective; :func:`register_objective` adds one from outside.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reverie.errors import UsageError

Subject = Literal["layer", "channel", "class", "image"]
_WORD = re.compile(r"[A-Za-z_]\w*")
_COMMON = "reverie.objective."


@dataclass(frozen=True)
class Function:
    """One function: ``top(stage3, 5)``, or one word: ``tv``.

    ``of`` says what it is about: a ``layer``, one ``channel`` of a layer, a ``class`` (several joined by |), or the
    ``image`` itself; that is a word without brackets. ``factory`` makes the objective. It is called with the path of
    the layer and, of a channel its number and place, of classes their numbers; then the ``numbers``, at least and at
    most so many. With ``picture`` the first argument is a file, of which the factory gets the mean activation [C] at
    the layer. ``counts`` says that the first number is a whole one from 1. ``factory`` is a function, or
    ``"module:function"`` under ``reverie.objective``.
    """

    factory: str | Callable[..., Any]
    example: str
    of: Subject = "layer"
    numbers: tuple[int, int] = (0, 0)
    picture: bool = False
    counts: bool = False
    ours: bool = True

    def make(self, *arguments: Any, **named: Any) -> Any:
        """The objective; :class:`UsageError` where a factory from outside gives something else."""
        factory = self.factory
        if isinstance(factory, str):
            module, _, name = factory.partition(":")
            factory = getattr(importlib.import_module(_COMMON + module), name)
        made = factory(*arguments, **named)
        if not hasattr(made, "terms"):
            raise UsageError(
                f"{self.example} must make an Objective, but its factory gave {type(made).__name__}; "
                "reverie.objective has what it needs."
            )
        return made

    def fits(self, numbers: Sequence[float], words: Sequence[str]) -> bool:
        """Whether a call has the right arguments."""
        least, most = self.numbers
        counted = not self.counts or (numbers[:1] != [] and numbers[0] >= 1 and numbers[0] == int(numbers[0]))
        return least <= len(numbers) <= most and len(words) == self.picture and counted


FUNCTIONS: dict[str, Function] = {
    "mean": Function("layers:mean", "mean(stage3)"),
    "meansquare": Function("layers:mean_square", "meansquare(stage3)"),
    "sumsquare": Function("layers:sum_square", "sumsquare(stage3)"),
    "norm": Function("layers:norm", "norm(stage3)"),
    "top": Function("layers:top", "top(stage3, 5)", numbers=(1, 1), counts=True),
    "bottom": Function("layers:bottom", "bottom(stage3, 5)", numbers=(1, 1), counts=True),
    "neuron": Function("layers:neuron", "neuron(stage3:42)", of="channel"),
    "direction": Function("guide:direction", "direction(stage3, flowers.jpg)", numbers=(0, 1), picture=True),
    "caricature": Function("guide:caricature", "caricature(stage3)", numbers=(0, 1)),
    "diversity": Function("batch:diversity", "diversity(stage3)"),
    "logit": Function("classes:logit", "logit(owl)", of="class"),
    "logprob": Function("classes:log_probability", "logprob(owl)", of="class"),
    "tv": Function("penalty:tv", "tv", of="image"),
    "l1": Function("penalty:l1", "l1", of="image"),
    "l2": Function("penalty:l2", "l2", of="image"),
    "blur": Function("penalty:blur", "blur", of="image"),
    "energy": Function("penalty:energy", "energy", of="image"),
    "distance": Function("penalty:distance", "distance", of="image"),
}


def register_objective(
    name: str,
    factory: Callable[..., Any],
    *,
    of: Subject = "image",
    numbers: tuple[int, int] = (0, 0),
    example: str = "",
) -> None:
    """Make ``name`` a word of the objective language in this process: ``dream(objective="owl - 0.5*name")``.

    ``factory`` gives a :class:`reverie.Objective`. About the ``image`` it takes nothing; about a ``layer`` the path of
    the layer, as in ``name(stage3)``; about a ``channel`` also its number and place (y, x as fractions); about a
    ``class`` the path of the logits and the numbers of the classes; then at least and at most so many ``numbers``. A
    word may be registered again. Its pictures can be replayed where it is registered. Raises :class:`UsageError` for
    one of Reverie's own words, or what is no word.
    """
    if not _WORD.fullmatch(name):
        raise UsageError(f"{name!r} is no word for an objective; take letters, digits and _.")
    if name in FUNCTIONS and FUNCTIONS[name].ours:
        raise UsageError(f"{name} is a word of Reverie's own; take another.")
    if not callable(factory):
        raise UsageError(f"The factory of {name} must be a function that gives an Objective, not {factory!r}.")
    subject = {"image": "", "layer": "(stage3)", "channel": "(stage3:42)", "class": "(owl)"}
    if of not in subject:
        raise UsageError(f"of must be image, layer, channel or class, not {of!r}.")
    FUNCTIONS[name] = Function(factory, example or name + subject[of], of, numbers, ours=False)
