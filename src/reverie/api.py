"""Few-argument calls for people: a path or an array in, a Picture out."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from torch import Tensor

from reverie import budget, image, record, shelf, zoo
from reverie.checkpoint import Checkpoint
from reverie.errors import InputError, UsageError
from reverie.expression import named
from reverie.image import Photo
from reverie.loop import Frame, render
from reverie.network import Network
from reverie.octave import sizes
from reverie.ops import Size, cropped, fitted, resize, unit
from reverie.param import Pixels
from reverie.plan import Plan, prepare
from reverie.recipe import PREVIEW_SIDE, Recipe, Run, merged, run
from reverie.record import Asset, Record
from reverie.shelf import Handed, Photos, Shelf, Source, finder, located, opened
from reverie.targets import Assets
from reverie.viewing import noise

NATIVE_LIMIT = 2048  # pixels of the long side that a source keeps unasked
NOISE_SIZE = (640, 960)


@dataclass(frozen=True, eq=False)
class Picture:
    """A finished dream: ``pixels`` [1, 3, H, W] in 0..1, sRGB, with alpha, profile and Record (None for
    a frame on the way, which the Record would not replay); ``depth`` is that of its file, 8 or 16 bits a sample."""

    pixels: Tensor
    record: Record | None
    alpha: Tensor | None = None
    profile: bytes | None = None
    depth: Literal[8, 16] = 8

    def save(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        metadata: bool = True,
        depth: Literal[8, 16] | None = None,
    ) -> Path:
        """Write it whole or not at all (PNG, JPEG, WebP, TIFF by the suffix), the Record inside.

        ``depth`` 16 writes 16 bits a sample (PNG and TIFF); by default that of the picture. Raises
        :class:`OutputError` where it cannot be written or exists.
        """
        return image.save(path, self.pixels, overwrite=overwrite, **self._contents(metadata, depth))

    def write(
        self,
        file: BinaryIO,
        suffix: str = ".png",
        *,
        metadata: bool = True,
        depth: Literal[8, 16] | None = None,
    ) -> None:
        """What :meth:`save` would write, into an open binary file that can seek."""
        image.write(file, self.pixels, suffix, **self._contents(metadata, depth))

    def _contents(self, metadata: bool, depth: Literal[8, 16] | None) -> dict[str, Any]:
        depth = depth or self.depth
        told = self.record.model_copy(update={"depth": depth}).text() if metadata and self.record else None
        return {"alpha": self.alpha, "profile": self.profile, "text": told, "depth": depth}

    def numpy(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The pixels as uint8 [H, W, 3]."""
        return image.to_uint8(self.pixels)

    def _repr_png_(self) -> bytes:
        image.write(buffer := io.BytesIO(), self.pixels)
        return buffer.getvalue()


@dataclass(frozen=True, eq=False)
class Job:
    """A dream about to run: ``render(job.plan, job.source)`` yields its frames."""

    plan: Plan
    source: Tensor
    record: Record
    alpha: Tensor | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = ()

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
        for frame in render(self.plan, self.source, octave=octave, passed=passed, gradients=gradients):
            if checkpoint:
                checkpoint.keep(frame)
            yield frame
            del frame  # a picture may fill the memory: nobody holds the last one while the next is made


def dream(
    source: Source = None,
    *,
    on_frame: Callable[[Frame], None] | None = None,
    resume: str | Path | None = None,
    **options: Any,
) -> Picture:
    """Dream a picture and return it.

    ``source`` is a path, a uint8 or float array [H, W, 3], a tensor [3, H, W] or [1, 3, H, W] in
    0..1, a Pillow image, or None for noise. ``options`` are the fields of :class:`Recipe`
    (``objective="owl"``, ``steps=20``, ...) and of :class:`Run`, and ``preset``, ``recipe``,
    ``preview``. ``on_frame`` sees every step. ``resume`` names a file to keep what is done in, octave by octave,
    and to go on from where an earlier call was killed; it is gone when the picture is done.

    >>> dream("photo.jpg", objective="owl").save("out.png")  # doctest: +SKIP
    """
    with torch.inference_mode(False):  # in a caller's there would be nothing to differentiate
        work = job(source, **options)
        checkpoint = Checkpoint(resume, work.record) if resume is not None else None
        for frame in work.frames(checkpoint):
            if on_frame is not None:
                on_frame(frame)
            if not frame.last:
                del frame  # nobody holds it while the next is made
        if checkpoint:
            checkpoint.remove()
        return work.picture(frame)  # a plan has at least one step


