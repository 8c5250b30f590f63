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

from reverie.errors import InputError
from reverie.loop import Frame
from reverie.record import Record

PATIENCE = 60.0  # seconds of work that may be lost unasked


def differences(ours: Record, theirs: Record) -> list[str]:
    """What makes two dreams different pictures, by name: recipe fields, assets by content, device, versions ..."""
    mine, other = _fingerprint(ours), _fingerprint(theirs)
    return sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))


def _fingerprint(record: Record) -> dict[str, Any]:
    whole = record.model_dump(mode="json", exclude={"recipe", "assets", "depth"})
    assets = {f"the {asset.role}": asset.sha256 for asset in record.assets}  # wherever it lies now
    return {**whole, **record.recipe.model_dump(mode="json"), **assets}


class Checkpoint:
    """A file that holds what the last finished octave of a dream handed on, and the Record of that dream.

    It is written at the end of an octave, whole or not at all, once ``patience`` seconds of work would be lost
    without it; never after the last octave, when the picture itself is there. A disk that is full costs the
    checkpoint, not the dream: ``trouble`` then says so in one sentence.
    """

    def __init__(self, path: str | os.PathLike[str], record: Record, patience: float = 0.0) -> None:
        self.path, self.record, self.patience = Path(path), record, patience
        self.trouble = ""
        self._since = time.monotonic()

    def found(self) -> tuple[int, Tensor | None]:
        """The octave to begin at, and the tensor [1, 3, h, w] that it is handed; 0 and None without a file.

        Raises :class:`InputError` where the file is of another dream, or damaged.
        """
        if not self.path.exists():
            return 0, None
        try:
            with safe_open(self.path, framework="pt") as file:
                told = file.metadata() or {}
                record = Record.model_validate(json.loads(told["record"]))
                octave, detail = int(told["octave"]), file.get_tensor("detail")
        except (OSError, SafetensorError, KeyError, ValueError, ValidationError) as error:
            raise InputError(f"{self.path} is no checkpoint, or damaged; remove it to begin anew.") from error
        other = differences(self.record, record)
        if other == ["tile"]:  # which the free memory of that day may have decided
            how = "whole" if record.tile == "none" else f"in tiles of {record.tile} px"
            raise InputError(f"{self.path} was begun {how}; go on with --tile {record.tile}.")
        if other:
            what = ", ".join(other[:4]) + (" ..." if len(other) > 4 else "")
            raise InputError(
                f"{self.path} is of another dream (not the same: {what}); repeat what it was begun with, or remove it."
            )
        return octave, detail

    def keep(self, frame: Frame) -> None:
        """Write down what ``frame`` hands on, if it ends an octave and the patience is at its end."""
        if frame.handed is None or time.monotonic() - self._since < self.patience:
            return
        temporary = self.path.with_name(f".reverie-{secrets.token_hex(8)}.part")
        told = {"record": self.record.text(), "octave": str(frame.octave + 1)}
        try:
            save_file({"detail": frame.handed.detach().cpu().contiguous()}, temporary, told)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
            self._since, self.trouble = time.monotonic(), ""
        except (OSError, SafetensorError) as error:
            self.trouble = f"{self.path} cannot be written ({error}); a crash would cost the whole dream."
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()

    def remove(self) -> None:
        """The picture is there: nothing is left to go on with."""
        self.path.unlink(missing_ok=True)
