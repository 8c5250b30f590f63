"""The options of a dream as editors and type checkers read them: one line for each field of Recipe and Run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import Tensor

from reverie.ascent.rules import Rule
from reverie.jobs.sources import Handed, Photos, Source
from reverie.network import Network
from reverie.objective import Objective
from reverie.pixels.param import Param
from reverie.pixels.transform import Transform
from reverie.recipe import Recipe

Wanted = str | Sequence[str] | Objective | Mapping[str, float]
"""What to dream: text, one text for each octave, a value, or names with their weights."""


class CommonKeywords(TypedDict, total=False):
    """What every call takes; what each option means stands at the fields of :class:`reverie.Recipe` and Run."""

    preset: str | None
    recipe: str | Path | Recipe | Mapping[str, Any] | None
    preview: bool
    network: str | Network | None
    transform: Transform
    rule: Rule
    # Recipe
    strength: float
    motif_size: Literal["auto", "small", "medium", "large"] | float | str
    realism: float
    variation: float
    groups: str | Sequence[str] | Mapping[str, str | Sequence[str]]
    match: Literal["dot", "cosine"]
    mask: Source
    octaves: Literal["auto"] | int
    octave_scale: float
    smallest: int
    above: int
    steps: int | Sequence[int] | str
    step_size: float | Sequence[float] | str
    schedule: Literal["tapered", "even", "adaptive"]
    max_gain: float | None
    optimizer: str
    step_decay: float
    momentum: float
    headroom: float
    jitter: int
    detail: Literal["reinject", "lost", "carry"]
    blend: float
    size: int | str | None
    seed: int
    bands: int
    fine: float
    coarse: float
    spread: float
    gray: float
    fine_gray: float
    pyramid: Literal["undecimated", "decimated"]
    normalize: Literal["mean", "std", "standard", "l2", "max", "sign", "none"]
    smooth: Literal["none", "box", "gaussian", "growing", "cascade"]
    smooth_sigma: float | Sequence[float] | str
    smooth_weights: Sequence[float] | str
    smooth_kernel: int
    smooth_border: Literal["reflect", "constant", "replicate", "circular"]
    color: Literal["dream", "source", "locked"]
    inset: int
    focus: float
    certainty: float
    pad: int
    balance: Literal["terms", "raw"]
    param: Literal["pixels", "fourier", "fourier-rgb", "maco"] | Callable[[Tensor], Param]
    decay: float
    start: Literal["auto", "clouds", "faint", "natural", "uniform"]
    cooldown: float
    border: Literal["mirror", "gray"]
    rotate: float
    zoom: float
    resettle: int
    grain: float
    crop: float
    last_crop: float
    crop_size: int
    views: int
    redirect: int
    likeness: float
    contrast: float
    opacity: float
    # Run
    device: str
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    threads: int | None
    tile: Literal["auto", "none"] | int
    tile_mode: Literal["exact", "shifted"]
    memory: int | str
    weights: str | Path | None
    offline: bool
    trust: bool
    depth: Literal[8, 16] | None
    max_pixels: int


class VisualizeKeywords(CommonKeywords, total=False):
    """Those of :func:`reverie.visualize`, whose objective stands first."""

    guide: str | Handed | Sequence[str | Handed]


class GuidedKeywords(CommonKeywords, total=False):
    """Those of :func:`reverie.dream_guided`, whose guide stands second."""

    objective: Wanted


class DreamKeywords(CommonKeywords, total=False):
    """Those of :func:`reverie.dream`."""

    objective: Wanted
    guide: str | Handed | Sequence[str | Handed]


class JobKeywords(DreamKeywords, total=False):
    """Those of :func:`reverie.job`."""

    count: int
    pictures: Mapping[str, Photos] | None
