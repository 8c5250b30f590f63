"""The course of a film: the plan and the settings of every moment, keyframes and crossfades in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from reverie import schedule
from reverie.api import Job
from reverie.expression import Target, parse
from reverie.film.keyframes import called, curves
from reverie.film.settings import Video, Zoom, legs
from reverie.objective import Objective
from reverie.plan import Plan, revised
from reverie.recipe import Recipe
from reverie.targets import guidance, resolve

_STRIDE = 0x9E3779B97F4A7C15  # odd, so every frame of a film draws from a seed of its own


@dataclass(frozen=True, eq=False)
class Moment:
    """What holds at one frame: its plan, whole or for a frame that a dream was carried into, and its settings."""

    whole: Plan
    further: Plan
    settings: Any


class Course:
    """All that changes over a film, resolved before its first frame; :class:`UsageError` for what cannot be.

    A guide that is itself a film would be one more thing that :meth:`at` looks up.
    """

    def __init__(self, job: Job, settings: Zoom | Video) -> None:
        self._plan, self._recipe, self._settings = job.plan, job.record.recipe, settings
        text = self._recipe.objective or job.plan.network.objective
        self._legs: list[tuple[str, Fraction]] = []
        self._fade = Fraction(0)
        if isinstance(settings, Zoom):
            self._fade = Fraction(settings.fade)
            self._legs = [legs(each, Fraction(settings.fps)) for each in settings.through]
        texts = tuple(each for each, _ in self._legs) or schedule.objectives(text)
        self._curves = curves(settings, self._recipe, texts)
        self._names = {called(target) for each in texts for target in parse(each)}
        for each in texts:
            resolve(
                job.plan.network, each, assets=job.plan.assets
            )  # a misspelt name must not wait for its turn

    def at(self, time: Fraction, number: int) -> Moment:
        """What holds at ``time`` seconds, at frame ``number``."""
        values, settings = self._values(float(time)), self.settings(float(time))
        recipe = self._recipe.model_copy(update=_rounded(self._recipe, values))
        plan = self._plan if recipe == self._recipe else revised(self._plan, recipe)
        if self._legs or self._names & values.keys():
            guides = guidance(plan.network, recipe, plan.assets)
            plan = plan.dreaming(Objective(guides + self._objective(time, values, recipe).terms))
        plan = replace(plan, seed=(plan.seed + number * _STRIDE) % 2**63)
        fewer = tuple(replace(each, steps=settings.frame_steps) for each in plan.octaves)
        return Moment(plan, replace(plan, octaves=fewer), settings)

    def settings(self, time: float) -> Any:
        """The film's settings as they are at ``time`` seconds."""
        values = self._values(time)
        return (
            self._settings.model_copy(update=_rounded(self._settings, values)) if values else self._settings
        )

    def _values(self, time: float) -> dict[str, float]:
        return {name: curve.at(time) for name, curve in self._curves.items()}

    def _objective(self, time: Fraction, values: dict[str, float], recipe: Recipe) -> Objective:
        if not self._legs:
            return self._weighed(recipe.objective or self._plan.network.objective, values, recipe.focus)
        objective, following, share = self._leg(time)
        made = self._weighed(objective, values, recipe.focus)
        return (
            made if not share else (1 - share) * made + share * self._weighed(following, values, recipe.focus)
        )

    def _leg(self, time: Fraction) -> tuple[str, str, float]:
        """The objective at ``time``, the one that follows, and how far that has come, 0 to below 1."""
        time %= sum((length for _, length in self._legs), Fraction(0))
        at = 0
        while time >= self._legs[at][1]:
            time -= self._legs[at][1]
            at += 1
        objective, length = self._legs[at]
        fade = min(self._fade, length)
        left = length - time
        share = float(1 - left / fade) if fade and left < fade else 0.0
        return objective, self._legs[(at + 1) % len(self._legs)][0], share

    def _weighed(self, text: str, values: dict[str, float], focus: float) -> Objective:
        terms = tuple(
            term
            for target in parse(text)
            for term in (
                values.get(called(target), target.weight)
                * resolve(self._plan.network, _spelled(target), focus, self._plan.assets)
            ).terms
        )
        return Objective(terms)


def _spelled(target: Target) -> str:
    """A term in the language of objectives, with weight 1."""
    return replace(target, weight=1.0).text()


def _rounded(model: Any, values: dict[str, float]) -> dict[str, float | int]:
    own = {name: value for name, value in values.items() if name in type(model).model_fields}
    return {
        name: round(value) if isinstance(getattr(model, name), int) else value for name, value in own.items()
    }
