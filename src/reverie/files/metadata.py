"""Opaque text inside picture files: where each format keeps it, and how it is found again."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

_MARK = "reverie: "  # tells our text from a stranger's comment, where a format has no keys
_XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:r="urn:reverie">
<r:text>{}</r:text></rdf:Description></rdf:RDF></x:xmpmeta>"""
_PLAIN = " !\"#$'()*+,-./:;=?@[\\]^_`{|}~"  # ASCII that XML and TIFF carry as it is
LONGEST_TEXT = 1_000_000  # characters; readers refuse a PNG with more


def writable_text(text: str) -> str:
    """``text`` as it can be written; :class:`ValueError` where it is too long for any reader."""
    words = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate cannot be written
    if len(words) > LONGEST_TEXT:
        raise ValueError("its text is longer than a million characters")
    return words


def comment(text: str) -> bytes:
    """The comment of a JPEG."""
    return (_MARK + writable_text(text)).encode()


def description(text: str) -> str:
    """The description of a TIFF: ASCII."""
    return _MARK + quote(writable_text(text), _PLAIN)


def xmp(text: str) -> bytes:
    """The XMP packet of a WebP."""
    return _XMP.format(description(text)).encode()


def find_text(info: dict[Any, Any], described: str) -> str | None:
    """The text in what Pillow says of a picture, and in the description of a TIFF; None where there is none."""
    if "reverie" in info:
        return str(info["reverie"])
    packet = re.search(rb"<r:text>([^<]*)<", info.get("xmp", b""))
    plain = packet[1].decode() if packet else described
    text = unquote(plain) or info.get("comment", b"").decode("utf-8", "replace")
    return text.removeprefix(_MARK) if text.startswith(_MARK) else None
