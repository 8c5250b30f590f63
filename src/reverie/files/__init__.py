"""Files to pixels and back: the only place where still pictures are read and written.

``load`` takes what a camera, a scanner or a browser leaves behind and gives upright sRGB pixels in the depth of the
file; ``save`` never leaves half a file. Both go through a picture strip by strip, so that neither holds more than one
copy of it. Whatever cannot be done is one sentence of ``reverie.errors``.
"""

from reverie.files.reading import MAX_PIXELS, READS, FileSource, Photo, listing, load, load_image, read_text
from reverie.files.writing import WRITES, check_depth, check_text, check_writable, save, to_uint8, write

__all__ = [
    "MAX_PIXELS",
    "READS",
    "WRITES",
    "FileSource",
    "Photo",
    "check_depth",
    "check_text",
    "check_writable",
    "listing",
    "load",
    "load_image",
    "read_text",
    "save",
    "to_uint8",
    "write",
]
