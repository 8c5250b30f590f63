"""The process that reads what people hand in: pictures, films, names of a network. Run as ``python -m``.

What it makes of a dropped picture is a new PNG of its pixels alone: no metadata, no appended archive, no place of the
camera goes on into the studio's folder.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from reverie import files
from reverie.errors import InputError, ReverieError, UnknownName
from reverie.pixels.ops import fitted_size, resize, unit
from reverie.recipe.grammar import parse_objective
from reverie.recipe.schedule import objectives
from reverie.studio.files import FILMS, MOVING, written_whole
from reverie.studio.pipe import Pipe, limit_memory

MEMORY = 3 << 30
"""Bytes that reading one file may take."""
MOST_PIXELS = 100_000_000
"""Pixels of a picture that is handed in."""
QUALITY = 84


def read_clean(path: str, out: str, text: bool = True) -> dict[str, Any]:
    """Decode the picture at ``path`` and write its pixels to ``out`` as PNG; its Record, if it has one, as text."""
    photo = files.load(path, MOST_PIXELS)
    _save(out, photo.pixels, photo.alpha, photo.profile)
    height, width = photo.pixels.shape[-2:]
    notes = [each.replace(Path(path).name, "The picture") for each in photo.notes]
    return {
        "width": width,
        "height": height,
        "notes": notes,
        "record": files.read_text(path) if text else None,
    }


def _save(out: str, pixels: torch.Tensor, alpha: torch.Tensor | None, profile: bytes | None) -> None:
    """A PNG in the depth of ``pixels``."""
    depth: Literal[8, 16] = 16 if pixels.dtype == torch.uint16 else 8
    files.save(out, pixels, alpha=alpha, profile=profile, depth=depth, overwrite=True)


def read_clip(path: str, out: str) -> dict[str, Any]:
    """Open the video at ``path``, decode its first frame, and write it to ``out`` as a thumbnail."""
    from reverie.film.reading.clip import Clip

    found = Clip(path)
    first = next(found.frames(), None)
    if first is None:
        raise InputError("The video shows no picture; give another.")
    pixels = first[1]
    write_thumb(pixels, out, 480)
    return {"width": pixels.shape[-1], "height": pixels.shape[-2], "seconds": float(found.duration)}


def read_edited(path: str, out: str, turns: int, crop: list[float] | None) -> dict[str, Any]:
    """Turn the picture by so many quarters clockwise, then keep a part: left, top, width, height as shares 0..1."""
    photo = files.load(path, MOST_PIXELS)

    def cut(planes: torch.Tensor | None) -> torch.Tensor | None:
        if planes is None:
            return None
        turned = torch.rot90(planes, -turns, (-2, -1))
        if crop is not None:
            height, width = turned.shape[-2:]
            left, top = round(crop[0] * width), round(crop[1] * height)
            right = max(left + 1, min(width, round((crop[0] + crop[2]) * width)))
            bottom = max(top + 1, min(height, round((crop[1] + crop[3]) * height)))
            turned = turned[..., top:bottom, left:right]
        return turned.contiguous()

    pixels, alpha = cut(photo.pixels), cut(photo.alpha)
    assert pixels is not None
    _save(out, pixels, alpha, photo.profile)
    return {"width": pixels.shape[-1], "height": pixels.shape[-2], "notes": []}


def read_view(path: str, out: str, side: int) -> dict[str, Any]:
    """A WebP of the picture for the page, its long side at most ``side`` pixels (0: as large as it is)."""
    if Path(path).suffix.lower() in FILMS:
        return read_clip(path, out)
    pixels = files.load(path).pixels
    write_thumb(pixels, out, side)
    return {"width": pixels.shape[-1], "height": pixels.shape[-2]}


def write_thumb(pixels: torch.Tensor, out: str | Path, side: int) -> None:
    """Write a small WebP of [1, 3, H, W]."""
    size = (pixels.shape[-2], pixels.shape[-1])
    if side and max(size) > side:
        pixels = resize(pixels, fitted_size(size, side)).clamp(0, 1)
    encoded = io.BytesIO()
    Image.fromarray(files.to_uint8(unit(pixels.cpu()))).save(encoded, "WEBP", quality=QUALITY, method=2)
    with written_whole(Path(out)) as temporary:
        temporary.write_bytes(encoded.getvalue())


def read_facts(names: list[str]) -> dict[str, Any]:
    """Size and Record of many files of the folder, without decoding them; None for what is no picture or film."""
    return {"found": [_peeked(Path(name)) for name in names]}


def _peeked(path: Path) -> dict[str, Any] | None:
    try:
        if path.suffix.lower() in MOVING:
            return _film(path)
        with Image.open(path) as picture:
            width, height = picture.size
        return {"width": width, "height": height, "record": _known(files.read_text(path))}
    except (ReverieError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _film(path: Path) -> dict[str, Any]:
    from reverie.film.writing.metadata import read_film_text

    text = _known(read_film_text(path))
    size = json.loads(text)["recipe"].get("size") if text else None
    width, _, height = (size or "").partition("x")
    return {"width": int(width or 0), "height": int(height or 0), "record": text}


def _known(text: str | None) -> str | None:
    """The Record of a dream, or None for a view or something that cannot be read."""
    try:
        values = json.loads(text) if text else None
        return text if isinstance(values, dict) and "recipe" in values else None
    except (ValueError, RecursionError):
        return None


def read_mask(path: str, out: str) -> dict[str, Any]:
    """A painted mask: the brightness of a picture, as a gray PNG."""
    photo = files.load(path, MOST_PIXELS)
    gray = unit(photo.pixels).mean(1, keepdim=True)
    if photo.alpha is not None:
        gray = gray * unit(photo.alpha)
    files.save(out, gray.expand(-1, 3, -1, -1).contiguous(), overwrite=True)
    return {"width": gray.shape[-1], "height": gray.shape[-2], "notes": [], "empty": not bool(gray.any())}


_networks: dict[str, Any] = {}


def _network(name: str) -> Any:
    """The network with random weights, or with its own where they come with the package."""
    from reverie import zoo

    if name not in _networks:
        _networks.clear()  # one at a time: some are large
        _networks[name] = zoo.load(name) if zoo.entry(name).bundled else zoo.architecture(name)
    return _networks[name]


def read_names(network: str) -> dict[str, Any]:
    """What an objective can name in a network: its layers worth a look, with their channels, and its classes."""
    from reverie import atlas

    found = _network(network)
    layers = [
        {"name": atlas.layer_label(each), "path": each.name, "channels": each.channels}
        for each in atlas.worthwhile(found)
    ]
    return {
        "layers": layers,
        "classes": list(found.labels),
        "objective": found.objective,
        "guide": found.guide,
    }


def read_objective(network: str, text: str) -> dict[str, Any]:
    """Whether an objective can be read for a network; if not, the sentence and where in the text the fault lies."""
    from reverie.objective.resolve import Assets, resolve

    begin = 0
    try:
        for part in objectives(text):
            begin = text.find(part, begin)
            if part.strip():
                files = [file for target in parse_objective(part) for file in _files(target)]
                if files:
                    at = max(0, text.find(files[0]))
                    sentence = (
                        "Pictures are given as guides and masks in the studio, not by the name of a file."
                    )
                    return {"ok": False, "message": sentence, "start": at, "end": at + len(files[0])}
                resolve(_network(network), part, 0.0, Assets())
            begin += len(part)
    except ReverieError as error:
        start, end = _place(text, begin, error)
        return {
            "ok": False,
            "message": str(error),
            "start": start,
            "end": end,
            "near": list(error.near) if isinstance(error, UnknownName) else [],
        }
    return {"ok": True}


def _files(target: Any) -> list[str]:
    return [
        *(each for each in target.arguments if isinstance(each, str)),
        *([target.mask] if target.mask else []),
    ]


def _place(text: str, begin: int, error: ReverieError) -> tuple[int, int]:
    """Where in ``text`` the word stands that an error is about: the whole text where it cannot be told."""
    words = [error.name] if isinstance(error, UnknownName) else []
    words += [part for part in str(error).rpartition("cannot be read:")[2].split("'")[1::2] if part]
    for word in words:
        if word and word != text and (at := text.find(word, begin)) >= 0:
            return at, at + len(word)
    return (len(text.rstrip()), len(text)) if "ends where" in str(error) else (begin, len(text))


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "clean": read_clean,
    "clip": read_clip,
    "edit": read_edited,
    "view": read_view,
    "peek": read_facts,
    "mask": read_mask,
    "names": read_names,
    "check": read_objective,
}


def run_reader() -> None:
    """Answer requests one after the other, until the server is gone."""
    pipe = Pipe()
    torch.set_num_threads(1)
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    limit_memory(MEMORY)
    pipe.send(ready=True)
    pipe.listen()
    while True:
        request = pipe.inbox.get()
        number, task = request.pop("number"), request.pop("task")
        try:
            pipe.send(number=number, **TASKS[task](**request))
        except ReverieError as error:
            pipe.send(number=number, error=_unnamed(str(error), request))
        except MemoryError:
            pipe.send(
                number=number, error="The file needs more memory than a picture may take; make it smaller."
            )
        except Exception as error:  # a decoder may raise anything, and the next file is none the worse for it
            if "allocate memory" in str(error):
                pipe.send(
                    number=number,
                    error="The file needs more memory than a picture may take; make it smaller.",
                )
                continue
            print(f"{task}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            pipe.send(number=number, error="The file cannot be read; it is damaged, or no picture.")


def _unnamed(sentence: str, request: dict[str, Any]) -> str:
    """An error without the temporary path that the page never saw."""
    path = str(request.get("path", ""))
    return sentence.replace(path, "The picture") if path else sentence


if __name__ == "__main__":
    run_reader()
