"""Objectives: everything that says what a picture should have more of. One import for users."""

from reverie.objective.batch import diversity, interpolation
from reverie.objective.classes import log_probability, logit
from reverie.objective.guide import caricature, direction, match
from reverie.objective.layers import bottom, channel, favorites, layer, mean, mean_square, neuron, norm, sum_square, top
from reverie.objective.penalty import blur, distance, energy, l1, l2, tv
from reverie.objective.place import inside, masked
from reverie.objective.value import Objective, Score, Sight, Term, over_places, whole
from reverie.recipe.functions import register_objective

__all__ = [
    "Objective",
    "Score",
    "Sight",
    "Term",
    "blur",
    "bottom",
    "caricature",
    "channel",
    "direction",
    "distance",
    "diversity",
    "energy",
    "favorites",
    "inside",
    "interpolation",
    "l1",
    "l2",
    "layer",
    "log_probability",
    "logit",
    "masked",
    "match",
    "mean",
    "mean_square",
    "neuron",
    "norm",
    "over_places",
    "register_objective",
    "sum_square",
    "top",
    "tv",
    "whole",
]
