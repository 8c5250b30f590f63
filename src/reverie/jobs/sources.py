"""Pictures that are handed in: the source from a path or an array; guides and masks laid over it, told by content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor

from reverie import files
from reverie.errors import InputError
from reverie.files import Photo, listing
from reverie.objective.place import fitted_mask
from reverie.objective.resolve import Assets
from reverie.pixels.ops import Size, cropped, unit
from reverie.recipe.grammar import Guide, Role
from reverie.recipe.record import Asset

Source = str | Path | bytes | np.ndarray[Any, Any] | Tensor | PillowImage.Image | None

LARGEST_ASSET = 16 << 30  # bytes of a file that is opened because a Record names it

Open = Callable[[Any], Photo]
Photos = tuple[Photo, ...]


@dataclass(frozen=True, eq=False)
class Handed:
    """A guide handed in as a picture, or its path: what :class:`reverie.recipe.grammar.Guide` is as text."""

    picture: Any
    layer: str = ""
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Shelf:
    """Guides and masks by role and path as written; a folder holds several."""

    photos: Mapping[tuple[Role, str], Photos] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[tuple[Role, str]], given: Mapping[str, Photos], opened: Open) -> Shelf:
        """Every picture named in ``files``: from ``given`` where it is there, else ``opened`` from disk."""
        found: dict[tuple[Role, str], Photos] = {}
        for role, file in files:
            folder = role == "guide" and file not in given and os.path.isdir(file)
            names: list[Any] = list(listing(file)) if folder else [file]
            found[role, file] = given[file] if file in given else tuple(opened(name) for name in names)
        return cls(found)

    def records(self) -> tuple[Asset, ...]:
        """What the Record says of them, in the order of the recipe."""
        return tuple(
            Asset(role=role, path=photo.name or file, sha256=photo.sha256)
            for (role, file), photos in self.photos.items()
            for photo in photos
        )

    def laid(self, native: Size, size: Size) -> Assets:
        """The pictures as :func:`reverie.prepare` takes them, for a source of ``native`` size cropped to ``size``."""
        return Assets(
            {file: [unit(each.pixels) for each in photos] for (role, file), photos in self._of("guide")},
            {file: _laid(brightness(photos[0]), native, size) for (role, file), photos in self._of("mask")},
        )

    def _of(self, role: Role) -> list[tuple[tuple[Role, str], Photos]]:
        return [(key, photos) for key, photos in self.photos.items() if key[0] == role]


def brightness(photo: Photo) -> Tensor:
    """A mask [1, 1, H, W] in 0..1: how bright the picture is, nothing where it is transparent."""
    gray = unit(photo.pixels).mean(1, keepdim=True)
    return gray if photo.alpha is None else gray * unit(photo.alpha)


def _laid(mask: Tensor, native: Size, size: Size) -> Tensor:
    """A mask stretched over the source, cut as that is cut."""
    return cropped(fitted_mask(mask, native), size)


def source_name(photo: Photo) -> str:
    """The name of a picture that lies in no file, by its content."""
    return photo.name or f"picture {photo.sha256[:12]}"


def with_handed_in(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Photos]]:
    """``values`` of a recipe with every guide and mask as text, and the pictures that were handed in themselves."""
    texts, given = dict(values), dict[str, Photos]()

    def name(picture: Any) -> str:
        if isinstance(picture, str | Path):
            return os.fspath(picture)
        photo = opened(picture)
        given[source_name(photo)] = (photo,)
        return source_name(photo)

    if "guide" in texts:
        several = texts["guide"] if isinstance(texts["guide"], list | tuple) else [texts["guide"]]
        handed = [each if isinstance(each, str | Handed) else Handed(each) for each in several]
        texts["guide"] = [
            each if isinstance(each, str) else Guide(name(each.picture), each.layer, each.weight).text()
            for each in handed
        ]
    if texts.get("mask") is not None:
        texts["mask"] = name(texts["mask"])
    return texts, given


def recorded(
    files: Iterable[tuple[Role, str]], assets: Sequence[Asset], found: Callable[[Asset], Photo]
) -> dict[str, Photos]:
    """The pictures of ``files`` that a Record knows, each ``found`` and under its recorded path."""
    given: dict[str, Photos] = {}
    for role, file in files:
        known = [each for each in assets if _is_named(each, role, file)]
        if known:
            given[file] = tuple(replace(found(each), name=each.path) for each in known)
    return given


def _is_named(asset: Asset, role: Role, file: str) -> bool:
    """Whether ``file``, as a recipe names it for that ``role``, is the ``asset`` or the folder that it lay in."""
    return asset.role == role and (asset.path == file or Path(asset.path).parent == Path(file))


def finder(
    output: Path, handed: Sequence[Photo], read: Open | None = None, trust: bool = False
) -> Callable[[Asset], Photo]:
    """Where a recorded guide or mask is: among what was ``handed`` in, or where :func:`find_asset` looks; ``read``
    by :func:`opened` where nothing else is said."""
    by_content, read = {photo.sha256: photo for photo in handed}, read or opened

    def find(asset: Asset) -> Photo:
        return by_content.get(asset.sha256) or read(find_asset(asset, output, None, "[[assets]]", trust))

    return find


def find_asset(asset: Asset, output: Path, given: Source, remedy: str, trust: bool = False) -> Path:
    """The file that is the ``asset`` in the Record of ``output``, told by its SHA-256; ``remedy`` names the option.

    A Record may come from a stranger. So a recorded path is opened only beside ``output``, below the folder of
    ``output`` or below the current folder; with ``trust`` wherever it is. Of any other path nothing is said, not even
    whether a file is there. Raises :class:`InputError` where the file is not found, is another one, or cannot be read.
    """
    near = [path for path in _recorded_paths(asset, output) if trust or _is_near(path, output)]
    candidates = near if given is None else [Path(str(given))]
    there = [path for path in candidates if os.path.isfile(path)]  # a device or a pipe may have no end
    for path in there:
        if _sha256(path, asset, remedy, LARGEST_ASSET if given is None else None) == asset.sha256:
            return path
    if there:
        raise InputError(
            f"{there[0]} is not the {asset.role} that {output} was made from (its SHA-256 differs); "
            f"give the original with {remedy}."
        )
    if given is None and not _is_near(Path(asset.path), output) and not trust:
        raise InputError(
            f"The {asset.role} {asset.path} of {output} is neither beside it nor below the current folder; say where "
            f"it lies with {remedy}, or add [[trust=True]] to open it at its recorded path."
        )
    raise InputError(
        f"The {asset.role} {asset.path} of {output} is not there; say where it lies with {remedy}."
    )


def _recorded_paths(asset: Asset, output: Path) -> list[Path]:
    return [Path(asset.path), output.parent / asset.path, output.parent / Path(asset.path).name]


def _is_near(path: Path, output: Path) -> bool:
    """Whether ``path`` lies below the folder of ``output`` or the current folder, judged by its name alone."""
    here = Path(os.path.abspath(path))
    roots = [Path(os.path.abspath(output.parent)), Path.cwd()]
    return any(here.is_relative_to(root) for root in roots if root != root.parent)


def _sha256(path: Path, asset: Asset, remedy: str, most: int | None) -> str:
    """SHA-256 in hex of the file at ``path``, which has at most ``most`` bytes."""
    try:
        with open(path, "rb") as file:
            if most is not None and os.fstat(file.fileno()).st_size > most:
                raise InputError(f"The {asset.role} {path} has more than {most:,} bytes; name it with {remedy}.")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"The {asset.role} {path} cannot be read ({error.strerror}); change its permissions, or name a copy "
            f"with {remedy}."
        ) from None


def require_listed(
    wanted: Iterable[tuple[Role, str]], chosen: Iterable[tuple[Role, str]], assets: Sequence[Asset], output: Path
) -> None:
    """Raise :class:`InputError` where a Record wants a file whose content it does not name.

    ``wanted`` are the pictures of the recipe to be replayed. Those in ``chosen`` were named by the user, and those
    among ``assets`` are known by their SHA-256. Any other path might be one of the reader's private files.
    """
    named = set(chosen)
    for role, file in wanted:
        if (role, file) not in named and not any(_is_named(each, role, file) for each in assets):
            raise InputError(
                f"The record in {output} names the {role} {file}, but not its SHA-256; choose a picture with "
                f"[[changes]] {role}=PATH, or add [[trust=True]] to open it."
            )


def opened(source: Source, max_pixels: int = files.MAX_PIXELS) -> Photo:
    """A Photo from a path, the bytes of a file, an array, a tensor or a Pillow image; :class:`InputError` for
    anything else. Integers keep their depth: uint8 and uint16 mean 0..1 over their whole range."""
    if isinstance(source, str | Path | bytes):
        return files.load(source, max_pixels)
    if isinstance(source, PillowImage.Image):
        return _from_pillow(source, max_pixels)
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3:
            raise InputError(f"An array of shape {source.shape} is no picture; give [height, width, 3].")
        if source.dtype.kind not in "buif":
            raise InputError(f"An array of {source.dtype} is no picture; give uint8, uint16 or floats in 0..1.")
        plain = np.dtype(np.float32) if source.dtype.kind not in "u" else source.dtype.newbyteorder("=")
        source = torch.from_numpy(source.astype(plain)).permute(2, 0, 1)
    if not isinstance(source, Tensor):
        raise InputError(f"A {type(source).__name__} is no picture; give a path, an array or a tensor.")
    if source.is_complex():
        raise InputError(f"A tensor of {source.dtype} is no picture; give uint8, uint16 or floats in 0..1.")
    pixels = source.detach().cpu()
    pixels = pixels.clone() if pixels.dtype in (torch.uint8, torch.uint16) else pixels.float().clone()
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or 0 in pixels.shape:
        raise InputError(f"A tensor of shape {tuple(source.shape)} is no picture; give [3, height, width].")
    if pixels.is_floating_point() and not (
        torch.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1
    ):
        raise InputError("The picture's values leave 0..1; scale them first.")
    digest = hashlib.sha256()  # of the picture as floats, so that its depth makes no other source of it
    for band in (band for plane in pixels[0] for band in plane.split(256)):
        digest.update(unit(band).contiguous().numpy().tobytes())
    return Photo(pixels, None, None, digest.hexdigest(), (), "")


def _from_pillow(picture: PillowImage.Image, max_pixels: int) -> Photo:
    """Through a file in a temporary folder, so that orientation, alpha and depth mean what they mean in files."""
    mode, size = picture.mode, picture.size
    if 0 in size:
        raise InputError(f"The Pillow image has {size[0]}x{size[1]} pixels; give one that has some.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.tif"
        try:
            picture.load()
            kept, exif = _storable(picture), None
            with contextlib.suppress(Exception):  # broken EXIF is as good as none
                exif = picture.getexif()
            profile = None if mode == "LAB" else picture.info.get("icc_profile")  # Pillow's own, of no use here
            kept.save(path, exif=exif, icc_profile=profile)
            found = files.load(path, max_pixels)
        except InputError as error:
            raise InputError(str(error).replace(str(path), "The Pillow image")) from None
        except Exception as error:  # a file that is read only now may be broken in any way
            raise InputError(
                f"The Pillow image of mode {mode} cannot be read ({error}); read its file again, or convert it to RGB."
            ) from None
    notes = tuple(note.replace(path.name, "The Pillow image", 1) for note in found.notes)
    return replace(found, name="", notes=notes)


def _storable(picture: PillowImage.Image) -> PillowImage.Image:
    """``picture`` in a mode that a TIFF holds and that means as much."""
    mode = picture.mode
    if mode == "I;16N":  # the machine's own order of bytes
        return PillowImage.frombytes(
            "I;16" if sys.byteorder == "little" else "I;16B", picture.size, picture.tobytes()
        )
    other = {"P": "RGBA", "PA": "RGBA", "RGBa": "RGBA", "La": "LA", "HSV": "RGB"}.get(mode, mode)
    return picture if other == mode else picture.convert(other)
