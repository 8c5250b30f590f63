"""The atlas: contact sheets of what a network dreams, which channels feed a class, what a picture excites."""

from __future__ import annotations

from reverie.atlas.attribution import EXAMPLE_COUNT, Feed, Feeding, direct, examples, feeder, feeding, matching, reach
from reverie.atlas.baseline import ChannelSurvey, references, survey_channels
from reverie.atlas.heatmap import heated, layer_energy, ramp
from reverie.atlas.inspection import Excitement, Guess, Inspection, Unit, guessed, inspect
from reverie.atlas.layer_selection import before_relu, distinct, layer_label, worthwhile
from reverie.atlas.sheets import Dream, dreams, sheet, sheet_size

__all__ = [
    "EXAMPLE_COUNT",
    "ChannelSurvey",
    "Dream",
    "Excitement",
    "Feed",
    "Feeding",
    "Guess",
    "Inspection",
    "Unit",
    "before_relu",
    "direct",
    "distinct",
    "dreams",
    "examples",
    "feeder",
    "feeding",
    "guessed",
    "heated",
    "inspect",
    "layer_energy",
    "layer_label",
    "matching",
    "ramp",
    "reach",
    "references",
    "sheet",
    "sheet_size",
    "survey_channels",
    "worthwhile",
]
