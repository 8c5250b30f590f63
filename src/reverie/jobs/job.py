"""From a source and options to a Job ready to run, and from its frames to a Picture."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import torch
from torch import Tensor

from reverie import files, zoo
from reverie.errors import UsageError
from reverie.files import Photo
from reverie.jobs import budget, sources
from reverie.jobs.checkpoint import Checkpoint
from reverie.jobs.sources import Photos, Shelf, Source, opened
from reverie.loop.assemble import noise
from reverie.loop.octave import sizes
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import Frame, render
from reverie.network import Network
from reverie.objective.resolve import Assets
from reverie.pixels.ops import Size, cropped, fitted_size, resize, unit
from reverie.pixels.param import Pixels
from reverie.recipe import AUTO, PREVIEW_SIDE, Recipe, Run, merged, record, valid_run
from reverie.recipe.record import Asset, Record

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
        return files.save(path, self.pixels, overwrite=overwrite, **self._contents(metadata, depth))

    def write(
        self,
        file: BinaryIO,
        suffix: str = ".png",
        *,
        metadata: bool = True,
        depth: Literal[8, 16] | None = None,
    ) -> None:
        """What :meth:`save` would write, into an open binary file that can seek."""
        files.write(file, self.pixels, suffix, **self._contents(metadata, depth))

    def _contents(self, metadata: bool, depth: Literal[8, 16] | None) -> dict[str, Any]:
        depth = depth or self.depth
        told = self.record.model_copy(update={"depth": depth}).text() if metadata and self.record else None
        return {"alpha": self.alpha, "profile": self.profile, "text": told, "depth": depth}

    def numpy(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The pixels as uint8 [H, W, 3]."""
        return files.to_uint8(self.pixels)

    def _repr_png_(self) -> bytes:
        files.write(buffer := io.BytesIO(), self.pixels)
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
    given = own_network(network)
    if network is not None:
        values["network"] = given.name if given is not None else network
    values, handed = sources.with_handed_in(values)
    wanted, how = merged(preset, recipe, values), valid_run(run_values)
    if isinstance(recipe, str | Path) and network is None:
        zoo.consent(wanted.network, how.trust, f"The recipe {recipe}")
    return job_of(source, wanted, how, preview, given, {**(pictures or {}), **handed})


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
) -> Job:
    if options.threads:
        torch.set_num_threads(options.threads)
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
    prepare(network, recipe, (64, 64), Assets.token(files), device="cpu")
    beside = Shelf.of(files, pictures or {}, lambda path: opened(path, options.max_pixels))
    photo = None if source is None else opened(source, options.max_pixels)
    given, size, notes = _sized(photo, recipe, preview, network.mean)
    if preview:
        recipe = recipe.model_copy(update={"size": f"{size[1]}x{size[0]}"})
    native = size if photo is None else (photo.pixels.shape[-2], photo.pixels.shape[-1])
    assets = beside.laid(native, size)
    plan = prepare(network, recipe, size, assets, device=options.device, precision=options.precision)
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
    )
    alpha = None if photo is None or photo.alpha is None else cropped(photo.alpha, size)
    said = (*told, *(photo.notes if photo else ()), *notes, *plan.notes)
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
        size = fitted_size(native, shape)
    elif shape is not None:
        size = shape
    elif max(native) > NATIVE_LIMIT:
        size = fitted_size(native, NATIVE_LIMIT)
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
    return within[-1] if recipe.octaves == "auto" and within else fitted_size(size, PREVIEW_SIDE)
