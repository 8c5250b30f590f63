"""From a source and options to a Job ready to run, and from its frames to a Picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

from reverie import zoo
from reverie.errors import Sentence, UnknownName, UsageError
from reverie.files import Photo
from reverie.jobs import budget, sources
from reverie.jobs.checkpoint import Checkpoint
from reverie.jobs.options import JobKeywords
from reverie.jobs.picture import Picture
from reverie.jobs.sources import Photos, Shelf, Source, opened
from reverie.jobs.threads import cpu_threads, with_threads
from reverie.loop.assemble import noise, smallest
from reverie.loop.octave import sizes
from reverie.loop.plan import NO_VALUES, Plan, Values, prepare
from reverie.loop.render import Frame, render
from reverie.network import Network
from reverie.objective import Objective
from reverie.objective.resolve import Assets
from reverie.pixels.ops import Size, cropped, fitted_size, resize, unit
from reverie.pixels.param import Pixels
from reverie.recipe import AUTO, PREVIEW_SIDE, Recipe, Run, grammar, merged, record, schedule, valid_run
from reverie.recipe.functions import FUNCTIONS
from reverie.recipe.grammar import weighted_text
from reverie.recipe.record import Asset, Record

NATIVE_LIMIT = 2048  # pixels of the long side that a source keeps unasked
NOISE_SIZE = (640, 960)


@dataclass(frozen=True, eq=False, repr=False)
class Job:
    """A dream about to run: ``render(job.plan, job.source)`` yields its frames."""

    plan: Plan
    source: Tensor
    record: Record
    alpha: Tensor | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        size, recipe = self.plan.size, self.record.recipe
        return f"<Job {size[1]}x{size[0]}, {self.plan.total} steps: {recipe.objective or 'dreamt'} by {recipe.network}>"

    def picture(self, frame: Frame, part: int | None = None) -> Picture:
        """The frame as a picture (a copy), with the source's alpha and, for the last one, the Record.

        Of a batch the picture of number ``part``, by default the one that the Record says.
        """
        part = self.record.part if part is None else part
        pixels = frame.image[part : part + 1].detach().float().cpu()
        alpha, size = self.alpha, (pixels.shape[-2], pixels.shape[-1])
        if alpha is not None and alpha.shape[-2:] != size:
            alpha = resize(alpha, size).clamp(0, 1)
        if (opacity := frame.opacity) is not None:
            alpha = opacity[part : part + 1].cpu() * (1 if alpha is None else unit(alpha))
        kept = pixels if frame.last else pixels.clone()  # any other is live
        made = self.record.model_copy(update={"part": part}) if frame.last else None
        return Picture(kept, made, alpha, self.profile, self.record.depth)

    def pictures(self, frame: Frame) -> list[Picture]:
        """All pictures of the batch."""
        return [self.picture(frame, part) for part in range(len(frame.image))]

    def unchanged(self, frame: Frame) -> bool:
        """Whether nothing at all was dreamt: the objective has no gradient in this picture."""
        image = frame.image.cpu()
        size = (image.shape[-2], image.shape[-1])
        if (param := self.plan.octaves[-1].param) is not Pixels:
            return torch.equal(image, param(resize(unit(self.source), size).clamp(0, 1)).image())
        if self.source.shape[-2:] != size:
            return torch.equal(image, resize(self.source, size).clamp(0, 1))
        rows = [slice(at, at + 256) for at in range(0, size[0], 256)]
        return all(torch.equal(image[..., at, :], unit(self.source[..., at, :]).clamp(0, 1)) for at in rows)

    def frames(
        self, checkpoint: Checkpoint | None = None, resume: bool = True, gradients: bool = False
    ) -> Iterator[Frame]:
        """Every step, with its gradient if asked for; closing the iterator stops the work. What a ``checkpoint``
        keeps from octave to octave is gone on from, unless ``resume`` is False."""
        octave, passed = checkpoint.found() if checkpoint and resume else (0, None)
        frames = render(self.plan, self.source, octave=octave, passed=passed, gradients=gradients)
        for frame in with_threads(frames, self.record.threads):
            if checkpoint:
                checkpoint.keep(frame)
            yield frame
            del frame  # a picture may fill the memory: nobody holds the last one while the next is made


def job(source: Source = None, **options: Unpack[JobKeywords]) -> Job:
    """What :func:`reverie.dream` would do, ready to run: names resolved, source read and sized.

    ``pictures`` are guides and masks of the recipe that were opened already, by their path there.
    """
    given: dict[str, Any] = dict(options)
    preset, recipe, network, preview, pictures = (
        given.pop(name, None) for name in ("preset", "recipe", "network", "preview", "pictures")
    )
    own, handed_in = own_network(network), taken_values(given)
    run_values = {name: given.pop(name) for name in [*given] if name in Run.model_fields}
    if network is not None:
        given["network"] = own.name if own is not None else network
    texts, handed = sources.with_handed_in(given)
    wanted, how = merged(preset, recipe, texts), valid_run(run_values)
    if isinstance(recipe, str | Path) and network is None:
        zoo.consent(wanted.network, how.trust, f"The recipe {recipe}")
    return job_of(source, wanted, how, bool(preview), own, {**(pictures or {}), **handed}, handed_in)


def taken_values(options: dict[str, Any]) -> Values:
    """Take out of ``options`` what is a value and no text; where a recipe has a field for it, its name stays there.

    An objective that is a mapping of names to weights becomes text. Raises :class:`UsageError` for what is neither.
    """
    objective, param = options.get("objective"), options.get("param")
    transform, rule = options.pop("transform", None), options.pop("rule", None)
    if isinstance(objective, Mapping):
        options["objective"] = objective = weighted_text(objective)
    if isinstance(objective, Objective):
        options["objective"] = grammar.PYTHON + str(objective)
    if callable(param):
        del options["param"]
    if transform is not None and not callable(transform):
        raise UsageError(
            f"transform must be a function of an image and a generator, not {transform!r}; reverie.pixels.transform "
            "has some."
        )
    if rule is not None and not callable(getattr(rule, "step", None)):
        raise UsageError(f"rule must have a method step(param, gradient, state), which {rule!r} has not.")
    return Values(
        objective if isinstance(objective, Objective) else None, transform, rule, param if callable(param) else None
    )


def registered(recipe: Recipe) -> dict[str, str]:
    """The words of the objective that were registered from outside, and what the Record says of them."""
    texts = schedule.objectives(recipe.objective) if recipe.objective else ()
    targets = [
        target for text in texts if not text.startswith(grammar.PYTHON) for target in grammar.parse_objective(text)
    ]
    words = {target.function or target.name for target in targets}
    return {word: grammar.PYTHON + word for word in sorted(words) if word in FUNCTIONS and not FUNCTIONS[word].ours}


def own_network(network: object) -> Network | None:
    """``network`` where it is one itself, None for a name."""
    if network is None or isinstance(network, str):
        return None
    if not isinstance(network, Network):
        raise UsageError(
            f"A {type(network).__name__} is no network of Reverie; reverie.adopt(module, mean=..., std=...) makes one."
        )
    return network


def job_of(
    source: Source,
    recipe: Recipe,
    options: Run,
    preview: bool,
    network: Network | None = None,
    pictures: Mapping[str, Photos] | None = None,
    values: Values = NO_VALUES,
) -> Job:
    """A dream ready to run; ``values`` stand in for what ``recipe`` says."""
    with cpu_threads(options.threads):
        return _prepared(source, recipe, options, preview, network, pictures or {}, values)


def _prepared(
    source: Source,
    recipe: Recipe,
    options: Run,
    preview: bool,
    network: Network | None,
    pictures: Mapping[str, Photos],
    values: Values,
) -> Job:
    told = []
    if network is None:
        network = zoo.load(recipe.network, options.weights, offline=options.offline)
        if recipe.network == AUTO:
            told = [note for note in (zoo.advice(network.name),) if note and options.weights is None]
            recipe = recipe.model_copy(update={"network": network.name})
    elif options.weights is not None:
        raise UsageError("A network that is handed in has its weights; leave weights out.")
    # Names are resolved against a token size first: a misspelt class must not cost a 60 MP decode.
    files = recipe.files()
    try:
        prepare(network, recipe, (64, 64), Assets.token(files), device="cpu", values=values)
    except UnknownName as error:
        if not zoo.built_in_knows(error.name, network.name):
            raise
        raise UsageError(
            f"The network {network.name} has no {error.kind} {error.name!r}, but the built-in one has; "
            f"add [[network={zoo.BUILT_IN}]], or see 'reverie layers {network.name}'."
        ) from None
    beside = Shelf.of(files, pictures, lambda path: opened(path, options.max_pixels))
    photo = None if source is None else opened(source, options.max_pixels)
    given, size, notes = _sized(photo, recipe, preview, network)
    if preview:
        recipe = recipe.model_copy(update={"size": f"{size[1]}x{size[0]}"})
    native = size if photo is None else (photo.pixels.shape[-2], photo.pixels.shape[-1])
    assets = beside.laid(native, size)
    plan = prepare(
        network, recipe, size, assets, device=options.device, precision=options.precision, values=values
    )
    plan = budget.fit_plan(plan, options, recipe.count)
    made = Record(
        recipe=recipe,
        assets=(*_assets(photo, network, options), *beside.records()),
        device=str(plan.device),
        precision=plan.precision,
        threads=torch.get_num_threads(),
        depth=options.depth or 8,
        **budget.tiling(plan),
        versions=record.versions(*zoo.libraries(recipe.network)),
        values=values.names() | registered(recipe),
    )
    alpha = None if photo is None or photo.alpha is None else cropped(photo.alpha, size)
    said = (*told, *network.notes, *(photo.notes if photo else ()), *notes, *plan.notes)
    return Job(plan, given, made, alpha, photo.profile if photo else None, said)


def _assets(photo: Photo | None, network: Network, options: Run) -> tuple[Asset, ...]:
    assets = [Asset(role="weights", path=str(options.weights or ""), sha256=network.sha256)]
    if photo is not None:
        assets.insert(0, Asset(role="source", path=photo.name, sha256=photo.sha256))
    return tuple(assets)


def _sized(
    photo: Photo | None, recipe: Recipe, preview: bool, network: Network
) -> tuple[Tensor, Size, list[str]]:
    """The source [count, 3, H, W] in the dream's shape, the dream's size, and what to tell the user."""
    shape, notes = recipe.shape(), list[str]()
    native: Size = NOISE_SIZE if photo is None else (photo.pixels.shape[-2], photo.pixels.shape[-1])
    if isinstance(shape, int):
        size = fitted_size(native, shape)
    elif shape is not None:
        size = shape
    elif max(native) > NATIVE_LIMIT:
        size = fitted_size(native, NATIVE_LIMIT)
        notes.append(
            Sentence(
                f"The source has {native[1]}x{native[0]} pixels and is dreamt at {size[1]}x{size[0]}; "
                "[[size]] asks for more."
            )
        )
    else:
        size = native
    if preview:
        size = previewed(size, recipe, network)
    generator = torch.Generator().manual_seed(recipe.seed % 2**63)
    if photo is None:
        return torch.cat([noise(recipe, size, network.mean, generator) for _ in range(recipe.count)]), size, notes
    source = cropped(photo.pixels, size)
    if recipe.count == 1:
        return source, size, notes
    if recipe.variation:  # each picture of the batch starts on clouds of its own
        return source.expand(recipe.count, -1, -1, -1), size, notes
    # Pictures of a batch that began alike would stay alike.
    plain = unit(source)
    grains = torch.randn(recipe.count - 1, *plain.shape[1:], generator=generator)
    return torch.cat([plain, (plain + 0.02 * grains).clamp(0, 1)]), size, notes


def previewed(size: Size, recipe: Recipe, network: Network) -> Size:
    """The size of a preview of a picture of ``size``: its largest octave within PREVIEW_SIDE.

    A preview is then the final picture at that octave. Where no octave fits, all is scaled down.
    """
    if max(size) <= PREVIEW_SIDE:
        return size
    within = [
        each
        for each in sizes(size, recipe.octaves, recipe.octave_scale, smallest(recipe, network))
        if PREVIEW_SIDE // 2 <= max(each) <= PREVIEW_SIDE
    ]
    return within[-1] if recipe.octaves == "auto" and within else fitted_size(size, PREVIEW_SIDE)
