"""Reel: the frames of a film on disk, one by one, so that whatever interrupts it costs at most the one under way.

A folder with a lossless PNG for each frame, a journal with a line for each frame that is whole, and the state that
the next frame starts from, of the last two. A frame counts once its line is on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from PIL import Image
from safetensors.torch import load, save

from reverie.errors import OutputError
from reverie.files import to_uint8
from reverie.files.decoding import Array
from reverie.film.frame import Take

_JOURNAL, _ABOUT, _LOCK = "journal.jsonl", "reel.json", "lock"
_OURS = re.compile(rf"\d{{6,}}\.(png|safetensors)|{_JOURNAL}|{_ABOUT}|{_LOCK}|.+\.part")


class Reel:
    """The folder ``folder``, begun or gone on with; a context manager that keeps other processes out.

    ``fingerprint`` says which film this is: recipe, settings, assets. A reel of another film is refused with
    :class:`OutputError`, unless ``anew``, which empties it. ``about`` is kept with the reel from its beginning on; it
    is the Record's text, and names what the first frame was made with. Raises :class:`OutputError` where the disk is
    full or may not be written; what lies there stays whole.
    """

    def __init__(self, folder: Path, fingerprint: str, about: str = "", *, anew: bool = False) -> None:
        self.folder, self.fingerprint, self.about = Path(folder), fingerprint, about
        self.times: list[Fraction] = []
        self._sums: list[tuple[str, str]] = []  # SHA-256 of each picture and of its state
        with self._writing():
            self.folder.mkdir(exist_ok=True)
        self._lock = FileLock(self.folder / _LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise OutputError(f"{self.folder} is being written by another process; wait for it.") from None
        try:
            with self._writing():
                if anew:
                    self._emptied()
                self._begun() if not (self.folder / _ABOUT).exists() else self._resumed()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Reel:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __len__(self) -> int:
        """How many frames are whole."""
        return len(self.times)

    def add(self, take: Take) -> None:
        """Keep a frame and its state for good; the frame before last gives up its state."""
        index, picture = len(self), io.BytesIO()
        Image.fromarray(to_uint8(take.image)).save(picture, "PNG", compress_level=2)
        # Copies, since safetensors refuses tensors that share memory: a loop's first image is also its first frame.
        state = save({name: each.detach().cpu().contiguous().clone() for name, each in take.state.items()})
        sums = hashlib.sha256(picture.getvalue()).hexdigest(), hashlib.sha256(state).hexdigest()
        with self._writing():
            _whole(self._picture(index), picture.getvalue())
            _whole(self._state(index), state)
            line = json.dumps({"frame": index, "time": str(take.time), "picture": sums[0], "state": sums[1]})
            with open(self.folder / _JOURNAL, "ab") as file:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.times.append(Fraction(take.time))
        self._sums.append(sums)
        if index > 1:
            self._state(index - 2).unlink(missing_ok=True)

    def done(self) -> Take | None:
        """The last whole frame, read from the disk, as 8-bit steps of 0..1, with its state; None at the beginning."""
        if not self.times:
            return None
        pixels = torch.from_numpy(self.picture(len(self) - 1)).permute(2, 0, 1)[None].float() / 255
        return Take(pixels, self.times[-1], load(self._state(len(self) - 1).read_bytes()))

    def picture(self, index: int) -> Array:
        """One frame, uint8 [H, W, 3]."""
        try:
            with Image.open(self._picture(index)) as picture:
                return np.array(picture.convert("RGB"))
        except (OSError, SyntaxError):
            raise OutputError(
                f"{self._picture(index)} is missing or damaged; put it back, or delete the folder to begin anew."
            ) from None

    def frames(self) -> Iterator[tuple[Fraction, Array]]:
        """Time in seconds and picture of every whole frame, one at a time."""
        for index, time in enumerate(self.times):
            yield time, self.picture(index)

    def remove(self) -> None:
        """Take the folder away; strangers' files in it stay, and so does the folder then."""
        with contextlib.suppress(OSError):
            self._emptied()
            self._lock.release()
            (self.folder / _LOCK).unlink(missing_ok=True)
            self.folder.rmdir()

    def _begun(self) -> None:
        values = {"fingerprint": self.fingerprint, "about": self.about}
        _whole(self.folder / _ABOUT, json.dumps(values).encode())

    def _resumed(self) -> None:
        try:
            values = json.loads((self.folder / _ABOUT).read_bytes())
            fingerprint, self.about = values["fingerprint"], values["about"]
        except (ValueError, KeyError, TypeError):
            raise OutputError(f"{self.folder / _ABOUT} is damaged; {_ANEW}") from None
        if fingerprint != self.fingerprint:
            raise OutputError(
                f"{self.folder} holds the beginning of another film; name another [[path]], or {_ANEW}"
            )
        self._read_journal()
        # After a loss of power the last lines may speak of what never reached the disk.
        while self.times and not self._sound(len(self) - 1):
            self.times.pop(), self._sums.pop()
        missing = next((n for n in range(len(self)) if not self._picture(n).is_file()), None)
        if missing is not None:
            raise OutputError(
                f"{self._picture(missing)} is missing; put it back, or delete the folder to begin anew."
            )
        self._tidied()

    def _read_journal(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for line in (self.folder / _JOURNAL).read_bytes().splitlines(keepends=True):
                try:
                    values = json.loads(line)
                    entry = Fraction(values["time"]), (values["picture"], values["state"])
                except (ValueError, KeyError, TypeError):
                    return  # torn off when the machine stopped
                if not line.endswith(b"\n") or values["frame"] != len(self.times):
                    return
                self.times.append(entry[0])
                self._sums.append(entry[1])

    def _sound(self, index: int) -> bool:
        for path, known in zip((self._picture(index), self._state(index)), self._sums[index], strict=True):
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != known:
                return False
        return True

    def _tidied(self) -> None:
        """The journal as long as the film, and nothing in the folder that it does not speak of."""
        lines = [
            json.dumps({"frame": index, "time": str(time), "picture": sums[0], "state": sums[1]}) + "\n"
            for index, (time, sums) in enumerate(zip(self.times, self._sums, strict=True))
        ]
        _whole(self.folder / _JOURNAL, "".join(lines).encode())
        for path in self.folder.iterdir():
            number = int(path.stem) if path.stem.isdecimal() else -1
            beyond = number >= len(self) or (path.suffix == ".safetensors" and number < len(self) - 2)
            if _OURS.fullmatch(path.name) and (path.suffix == ".part" or (number >= 0 and beyond)):
                path.unlink()

    def _emptied(self) -> None:
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name != _LOCK:
                path.unlink()

    def _picture(self, index: int) -> Path:
        return self.folder / f"{index:06}.png"

    def _state(self, index: int) -> Path:
        return self.folder / f"{index:06}.safetensors"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"cannot be written ({error.strerror}); name another [[path]]"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                why = f"holds {len(self)} whole frames and the disk is full; free some space"
                why += ", then the same command goes on"
            raise OutputError(f"{self.folder} {why}.") from None


_ANEW = "[[overwrite=True]] begins anew."


def has_film(folder: Path, fingerprint: str) -> bool:
    """Whether ``folder`` is the reel of this very film."""
    try:
        return bool(json.loads((folder / _ABOUT).read_bytes())["fingerprint"] == fingerprint)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def short_of_space(reel: Reel, total: int | None) -> str | None:
    """A sentence where the rest of ``total`` frames will not fit on the disk, by the size of the first ones."""
    if total is None or not len(reel):
        return None
    sizes = [(reel.folder / f"{index:06}.png").stat().st_size for index in range(len(reel))[-3:]]
    needed = max(sizes) * (total - len(reel))
    free = shutil.disk_usage(reel.folder).free
    if needed <= free:
        return None
    return f"The film needs about {needed / 1e9:.1f} GB on the way and {free / 1e9:.1f} GB are free in {reel.folder}."


def _whole(path: Path, data: bytes) -> None:
    """The file with all of its bytes, on the disk, or as it was before."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
