"""The atlas: contact sheets of what a network dreams, which channels feed a class, what a picture excites."""

from __future__ import annotations

from reverie.atlas.attribution import EXAMPLES, Feed, Feeding, direct, examples, feeder, feeding, matching, reach
from reverie.atlas.baseline import ChannelSurvey, references, survey
from reverie.atlas.heatmap import energy, heated, ramp
from reverie.atlas.inspection import Excitement, Guess, Inspection, Unit, guessed, inspect
from reverie.atlas.layer_selection import before_relu, called, distinct, worthwhile
from reverie.atlas.sheets import Dream, dreams, sheet, sheet_size

__all__ = [
    "EXAMPLES",
    "ChannelSurvey",
    "Dream",
    "Excitement",
    "Feed",
    "Feeding",
    "Guess",
    "Inspection",
    "Unit",
    "before_relu",
    "called",
    "direct",
    "distinct",
    "dreams",
    "energy",
    "examples",
    "feeder",
    "feeding",
    "guessed",
    "heated",
    "inspect",
    "matching",
    "ramp",
    "reach",
    "references",
    "sheet",
    "sheet_size",
    "survey",
    "worthwhile",
]