def dream_guided(
    source: Source,
    guide: Source | Sequence[Source],
    *,
    layer: str = "",
    weight: float = 1.0,
    **options: Any,
) -> Picture:
    """Dream the forms of ``guide`` into ``source``: each place becomes more like the best match in the guide.

    ``guide`` is a picture like ``source``, a folder of pictures, or a list of them; ``layer`` (several joined by +)
    where they are compared, by default the network's own for guides. Options are those of :func:`dream`; with an
    ``objective`` that is dreamt too. DeepDream: Mordvintsev, Olah & Tyka 2015.

    >>> dream_guided("sky.jpg", "flowers.jpg").save("out.png")  # doctest: +SKIP
    """
    several = list(guide) if isinstance(guide, list | tuple) else [guide]
    if not several or any(each is None for each in several):
        raise UsageError("A guided dream needs a guide: a path, an array, a tensor or a Pillow image.")
    return dream(source, guide=[Handed(each, layer, weight) for each in several], **options)


def visualize(objective: str = "", source: Source = None, **options: Any) -> Picture:
    """What the network means by ``objective``, drawn from noise, or out of ``source`` (feature accentuation).

    A :func:`dream` with the defaults of the preset ``visualize``, or ``accentuate`` where there is a source.
    Olah et al. 2017; Hamblin et al. 2024.

    >>> visualize("owl").save("owl.png")  # doctest: +SKIP
    """
    options.setdefault("preset", "visualize" if source is None else "accentuate")
    return dream(source, objective=named(objective) if objective else "", **options)


def job(
    source: Source = None,
    *,
    preset: str | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] | None = None,
    preview: bool = False,
    network: str | Network | None = None,
    pictures: Mapping[str, Photos] | None = None,
    **options: Any,
) -> Job:
    """What :func:`dream` would do, ready to run: names resolved, source read and sized.

    ``pictures`` are guides and masks of the recipe that were opened already, by their path there.
    """
    run_values = {name: value for name, value in options.items() if name in Run.model_fields}
    values = {name: value for name, value in options.items() if name not in Run.model_fields}
    given = _handed(network)
    if network is not None:
        values["network"] = given.name if given is not None else network
    values, handed = shelf.written(values)
    wanted, how = merged(preset, recipe, values), run(run_values)
    if isinstance(recipe, str | Path) and network is None:
        zoo.consent(wanted.network, how.trust, f"The recipe {recipe}")
    return _job(source, wanted, how, preview, given, {**(pictures or {}), **handed})


def _handed(network: object) -> Network | None:
    """``network`` where it is one itself, None for a name."""
    if network is None or isinstance(network, str):
        return None
    if not isinstance(network, Network):
        raise UsageError(
            f"A {type(network).__name__} is no network of Reverie; reverie.adopt(module, mean=..., std=...) makes one."
        )
    return network


def replay(
    picture: str | Path | bytes,
    *,
    source: Source = None,
    changes: Mapping[str, Any] | None = None,
    network: str | Network | None = None,
    assets: Sequence[Source] = (),
    **options: Any,
) -> Job:
    """The job whose Record lies in ``picture``, a path or the bytes of a file; with ``changes``, that recipe
    with other values.

    The source is looked for where ``source`` says, at the recorded path, and beside the picture; so are guides and
    masks, and among ``assets``, where they are known by their content. A ``network``
    that was handed in must be handed in again; one whose loading can run code needs ``trust=True``.
    Raises :class:`InputError` when it is not found or not the same file any more.
    """
    path = Path("the picture") if isinstance(picture, bytes) else Path(picture)
    found = record.parse(image.read_text(picture), path)
    given, changes = _handed(network), dict(changes or {})
    if isinstance(network, str):
        changes["network"] = network
    recipe = Recipe.of(found.recipe.model_dump(), changes)
    same = recipe.network == found.recipe.network
    if given is None and "network" not in changes:
        zoo.consent(recipe.network, bool(options.get("trust")), str(path))
    weights = found.asset("weights")
    how = ("device", "precision", "threads", "depth", "tile", "tile_mode")
    values: dict[str, Any] = {name: getattr(found, name) for name in how}
    if weights is not None and weights.path and options.get("weights") is None and same:
        values["weights"] = located(weights, path, None, "--weights")
    options = {**values, **{name: value for name, value in options.items() if value is not None}}
    asset = found.asset("source")
    photo = None
    if asset is not None and not asset.path and source is None:
        raise InputError(f"The source of {path} was no file of its own; give it with --source.")
    if asset is not None:
        in_memory = source is not None and not isinstance(source, str | Path)
        photo = source if in_memory else located(asset, path, source, "--source")
    elif source is not None:
        raise UsageError(f"{path} was dreamt from noise; it takes no --source.")
    pictures = shelf.recorded(
        recipe.files(), found.assets, finder(path, [opened(each) for each in assets])
    )
    made = _job(photo, recipe, run(options), False, given, pictures)
    if found.part < recipe.count:
        made = replace(made, record=made.record.model_copy(update={"part": found.part}))
    if not same:
        return made
    for role, remedy in (("source", "--source"), ("weights", "--weights")):
        then, now = found.asset(role), made.record.asset(role)
        if then and now and then.sha256 != now.sha256 and role == "weights" and zoo.foreign(recipe.network):
            raise InputError(f"The network {recipe.network} is not what it was when {path} was dreamt.")
        if then and now and then.sha256 != now.sha256:
            raise InputError(
                f"The {role} of {path} is not the same file any more; give the original with {remedy}."
            )
    # The assets keep their recorded paths, so that the same picture is also the same file.
    kept = tuple(
        (found.asset(each.role) or each) if each.role in ("source", "weights") else each
        for each in made.record.assets
    )
    return replace(made, record=made.record.model_copy(update={"assets": kept}))


