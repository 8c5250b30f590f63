"""The course of a film: the plan and the settings of every moment, keyframes and crossfades in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from reverie.ascent.optimizer import Optimizer
from reverie.ascent.rules import Within
from reverie.errors import UsageError
from reverie.film.making.keyframes import curves, is_whole_number, term_label
from reverie.film.making.moving_guide import Projector
from reverie.film.reading.clip import Clip
from reverie.film.settings import Video, Zoom, legs
from reverie.jobs.job import Job
from reverie.loop.plan import Octave, Plan, revised
from reverie.recipe.grammar import files, parse_objective
from reverie.recipe.schedule import objectives

_STRIDE = 0x9E3779B97F4A7C15  # odd, so every frame of a film draws from a seed of its own
FAINT = 1e-9  # a weight of 0, in the language of objectives


@dataclass(frozen=True, eq=False)
class Moment:
    """What holds at one frame: its plan, whole or for a frame that a dream was carried into, and its settings."""

    whole: Plan
    further: Plan
    settings: Any


class Course:
    """All that changes over a film, resolved before its first frame; :class:`UsageError` for what cannot be.

    ``guides`` are those among the recipe's that are videos, by path as written.
    """

    def __init__(self, job: Job, settings: Zoom | Video, guides: Mapping[str, Clip] | None = None) -> None:
        self._plan, self._recipe, self._settings = job.plan, job.record.recipe, settings
        self._revised = self._recipe, self._plan, self._plan
        self._guides = {file: Projector(clip) for file, clip in (guides or {}).items()}
        self._shown, self._at = dict[str, Tensor](), self._plan
        network = job.plan.network.objective
        self._text = self._recipe.objective or ("" if self._recipe.guide else network)
        self._legs: list[tuple[str, Fraction]] = []
        self._fade = Fraction(0)
        if isinstance(settings, Zoom):
            self._fade = Fraction(settings.fade)
            self._legs = [legs(each, Fraction(settings.fps)) for each in settings.through]
        texts = [each for each, _ in self._legs] or [self._text]
        targets = [target for each in texts for part in objectives(each) if part for target in parse_objective(part)]
        self._curves = curves(settings, self._recipe, targets)
        self._names = {term_label(target) for target in targets}
        known = {file for _, file in self._recipe.files()}
        if strange := [file for _, file in files(targets) if file not in known]:
            raise UsageError(
                f"[[through]] names the file {strange[0]!r}; a file is known from [[objective]] or [[guide]]."
            )
        for each in texts:
            # A misspelt name must not wait for its turn.
            revised(job.plan, self._recipe.model_copy(update={"objective": each}))

    def at(self, time: Fraction, number: int) -> Moment:
        """What holds at ``time`` seconds, at frame ``number``."""
        values, settings = self._values(float(time)), self.settings(float(time))
        own = {name: value for name, value in values.items() if name not in settings.moving}
        recipe = self._recipe.model_copy(update=_rounded(self._recipe, own))
        if self._legs or self._names & values.keys():
            recipe = recipe.model_copy(update={"objective": self._objective(time, values)})
        plan = self._guided(time)
        if recipe != self._revised[0] or plan is not self._revised[1]:
            same = plan is self._plan and recipe == self._recipe
            self._revised = recipe, plan, plan if same else revised(plan, recipe)
        plan = self._revised[2]
        plan = replace(plan, seed=(plan.seed + number * _STRIDE) % 2**63)
        further = tuple(_paced(each, settings.frame_steps) for each in plan.octaves)
        return Moment(plan, replace(plan, octaves=further), settings)

    def settings(self, time: float) -> Any:
        """The film's settings as they are at ``time`` seconds."""
        values = self._values(time)
        own = {name: value for name, value in values.items() if name in self._settings.moving}
        return self._settings.model_copy(update=_rounded(self._settings, own))

    def _guided(self, time: Fraction) -> Plan:
        """The plan with the guides as they are at ``time``; the same one as long as they are."""
        shown = {file: guide.at(time) for file, guide in self._guides.items()}
        if any(image is not self._shown.get(file) for file, image in shown.items()):
            pictures = {file: [image] for file, image in shown.items()}
            self._shown, self._at = shown, replace(self._plan, assets=self._plan.assets.showing(pictures))
        return self._at

    def _values(self, time: float) -> dict[str, float]:
        return {name: curve.at(time) for name, curve in self._curves.items()}

    def _objective(self, time: Fraction, values: dict[str, float]) -> str:
        if not self._legs:
            return ";".join(_weighed(part, values) for part in objectives(self._text))
        at, following, share = self.place(time)
        objective = self._legs[at][0]
        if not share:
            return _weighed(objective, values)
        return f"{_weighed(objective, values, 1 - share)} {_weighed(self._legs[following][0], values, share)}"

    def starts(self) -> list[Fraction]:
        """When each of the objectives that follow one another begins, in seconds; 0 alone where one stays."""
        found = [Fraction(0)]
        for _, length in self._legs[:-1]:
            found.append(found[-1] + length)
        return found

    def place(self, time: Fraction) -> tuple[int, int, float]:
        """The number of the objective at ``time``, of the one that follows, and how far that has come, 0 to below 1."""
        if not self._legs:
            return 0, 0, 0.0
        time %= sum((length for _, length in self._legs), Fraction(0))
        at = 0
        while time >= self._legs[at][1]:
            time -= self._legs[at][1]
            at += 1
        length = self._legs[at][1]
        fade = min(self._fade, length)
        left = length - time
        share = float(1 - left / fade) if fade and left < fade else 0.0
        return at, (at + 1) % len(self._legs), share


def _paced(octave: Octave, steps: int) -> Octave:
    """``octave`` with so many steps; with more than its own, what changes from step to step lasts for all of them."""
    if steps <= octave.steps:
        return replace(octave, steps=steps)
    crops = octave.crops + octave.crops[-1:] * (steps - octave.steps)
    return replace(octave, steps=steps, crops=crops, rule=_lasting(octave.rule, steps))


def _lasting(rule: Any, steps: int) -> Any:
    """``rule`` over so many steps: beyond its own the rate of one that cools down would fall below 0."""
    if isinstance(rule, Within):
        return replace(rule, rule=_lasting(rule.rule, steps))
    if isinstance(rule, Optimizer) and rule.ascent is not None:
        rule = replace(rule, ascent=replace(rule.ascent, steps=steps))
    return replace(rule, steps=steps)


def _weighed(text: str, values: dict[str, float], share: float = 1.0) -> str:
    """The objective ``text`` with its weights as ``values`` say, all times ``share``."""
    weights = [(target, share * values.get(term_label(target), target.weight)) for target in parse_objective(text)]
    return " ".join(replace(target, weight=weight or FAINT).text() for target, weight in weights)


def _rounded(model: Any, values: dict[str, float]) -> dict[str, float | int]:
    """``values`` of the fields of ``model``, whole where those are."""
    own = {name: value for name, value in values.items() if name in type(model).model_fields}
    return {name: round(value) if is_whole_number(type(model), name) else value for name, value in own.items()}
