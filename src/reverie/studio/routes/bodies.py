"""What the routes share: the studio behind a request, and bodies that are read no further than their limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from fastapi import Request

from reverie.errors import UsageError
from reverie.studio.parts import Studio

LONGEST_JSON = 4 << 20
"""Bytes of a request that is no upload."""


def studio_of(request: Request) -> Studio:
    """The studio that a request is for."""
    return cast(Studio, request.app.state.studio)


async def json_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body; :class:`UsageError` for anything else."""
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > LONGEST_JSON:
            raise UsageError("The request is too large.")
    try:
        read = json.loads(found or b"{}")
    except (ValueError, RecursionError):
        raise UsageError("The request is no JSON.") from None
    if not isinstance(read, dict):
        raise UsageError("The request is no JSON object.")
    return read


async def received(request: Request, path: Path, most: int) -> int:
    """Write the body to ``path`` as it comes; :class:`UsageError` once it is larger than ``most`` bytes."""
    sentence = f"The file is larger than {most >> 20} MB; make it smaller first."
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise UsageError(sentence)
    size = 0
    with open(path, "wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise UsageError(sentence)
            file.write(piece)
    if not size:
        raise UsageError("The file is empty.")
    return size
