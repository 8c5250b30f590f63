"""Checkpoints: a long dream that was killed goes on from its last finished octave, to the same bytes."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reverie.errors import InputError, OutputError
from reverie.files.writing import unfinished
from reverie.loop.render import Frame
from reverie.recipe.record import Record

PATIENCE = 60.0  # seconds of work that may be lost unasked


def differences(ours: Record, theirs: Record) -> list[str]:
    """What makes two dreams different pictures, by name: recipe fields, assets by content, device, versions ..."""
    mine, other = _fingerprint(ours), _fingerprint(theirs)
    return sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))


def _fingerprint(record: Record) -> dict[str, Any]:
    whole = record.model_dump(mode="json", exclude={"recipe", "assets", "depth"})
    assets: dict[str, list[str]] = {}
    for asset in record.assets:  # by content, wherever it lies now; of guides and masks there may be several
        assets.setdefault(f"the {asset.role}", []).append(asset.sha256)
    return {**whole, **record.recipe.model_dump(mode="json"), **assets}


class Checkpoint:
    """A file that holds what the last finished octave of a dream handed on, and the Record of that dream.

    It is written at the end of an octave, whole or not at all, once ``patience`` seconds of work would be lost
    without it; never after the last octave, when the picture itself is there. A disk that is full costs the
    checkpoint, not the dream: ``trouble`` then says so in one sentence. What lies at ``path`` and is of another dream
    is neither replaced nor removed. ``ours`` says whether this one wrote the file, or goes on with it.
    """

    def __init__(self, path: str | os.PathLike[str], record: Record, patience: float = 0.0) -> None:
        self.path, self.record, self.patience = Path(path), record, patience
        self.trouble, self.ours = "", False
        self._since = time.monotonic()

    def found(self) -> tuple[int, Tensor | None]:
        """The octave to begin at, and the tensor [1, 3, h, w] that it is handed; 0 and None without a file.

        Raises :class:`InputError` where the file is of another dream, or damaged, and :class:`OutputError` where none
        could be written.
        """
        if not os.path.isdir(self.path.parent):
            raise OutputError(f"{self.path} lies in a folder that does not exist; make the folder first.")
        with unfinished(self.path) as temporary:
            temporary.touch()
            if not _there(self.path):
                return 0, None
        record, octave, detail = self._read()
        other = differences(self.record, record)
        if other == ["tile"]:  # which the free memory of that day may have decided
            how = "whole" if record.tile == "none" else f"in tiles of {record.tile} px"
            raise InputError(f"{self.path} was begun {how}; go on with [[tile={record.tile}]].")
        if other:
            what = ", ".join(other[:4]) + (" ..." if len(other) > 4 else "")
            raise InputError(
                f"{self.path} is of another dream (not the same: {what}); repeat what it was begun with, or remove it."
            )
        self.ours = True
        return octave, detail

    def _read(self, whole: bool = True) -> tuple[Record, int, Tensor | None]:
        """What the file says; its tensor, which is as large as a picture, only where the ``whole`` is wanted."""
        try:
            with safe_open(self.path, framework="pt") as file:
                told = file.metadata() or {}
                record = Record.model_validate(json.loads(told["record"]))
                return record, int(told["octave"]), file.get_tensor("detail") if whole else None
        except (OSError, SafetensorError, KeyError, ValueError, ValidationError) as error:
            raise InputError(f"{self.path} is no checkpoint, or damaged; remove it to begin anew.") from error

    def occupied(self) -> bool:
        """Whether something else lies at ``path``, so that nothing can be kept there; ``trouble`` then says so."""
        if self.ours:
            return False
        try:
            strange = _there(self.path) and bool(differences(self.record, self._read(whole=False)[0]))
        except OSError:  # such as a name that is too long, about which writing will tell
            return False
        except InputError:
            strange = True
        if strange:
            self.trouble = f"{self.path} is not of this dream and stays as it is; of this one nothing is kept."
        return strange

    def keep(self, frame: Frame) -> None:
        """Write down what ``frame`` hands on, if it ends an octave and the patience is at its end."""
        if frame.handed is None or time.monotonic() - self._since < self.patience or self.occupied():
            return
        temporary = self.path.with_name(f".reverie-{secrets.token_hex(8)}.part")
        told = {"record": self.record.text(), "octave": str(frame.octave + 1)}
        try:
            save_file({"detail": frame.handed.detach().cpu().contiguous()}, temporary, told)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            self._since, self.trouble, self.ours = time.monotonic(), "", True
        except (OSError, SafetensorError) as error:
            self.trouble = f"{self.path} cannot be written ({error}); a crash would cost the whole dream."
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def remove(self) -> None:
        """The picture is there: nothing is left to go on with. Only what is :attr:`ours` goes; where it cannot,
        ``trouble`` says so."""
        if not self.ours:
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:  # the picture is there all the same
            self.trouble = f"{self.path} is not needed any more and cannot be removed ({error.strerror}); remove it."


def _there(path: Path) -> bool:
    """Whether anything has that name; OSError for a name that nothing can have."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True
