"""The Record's text inside a film: a comment in FFmpeg's containers, a chunk of its own in moving pictures."""

from __future__ import annotations

import contextlib
import json
import struct
import zlib
from pathlib import Path
from typing import Any

from reverie import image
from reverie.errors import InputError
from reverie.film.ffmpeg import pyav
from reverie.image import text as image_text

FOLDER_RECORD = "film.json"


def read_text(path: Path) -> str | None:
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
        return image.read_text(path)
    av = pyav()
    try:
        with av.open(
            f"file:{path}", container_options={"protocol_whitelist": "file"}, metadata_errors="ignore"
        ) as file:
            found = {key.lower(): text for key, text in file.metadata.items()}.get("comment", "")
    except (av.error.FFmpegError, OSError, ValueError):
        raise InputError(f"{path} is no film that can be read; name one that Reverie wrote.") from None
    return image_text.found({"comment": found.encode()}, "")


def in_gif(data: bytes, text: str) -> bytes:
    """A GIF with ``text`` as its comment, before the first frame."""
    words, at = image_text.comment(text), 13 + (3 * 2 ** ((data[10] & 7) + 1) if data[10] & 128 else 0)
    blocks = [words[start : start + 255] for start in range(0, len(words), 255)]
    comment = b"!\xfe" + b"".join(bytes([len(each)]) + each for each in blocks) + b"\0"
    return data[:at] + comment + data[at:]


def in_png(data: bytes, text: str) -> bytes:
    """A PNG or APNG with ``text`` as compressed iTXt, right after its header."""
    body = b"reverie\0\1\0\0\0" + zlib.compress(text.encode())
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    return data[:33] + chunk + data[33:]


def in_webp(data: bytes, text: str) -> bytes:
    """A WebP with ``text`` as XMP; animations always have the extended header that says so."""
    xmp = image_text.xmp(text)
    changed = bytearray(data)
    changed[20] |= 4
    changed += b"XMP " + struct.pack("<I", len(xmp)) + xmp + b"\0" * (len(xmp) % 2)
    changed[4:8] = struct.pack("<I", len(changed) - 8)
    return bytes(changed)


STAMPS: dict[str, Any] = {"gif": in_gif, "apng": in_png, "webp": in_webp}
