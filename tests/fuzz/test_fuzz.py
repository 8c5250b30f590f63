"""Mutated pictures and Records: nothing but the documented errors, and nothing slow. Run with ``make fuzz``."""

from __future__ import annotations

import io
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

import reverie
from reverie import files
from reverie.errors import ReverieError
from reverie.recipe import record

pytestmark = pytest.mark.fuzz
SECONDS = float(os.environ.get("REVERIE_FUZZ_SECONDS", "20"))  # for each test
SLOWEST = 5.0
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)


def pillow(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, kind, **options)
    return out.getvalue()


def tiff(kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, PIXELS.astype(kind), photometric="rgb", metadata=None, **options)
    return out.getvalue()


SEEDS = [
    *(pillow(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")),
    pillow("JPEG", progressive=True),
    *(tiff("u2", compression=each, rowsperstrip=5) for each in (None, "lzw", "zlib", "zstd")),
    tiff("f4", compression="zlib", predictor=3),
    tiff("u4", compression="lzw", tile=(16, 16)),
    imagecodecs.avif_encode(PIXELS.astype(np.uint16) * 4, bitspersample=10),
    imagecodecs.jpeg8_encode(PIXELS.astype(np.uint16) * 16, bitspersample=12),
]


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """``seed`` with some bytes changed, taken out, doubled or set to what lengths and counts break at."""
    data = bytearray(seed)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at = dice.randrange(min(len(data), dice.choice((64, 400, len(data)))) or 1)
        length = dice.choice((1, 1, 2, 4, 40))
        new = (
            dice.randbytes(length),
            b"",
            data[at : at + length] * 2,
            dice.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length,
        )
        data[at : at + length] = dice.choice(new)
    return bytes(data)


def rounds() -> Iterator[random.Random]:
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        yield random.Random(number)
        number += 1
    assert number >= 5


def held(call: Callable[[], object], number: object) -> None:
    start, code = time.process_time(), 3
    try:
        call()
    except ReverieError as error:
        code = error.exit_code
    assert code in (2, 3, 4, 5), number
    assert time.process_time() - start < SLOWEST, number


def test_pictures() -> None:
    for at, dice in enumerate(rounds()):
        data = mutated(dice.choice(SEEDS), dice)
        held(lambda data=data: files.load(data, 4_000_000), at)


def test_texts_of_records(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    quick = {"steps": 1, "octaves": 1, "threads": 1, "network": "motif"}
    text = reverie.job(tmp_path / "a.png", **quick).record.text().encode()
    for at, dice in enumerate(rounds()):
        data = mutated(text, dice).decode("utf-8", "replace")
        held(lambda data=data: record.parse_record(data, Path("a.png")), at)


def test_records_with_values_of_any_kind(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    quick = {"steps": 1, "octaves": 1, "threads": 1, "network": "motif"}
    values = json.loads(reverie.job(tmp_path / "a.png", **quick).record.text())
    odd = [None, 5, -1, 1e308, "", "x" * 5000, "\0", [], {}, [[[]]], True, "/dev/zero", ["/dev/zero"], 10**40]
    for at, dice in enumerate(rounds()):
        changed = json.loads(json.dumps(values))
        place = dice.choice([changed, changed["recipe"], *changed["assets"]])
        place[dice.choice(sorted(place))] = dice.choice(odd)
        made = io.BytesIO()
        files.write(made, files.load(tmp_path / "a.png").pixels / 255, ".png", text=json.dumps(changed))
        held(lambda made=made: reverie.replay(made.getvalue(), source=tmp_path / "a.png"), at)
