"""Shooting: takes go onto a reel, the reel becomes a film. Whatever stops it, the same call goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from reverie import api, zoo
from reverie.errors import InputError, UsageError
from reverie.film.frame import Take
from reverie.film.making import moving_guide, steps, video, zoom
from reverie.film.making.timeline import Course
from reverie.film.reading.clip import Clip
from reverie.film.reading.sound import TimeSpan
from reverie.film.settings import Steps, Video, Zoom
from reverie.film.writing import codec, metadata, stills
from reverie.film.writing.reel import Reel, has_film, short_of_space
from reverie.jobs.replaying import (
    require_listed_files,
    require_same,
    run_again,
    source_again,
    values_again,
    with_recorded_paths,
)
from reverie.jobs.sources import Photos, finder, recorded
from reverie.jobs.threads import with_threads
from reverie.recipe import Recipe, record
from reverie.recipe.record import Asset, Record

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.jobs.job import Job

FilmKind = Literal["steps", "zoom", "video"]
SETTINGS: dict[str, type[Steps | Zoom | Video]] = {"steps": Steps, "zoom": Zoom, "video": Video}
_PREVIEW_FPS = 8


class FilmRecord(Record):
    """The Record of a film: that of its dream, which kind of ``film`` it is, and its ``settings``."""

    film: FilmKind
    settings: dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """A frame that is safe on the reel: number ``index`` of ``total``. ``again`` counts those that
    lay there before this run began."""

    index: int
    total: int
    again: int


@dataclass(frozen=True, eq=False, repr=False)
class Film:
    """A film about to be shot: its ``job``, its ``settings``, the ``clip`` it is dreamt from, if any, its record, and
    those of its ``guides`` that are videos, by path."""

    kind: FilmKind
    job: Job
    settings: Any
    record: FilmRecord
    clip: Clip | None = None
    guides: Mapping[str, Clip] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Tensor]:
        """The images [1, 3, H, W] in 0..1, frame by frame."""
        return (take.image for take in self.takes())

    def __repr__(self) -> str:
        size = self.job.plan.size
        return f"<Film {self.kind} {size[1]}x{size[0]}, {self.total} frames>"

    def save(self, path: str | Path, **options: Any) -> list[Path]:
        """Dream all frames and write them to ``path`` (.mp4, .webm, .gif, ..., or a folder): see :func:`shoot`."""
        return shoot(self, path, **options)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell people before the work begins."""
        clips = (*([self.clip] if self.clip else ()), *self.guides.values())
        return (*(note for each in clips for note in each.notes), *self.job.notes)

    @property
    def fingerprint(self) -> str:
        """Which film this is: recipe, settings and assets, whatever the machine."""
        values = self.record.model_dump(mode="json", include={"recipe", "settings", "film"})
        values["assets"] = [(each.role, each.sha256) for each in self.record.assets]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    @property
    def total(self) -> int:
        """How many frames there will be; fewer where a clip turns out damaged."""
        if self.clip is not None:
            return -(-self.clip.expected(*self.settings.span()) // int(self.settings.every))
        return (
            zoom.zoom_count(self.settings)
            if self.kind == "zoom"
            else steps.steps_count(self.job, self.settings)
        )

    def takes(self, done: Take | None = None, index: int = 0) -> Iterator[Take]:
        """The takes behind the first ``index``, of which ``done`` is the last."""
        return with_threads(self._takes(done, index), self.record.threads)

    def _takes(self, done: Take | None, index: int) -> Iterator[Take]:
        if self.clip is not None:
            return video.video_frames(self.job, self.clip, self.settings, done, index, self.guides)
        if self.kind == "zoom":
            return zoom.zoom_frames(self.job, self.settings, done, index, self.guides)
        # An ascent is one piece of work; what is kept of it is gone through again, to the same bytes.
        return islice(steps.step_frames(self.job, self.settings), index, None)

    def span(self) -> TimeSpan | None:
        """The sound that belongs to the film."""
        return None if self.clip is None else TimeSpan(self.clip, *self.settings.span())

    def until(self, times: list[Fraction]) -> Fraction:
        """When the last frame is over, in seconds."""
        if self.clip is None:
            return times[-1] + 1 / Fraction(self.settings.fps)
        start, stop = self.settings.span()
        end = self.clip.timing.end if stop is None else min(stop, self.clip.timing.end)
        return max(Fraction(end - start), times[-1] + self.clip.time_base)


def make_film(
    kind: FilmKind,
    source: Any,
    settings: Any,
    *,
    preview: bool = False,
    pictures: Mapping[str, Photos] | None = None,
    **options: Any,
) -> Film:
    """A film ready to be shot: the source or clip opened, names resolved.

    ``source`` is what :func:`reverie.dream` takes, for ``video`` the path of a clip; ``options`` are those of
    :func:`reverie.job`; but in a zoom and a dreamt video guides may be videos too. ``preview`` is small, and of a clip
    has a few frames a second. Raises what they raise.
    """
    if options.get("depth") not in (None, 8):
        raise UsageError(f"A film has 8 bits a sample; leave [[depth={options['depth']}]] out.")
    known = pictures or {} if kind == "steps" else moving_guide.moving_guides(options, pictures or {})
    guides = {file: each.clip for file, (each, *_) in known.items() if isinstance(each, moving_guide.Moving)}
    options = {**options, "preview": preview, "pictures": known}
    if kind != "video":
        job = api.job(source, **options)
        _checked(job, settings)
        return Film(kind, job, settings, _recorded(kind, job, settings, job.record.assets), None, guides)
    clip = Clip(source)
    start, stop = settings.span()
    first = next(clip.frames(start, stop), None)
    if first is None:
        raise UsageError(
            f"{clip.path} lasts {float(clip.duration):.2f} s; {settings.range} shows nothing of it."
        )
    if preview:
        few = max(settings.every, round(clip.fps / _PREVIEW_FPS))
        settings = settings.model_copy(update={"every": few})
    job = api.job(first[1], **options)
    _checked(job, settings)
    asset = Asset(role="source", path=str(source), sha256=clip.digest())
    assets = (asset, *(each for each in job.record.assets if each.role != "source"))
    return Film(kind, job, settings, _recorded(kind, job, settings, assets), clip, guides)


def replay_film(
    path: str | Path,
    *,
    source: Any = None,
    changes: Mapping[str, Any] | None = None,
    assets: Sequence[Any] = (),
    **options: Any,
) -> Film:
    """The film whose record lies in ``path``; with ``changes``, that recipe or those settings with other values.

    The source is looked for where ``source`` says, beside ``path``, below its folder and below the current one; so
    are guides and masks, and among ``assets``, where they are known by their content. A recorded path elsewhere is
    opened with ``trust=True`` alone. What was made in Python, a ``network`` or an
    ``objective``, must be handed in again. Raises :class:`InputError` when there is no record, or its source is not
    there or not the same any more.
    """
    path = Path(path)
    found = record.parse_as(metadata.read_film_text(path), path, FilmRecord)
    handed_in = {name: options[name] for name in ("objective", "transform", "rule", "param") if name in options}
    network = options.pop("network", None)
    _, changed = values_again(found, path, options, changes)
    trust = bool(options.get("trust"))
    require_words(found.settings, path)
    model = SETTINGS[found.film]
    fields = {name: changed.pop(name) for name in [*changed] if name in model.model_fields}
    try:
        model.of(**found.settings)
    except UsageError as error:
        raise InputError(f"The record in {path} cannot be read; it was damaged or edited ({error}).") from None
    settings, recipe = model.of(**(found.settings | fields)), Recipe.of(found.recipe.model_dump(), changed)
    if network is None:
        zoo.consent(recipe.network, bool(options.get("trust")), str(path))
    values = run_again(found, path, recipe, options) | handed_in
    source = source_again(found, path, source, trust)
    if found.film == "video" and source is None:
        raise InputError(f"The record in {path} names no clip that it was dreamt from; it was damaged or edited.")
    require_listed_files(found, recipe, changed, path, trust)
    find = finder(path, [moving_guide.open_guide(each) for each in assets], moving_guide.open_guide, trust)
    pictures = recorded(recipe.files(), found.assets, find)
    made = make_film(found.film, source, settings, recipe=recipe, pictures=pictures, network=network, **values)
    if recipe.network == found.recipe.network:
        require_same(found, made.record, path, ("weights",))
    return replace(made, record=with_recorded_paths(found, made.record))


def require_words(settings: Mapping[str, Any], path: Path) -> None:
    """Raise :class:`InputError` where recorded keyframes name a file: a Record holds the keyframes themselves."""
    words = settings.get("at", ())
    for word in [words] if isinstance(words, str) else words if isinstance(words, list | tuple) else ():
        if any(part.lower().endswith(".toml") for part in str(word).split()):
            raise InputError(f"The record in {path} names the file {word} for its keyframes; it was damaged or edited.")


def is_film(path: str | Path) -> bool:
    """Whether ``path`` is a film, told by its suffix or, where pictures share that, by its record."""
    place = Path(path)
    if place.suffix.lower() in codec.FORMATS.keys() - {".gif", ".webp", ".apng"}:
        return True
    if not place.is_dir() and place.suffix.lower() not in (*codec.FORMATS, ".png"):
        return False
    try:
        return "film" in json.loads(metadata.read_film_text(place) or "{}")
    except (InputError, ValueError, TypeError):
        return False


def reel_of(path: Path) -> Path:
    """The folder in which the film at ``path`` grows."""
    return path.with_name(path.name + ".reel")


def shoot(
    made: Film,
    path: str | Path,
    *,
    overwrite: bool = False,
    metadata: bool = True,
    keep_reel: bool = False,
    poster: bool = False,
    sheet: bool = False,
    on_shot: Callable[[Shot], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Shoot a film and write it to ``path``; gives that, and the ``poster`` and contact ``sheet`` beside it.

    Frames gather on a reel beside the result, which is gone in the end unless ``keep_reel``. After a crash, a full
    disk or an interruption the same call goes on where it stopped, to the same bytes. ``on_shot`` sees every frame
    that is safe, ``on_note`` each sentence for people. Raises :class:`OutputError` where something cannot be written.
    """
    path, say = Path(path), on_note or (lambda _: None)
    wanted = {"poster": stills.poster} if poster else {}
    wanted |= {"sheet": stills.film_sheet} if sheet else {}
    extras = {path.with_name(f"{path.stem}-{name}.png"): make for name, make in wanted.items()}
    codec.check_film_writable(path, overwrite, made.job.plan.size)
    for each in extras:
        stills.check(each, overwrite)
    folder, mark = reel_of(path), made.fingerprint
    anew = overwrite and not has_film(folder, mark)
    with Reel(folder, mark, made.record.text(), anew=anew) as reel:
        try:
            _grow(made, reel, on_shot, say)
        except BaseException:
            if not reel.times:
                reel.remove()  # nothing is lost with it
            raise
        if not reel.times:
            reel.remove()
            raise InputError("Nothing was dreamt: the film has no frames.")
        text = reel.about if metadata else None
        for note in codec.write_film(
            path, reel, until=made.until(reel.times), sound=made.span(), text=text, overwrite=overwrite
        ):
            say(note)
        for place, make in extras.items():
            make(place, reel, overwrite)
        if not keep_reel:
            reel.remove()
    return [path, *extras]


def _grow(made: Film, reel: Reel, on_shot: Callable[[Shot], None] | None, say: Callable[[str], None]) -> None:
    total, again = made.total, len(reel)
    known = set(made.clip.notes) if made.clip else set()
    if again:
        say(f"goes on behind frame {again} in {reel.folder}.")
        _compare(made.record, reel.about, say)
    with torch.inference_mode(False):
        for take in made.takes(reel.done(), again):
            reel.add(take)
            if len(reel) == again + 3 and (note := short_of_space(reel, total)):
                say(note)
            if on_shot is not None:
                on_shot(Shot(len(reel) - 1, total, again))
    for note in made.clip.notes if made.clip else ():
        if note not in known:
            say(note)


def _compare(now: FilmRecord, about: str, say: Callable[[str], None]) -> None:
    """Say what is not as it was when the reel was begun; the frames may then differ a little from there on."""
    then = json.loads(about) if about else {}
    changed = [name for name in ("device", "precision", "threads") if then.get(name) != getattr(now, name)]
    changed += [
        name for name, version in now.versions.items() if then.get("versions", {}).get(name) != version
    ]
    if changed:
        say(f"The film was begun with another {', '.join(changed)}; from here on frames may differ a little.")


def _checked(job: Job, settings: Any) -> None:
    """Refuse what cannot be filmed before anything is written."""
    if not isinstance(settings, Steps):
        Course(job, settings)
    if job.record.recipe.count > 1:
        raise UsageError(f"A film has one picture at a time; leave [[count={job.record.recipe.count}]] out.")


def _recorded(kind: FilmKind, job: Job, settings: Any, assets: tuple[Asset, ...]) -> FilmRecord:
    libraries = record.versions(*zoo.libraries(job.record.recipe.network), "av", "opencv-python-headless")
    values = job.record.model_dump() | {"assets": assets, "versions": libraries}
    return FilmRecord(**values, film=kind, settings=settings.model_dump(mode="json"))
