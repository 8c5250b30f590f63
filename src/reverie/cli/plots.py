"""Views beside a dream: gradients, score curves, classes before and after, heat maps, a line of quality."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from reverie.cli.output import say
from reverie.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.jobs.job import Job
    from reverie.loop.quality import Quality
    from reverie.loop.render import Frame

VIEWS = Group("View options", sort_key=3)


Plots = Annotated[
    Path | None,
    Parameter(
        group=VIEWS,
        help="An existing folder for plots: gradients with their histograms, score curves, classes before and after, "
        "heat maps.",
    ),
]
PlotsEvery = Annotated[
    int, Parameter(group=VIEWS, help="A gradient plot at every so many steps of an octave, from 1.")
]
QualityLine = Annotated[
    bool,
    Parameter(
        group=VIEWS, negative=(), help="Say what the dream did: objective gain, color drift, structure kept."
    ),
]


def check_plots(folder: Path | None, every: int) -> None:
    """Refuse a folder that is not there, or a number that cannot be, before anything is dreamt."""
    if every < 1:
        raise UsageError(f"--plots-every must be 1 or more, not {every}.")
    if folder is not None and not os.path.isdir(folder):
        raise OutputError(f"--plots {folder} is no existing folder; make it first.")


def is_plot(path: Path) -> bool:
    """Whether ``path`` is a view that Reverie drew, which says so itself; nothing else is drawn over unasked."""
    from reverie import files

    try:
        return os.path.isfile(path) and "view" in json.loads(files.read_text(path) or "{}")
    except (InputError, ValueError, TypeError):
        return False


class Viewer:
    """A listener on the frames of one job, which writes views as ``STEM-...png`` while it goes."""

    def __init__(self, job: Job, stem: str, folder: Path | None, every: int, says_quality: bool) -> None:
        self._job, self._stem, self._folder, self._every, self._says = job, stem, folder, every, says_quality
        self._points: list[Any] = []
        self._first: Tensor | None = None
        self._frame: Frame | None = None

    def check(self, overwrite: bool, resume: bool) -> None:
        """Raise OutputError where a view would take the place of a file, before anything is dreamt.

        A dream that is gone on with draws again what it drew before it was stopped.
        """
        for path in [] if overwrite or self._folder is None else self._possible(self._folder):
            if os.path.lexists(path) and not (resume and is_plot(path)):
                raise OutputError(
                    f"{path} exists already; choose another folder for --plots or use --overwrite."
                )

    def _possible(self, folder: Path) -> list[Path]:
        """Every file that this job may draw."""
        octaves = self._job.plan.octaves
        names = ["scores", "classes", *(f"heat-{_plain(layer)}" for layer in self._layers())]
        names += [
            _gradient(at, step)
            for at, octave in enumerate(octaves)
            for step in range(0, octave.steps, self._every)
        ]
        return [folder / f"{self._stem}-{name}.png" for name in names]

    def _layers(self) -> list[str]:
        """The layers of which heat maps are drawn."""
        terms = self._job.plan.octaves[-1].objective.terms
        return sorted({name for term in terms for name in term.layers} - {"image"})

    @property
    def drawing(self) -> bool:
        """Whether views are written, for which frames must carry their gradients."""
        return self._folder is not None

    def see(self, frame: Frame) -> None:
        """Note the scores of a frame, and draw its gradient if its turn has come."""
        self._frame = frame if frame.last else None  # a picture may fill the memory
        if frame.octave + 1 == frame.octaves and frame.step == 0:
            self._first = frame.terms
        if not self.drawing:
            return
        from reverie import plot

        self._points.append(plot.point(frame))
        if frame.step % self._every == 0:
            self._write(_gradient(frame.octave, frame.step), plot.step(frame))

    def finish(self, quiet: bool) -> None:
        """Say and draw what is said and drawn of the whole."""
        if self._says:
            say(str(self._quality()), quiet)
        if self.drawing:
            self._whole(*self._compared())
            say(f"plots lie in {self._folder}", quiet)

    def quality(self) -> dict[str, float]:
        """The numbers of :mod:`reverie.loop.quality`, of the first picture of a batch."""
        return asdict(self._quality())

    def _quality(self) -> Quality:
        from reverie.loop.quality import gains, quality

        assert self._frame is not None
        first = self._frame.terms if self._first is None else self._first  # gone on with in the middle
        return quality(
            *self._compared(), *gains(self._job.plan.octaves[-1].objective, first, self._frame.terms)
        )

    def _compared(self) -> tuple[Tensor, Tensor]:
        from reverie.pixels.ops import unit

        assert self._frame is not None
        return unit(self._job.source[:1].cpu()), self._frame.image[:1].detach().float().cpu()

    def _whole(self, source: Tensor, dream: Tensor) -> None:
        from reverie import atlas, plot
        from reverie.pixels.ops import resize

        plan = self._job.plan
        terms = plan.octaves[-1].objective.terms
        self._write("scores", plot.plot_curves(self._points, [each.name for each in terms]))
        before = resize(source, plan.size).clamp(0, 1)
        pairs = (("before", before), ("after", dream))
        guesses = [
            (
                title,
                picture,
                [(each.label, each.probability) for each in atlas.guessed(plan.network, picture)],
            )
            for title, picture in pairs
        ]
        if all(found for _, _, found in guesses):
            self._write("classes", plot.plot_classes(guesses))
        for layer in self._layers():
            heat = atlas.layer_energy(plan.network, layer, dream)
            if heat is not None:
                self._write(f"heat-{_plain(layer)}", atlas.heated(dream, heat))

    def _write(self, name: str, picture: Tensor) -> None:
        from reverie import files
        from reverie.recipe import record

        assert self._folder is not None
        path = self._folder / f"{self._stem}-{name}.png"
        files.save(path, picture, text=record.view("plot"), overwrite=True)


def _gradient(octave: int, step: int) -> str:
    return f"gradient-{octave + 1}-{step + 1:04}"


def _plain(layer: str) -> str:
    return layer.replace("/", "-")
