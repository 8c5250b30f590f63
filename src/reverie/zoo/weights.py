"""Weights files: read safely, told by content, fitted into a network or refused in a sentence."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from reverie.errors import InputError
from reverie.network import Network


@dataclass(frozen=True)
class State:
    """Tensors by key, what the file says of itself, and its SHA-256."""

    path: Path
    tensors: Mapping[str, Tensor]
    sha256: str
    about: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> State:
    """The tensors of a safetensors or PyTorch file, as float32; :class:`InputError` when it is neither.

    PyTorch files are read with ``weights_only``: one that would run code is refused.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The weights file {path} does not exist; check its name and folder.") from None
    except OSError as error:
        raise InputError(f"The weights file {path} cannot be read: {error.strerror}.") from None
    if content[8:9] == b"{":
        tensors, about = _safetensors(path, content)
    elif content[:4] == b"PK\x03\x04" or content[:1] == b"\x80":
        tensors, about = _pytorch(path, content), {}
    else:
        raise InputError(f"{path} is no weights file; give one in safetensors or PyTorch format.")
    return State(
        path,
        {key: value.float() for key, value in tensors.items()},
        hashlib.sha256(content).hexdigest(),
        about,
    )


def _safetensors(path: Path, content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        tensors = safetensors.torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, header.get("__metadata__", {})
    except (SafetensorError, ValueError, OverflowError):
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None


def _pytorch(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        # From memory: given a path, torch would go by its suffix.
        loaded: Any = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error) or "Weights only" in str(error) or "GLOBAL" in str(error):
            raise InputError(
                f"The weights file {path} holds code, not only weights, and was not opened; "
                "save its state_dict instead."
            ) from None
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None
    except Exception:  # a broken archive fails in many ways, none of them documented
        raise InputError(f"The weights file {path} is damaged or cut short; fetch it again.") from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise InputError(f"The weights file {path} holds no state_dict; save the network's state_dict.")
    return {str(key).removeprefix("module."): value for key, value in loaded.items()}


def filled(network: Network, state: State) -> Network:
    """``network`` with the tensors of ``state`` in it; :class:`InputError` when they do not fit."""
    own = network.module.state_dict()
    for key, value in own.items():
        given = state.tensors.get(key)
        if given is None or given.shape != value.shape:
            raise InputError(
                f"The weights in {state.path} belong to another network than {network.name} "
                f"(its tensor {key} is {'missing' if given is None else 'of another shape'})."
            )
        if not torch.isfinite(given).all():
            raise InputError(f"The weights in {state.path} are damaged: {key} holds NaN or infinity.")
    network.module.load_state_dict({key: state.tensors[key] for key in own})
    return network


def classes(name: str, state: State | None, key: str, fallback: int) -> int:
    """How many classes the head of a file has; :class:`InputError` when it has none of that name."""
    if state is None:
        return fallback
    head = state.tensors.get(key)
    if head is None or head.ndim != 4 or not head.numel():
        raise InputError(
            f"The weights in {state.path} belong to another network than {name} (no tensor {key} that fits)."
        )
    return int(head.shape[0])


def labels(state: State | None, count: int) -> tuple[str, ...]:
    """The class names that a file of ours carries, ``count`` of them; none when it carries none."""
    if state is None or "labels" not in state.about:
        return ()
    try:
        names = json.loads(state.about["labels"])
    except ValueError:
        names = None
    if not isinstance(names, list) or len(names) != count or not all(isinstance(each, str) for each in names):
        raise InputError(f"The class names in {state.path} do not fit its weights; fetch it again.")
    return tuple(names)
