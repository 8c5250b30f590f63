"""The Record's text inside a film: a comment in FFmpeg's containers, a chunk of its own in moving pictures."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from reverie import files
from reverie.errors import InputError
from reverie.files.metadata import comment, find_text, xmp
from reverie.files.png import text_chunk
from reverie.film.ffmpeg import pyav

FOLDER_RECORD = "film.json"
_PIECE = 1 << 20


def read_film_text(path: Path) -> str | None:
    """The text in a film's file, or in a folder of frames; None where there is none.

    Raises :class:`InputError` for what is neither film nor picture.
    """
    if path.is_dir():
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            text = json.loads((path / FOLDER_RECORD).read_text("utf-8"))["text"]
            return None if text is None else str(text)
        raise InputError(f"{path} is a folder without a {FOLDER_RECORD}; name a film.")
    head = b""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        head = file.read(12)
    if not head or head.startswith((b"GIF8", b"\x89PNG", b"\xff\xd8", b"II", b"MM")) or head[8:] == b"WEBP":
        return files.read_text(path)
    av = pyav()
    try:
        with av.open(
            f"file:{path}", container_options={"protocol_whitelist": "file"}, metadata_errors="ignore"
        ) as file:
            found = {key.lower(): text for key, text in file.metadata.items()}.get("comment", "")
    except (av.error.FFmpegError, OSError, ValueError):
        raise InputError(f"{path} is no film that can be read; name one that Reverie wrote.") from None
    return find_text({"comment": found.encode()}, "")


def in_gif(file: BinaryIO, text: str) -> None:
    """Put ``text`` into a GIF as its comment, before the first frame."""
    file.seek(10)
    packed = file.read(1)[0]
    words = comment(text)
    blocks = [words[start : start + 255] for start in range(0, len(words), 255)]
    block = b"!\xfe" + b"".join(bytes([len(each)]) + each for each in blocks) + b"\0"
    _insert(file, 13 + (3 * 2 ** ((packed & 7) + 1) if packed & 128 else 0), block)


def in_png(file: BinaryIO, text: str) -> None:
    """Put ``text`` into a PNG or APNG as compressed iTXt, right after its header."""
    _insert(file, 33, text_chunk(text))


def in_webp(file: BinaryIO, text: str) -> None:
    """Put ``text`` into a WebP as XMP; animations always have the extended header that says so."""
    packet = xmp(text)
    file.seek(20)
    flags = file.read(1)[0]
    file.seek(20)
    file.write(bytes([flags | 4]))
    file.seek(0, os.SEEK_END)
    file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2))
    length = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<I", length))


def _insert(file: BinaryIO, at: int, data: bytes) -> None:
    """``data`` in the middle of an open file, moved apart piece by piece: an hour of GIF is larger than the memory."""
    end = file.seek(0, os.SEEK_END)
    while end > at:
        start = max(at, end - _PIECE)
        file.seek(start)
        moved = file.read(end - start)
        file.seek(start + len(data))
        file.write(moved)
        end = start
    file.seek(at)
    file.write(data)


STAMPS: dict[str, Callable[[BinaryIO, str], None]] = {"gif": in_gif, "apng": in_png, "webp": in_webp}