def _job(
    source: Source,
    recipe: Recipe,
    options: Run,
    preview: bool,
    network: Network | None = None,
    pictures: Mapping[str, Photos] | None = None,
) -> Job:
    if options.threads:
        torch.set_num_threads(options.threads)
    if network is None:
        network = zoo.load(recipe.network, options.weights, offline=options.offline)
    elif options.weights is not None:
        raise UsageError("A network that is handed in has its weights; leave weights out.")
    # Names are resolved against a token size first: a misspelt class must not cost a 60 MP decode.
    files = recipe.files()
    prepare(network, recipe, (64, 64), Assets.token(files), device="cpu")
    beside = Shelf.of(files, pictures or {}, lambda path: opened(path, options.max_pixels))
    photo = None if source is None else opened(source, options.max_pixels)
    given, size, notes = _sized(photo, recipe, preview, network.mean)
    if preview:
        recipe = recipe.model_copy(update={"size": f"{size[1]}x{size[0]}"})
    native = size if photo is None else (photo.pixels.shape[-2], photo.pixels.shape[-1])
    assets = beside.laid(native, size)
    plan = prepare(network, recipe, size, assets, device=options.device, precision=options.precision)
    plan = budget.fitted(plan, options, recipe.count)
    made = Record(
        recipe=recipe,
        assets=(*_assets(photo, network, options), *beside.records()),
        device=str(plan.device),
        precision=plan.precision,
        threads=torch.get_num_threads(),
        depth=options.depth or 8,
        **budget.tiling(plan),
        versions=record.versions(*zoo.libraries(recipe.network)),
    )
    alpha = None if photo is None or photo.alpha is None else cropped(photo.alpha, size)
    said = (*(photo.notes if photo else ()), *notes, *plan.notes)
    return Job(plan, given, made, alpha, photo.profile if photo else None, said)


def _assets(photo: Photo | None, network: Network, options: Run) -> tuple[Asset, ...]:
    assets = [Asset(role="weights", path=str(options.weights or ""), sha256=network.sha256)]
    if photo is not None:
        assets.insert(0, Asset(role="source", path=photo.name, sha256=photo.sha256))
    return tuple(assets)


def _sized(
    photo: Photo | None, recipe: Recipe, preview: bool, mean: tuple[float, float, float]
) -> tuple[Tensor, Size, list[str]]:
    """The source [count, 3, H, W] in the dream's shape, the dream's size, and what to tell the user."""
    shape, notes = recipe.shape(), []
    native: Size = NOISE_SIZE if photo is None else (photo.pixels.shape[-2], photo.pixels.shape[-1])
    if isinstance(shape, int):
        size = fitted(native, shape)
    elif shape is not None:
        size = shape
    elif max(native) > NATIVE_LIMIT:
        size = fitted(native, NATIVE_LIMIT)
        notes.append(
            f"The source has {native[1]}x{native[0]} pixels and is dreamt at {size[1]}x{size[0]}; "
            "--size asks for more."
        )
    else:
        size = native
    if preview:
        size = previewed(size, recipe)
    generator = torch.Generator().manual_seed(recipe.seed % 2**63)
    if photo is None:
        return torch.cat([noise(recipe, size, mean, generator) for _ in range(recipe.count)]), size, notes
    source = cropped(photo.pixels, size)
    if recipe.count == 1:
        return source, size, notes
    # Pictures of a batch that began alike would stay alike.
    plain = unit(source)
    grains = torch.randn(recipe.count - 1, *plain.shape[1:], generator=generator)
    return torch.cat([plain, (plain + 0.02 * grains).clamp(0, 1)]), size, notes


def previewed(size: Size, recipe: Recipe) -> Size:
    """The size of a preview of a picture of ``size``: its largest octave within PREVIEW_SIDE.

    A preview is then the final picture at that octave. Where no octave fits, all is scaled down.
    """
    if max(size) <= PREVIEW_SIDE:
        return size
    within = [
        each
        for each in sizes(size, recipe.octaves, recipe.octave_scale, recipe.smallest)
        if PREVIEW_SIDE // 2 <= max(each) <= PREVIEW_SIDE
    ]
    return within[-1] if recipe.octaves == "auto" and within else fitted(size, PREVIEW_SIDE)
