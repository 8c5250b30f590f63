"""Views for the curious: what a step pulls at, how scores rise, what a network says. The only file with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reverie.errors import MissingError
from reverie.loop.render import Frame

BINS = 50
_PAPER, _INK, _LINES = (
    "#0e0e10",
    "#d6d2ca",
    ("#e8a33d", "#5fb0c9", "#c76b98", "#8fbf6a", "#b39ddb", "#e57373"),
)


@dataclass(frozen=True)
class Point:
    """The score of every term at one step: ``terms`` unweighted, ``score`` their weighted sum."""

    octave: int
    step: int
    score: float
    terms: tuple[float, ...] = ()


def point(frame: Frame) -> Point:
    """What a frame tells of the scores, the mean over its batch."""
    terms = tuple(frame.terms.mean(1).tolist())
    return Point(frame.octave, frame.step, frame.score.mean().item(), terms)


def step(frame: Frame) -> Tensor:
    """A frame's picture, its gradient stretched to 0..1 beside it, and that one's histogram: [1, 3, H, W] in 0..1.

    The gradient of a spectrum has no picture; its histogram stands alone. Raises :class:`ValueError` for a frame
    that carries no gradient.
    """
    if frame.gradient is None:
        raise ValueError("The frame carries no gradient; ask render for gradients=True.")
    gradient, image = frame.gradient[:1].float().cpu(), frame.image[:1].detach().float().cpu()
    pixels = gradient.ndim == 4 and gradient.shape[1] == 3
    figure, axes = _figure(3 if pixels else 2, title=f"octave {frame.octave + 1}, step {frame.step + 1}")
    _picture(axes[0], image.clamp(0, 1), "picture")
    if pixels:
        low, high = gradient.min(), gradient.max()
        _picture(axes[1], (gradient - low) / (high - low).clamp_min(1e-12), "gradient, min to max")
    axes[-1].hist(gradient.flatten().numpy(), bins=BINS, color=_LINES[0], log=True)
    axes[-1].set_title(f"gradient, {BINS} bins")
    return _drawn(figure)


def plot_curves(points: Sequence[Point], names: Sequence[str] = ()) -> Tensor:
    """How the score rose, octave by octave, and each term beside it: [1, 3, H, W] in 0..1.

    ``names`` are those of the terms. Scores of octaves of different size are not comparable; a line ends with each.
    """
    count = min((len(each.terms) for each in points), default=0)
    shown = count if count > 1 else 0
    figure, axes = _figure(1 + shown, title="scores before each step")
    for at, axis in enumerate(axes):
        for octave in sorted({each.octave for each in points}):
            own = [(x, each) for x, each in enumerate(points) if each.octave == octave]
            values = [each.score if at == 0 else each.terms[at - 1] for _, each in own]
            label = f"octave {octave + 1}"
            axis.plot([x for x, _ in own], values, ".-", color=_LINES[octave % len(_LINES)], label=label)
        term = names[at - 1] if 0 < at <= len(names) else f"term {at}"
        axis.set_title("objective" if at == 0 else term, fontsize=9)
        axis.set_xlabel("step")
    axes[0].legend(facecolor=_PAPER, edgecolor=_INK, labelcolor=_INK, fontsize=7)
    return _drawn(figure)


def plot_classes(columns: Sequence[tuple[str, Tensor, Sequence[tuple[str, float]]]]) -> Tensor:
    """Pictures side by side over what a network takes them for: [1, 3, H, W] in 0..1.

    Each column is a title, a picture [1, 3, H, W] in 0..1, and classes with their probabilities, best first.
    """
    figure, axes = _figure(len(columns), rows=2)
    for at, (title, picture, found) in enumerate(columns):
        _picture(axes[at], picture.float().clamp(0, 1), title)
        axis, labels = axes[len(columns) + at], [name.split(",")[0] for name, _ in found]
        bars = axis.barh(range(len(found)), [share for _, share in found], color=_LINES[1])
        axis.bar_label(bars, [f" {share:.1%}" for _, share in found], color=_INK, fontsize=8)
        axis.set_yticks(range(len(found)), labels)
        axis.set_xlim(0, 1.2 * max((share for _, share in found), default=1.0))
        axis.invert_yaxis()
    return _drawn(figure)


def _figure(columns: int, rows: int = 1, title: str = "") -> tuple[Any, list[Any]]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError('Views are drawn with matplotlib; pip install "reverie[plot]".') from None
    figure = Figure(figsize=(4.4 * columns, 3.4 * rows), dpi=100, facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(np.ravel(figure.subplots(rows, columns)))
    for axis in axes:
        axis.set_facecolor(_PAPER)
        axis.tick_params(colors=_INK, labelsize=8)
        axis.title.set_color(_INK)
        axis.title.set_fontsize(10)
        axis.xaxis.label.set_color(_INK)
        for spine in axis.spines.values():
            spine.set_color("#444444")
    if title:
        figure.suptitle(title, color=_INK, fontsize=11)
    return figure, axes


def _picture(axis: Any, image: Tensor, title: str) -> None:
    axis.imshow(image[0].permute(1, 2, 0).numpy())
    axis.set_title(title)
    axis.set_axis_off()


def _drawn(figure: Any) -> Tensor:
    figure.canvas.draw()
    array = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    return torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
