"""Weights fitted into a network or refused in a sentence, and written as files of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from reverie.errors import InputError
from reverie.network import Network
from reverie.zoo.catalog import SIZES
from reverie.zoo.weight_files import State, read_weights

__all__ = ["State", "about", "class_count", "filled", "heads", "labels", "read_weights", "save_weights"]

ABOUT = "reverie"
"""The key of the metadata in files that we write."""


def filled(network: Network, state: State) -> Network:
    """``network`` with the tensors of ``state`` in it; :class:`InputError` when they do not fit."""
    # Files from before PyTorch 0.4.1 do not count batches, and nothing here reads the count.
    own = {
        key: value
        for key, value in network.module.state_dict().items()
        if key in state.tensors or not key.endswith(".num_batches_tracked")
    }
    for key, value in own.items():
        given = state.tensors.get(key)
        if given is None or given.shape != value.shape:
            raise InputError(
                f"The weights in {state.path} belong to another network than {network.name} "
                f"(its tensor {key} is {'missing' if given is None else 'of another shape'})."
            )
        if not torch.isfinite(given).all():
            raise InputError(f"The weights in {state.path} are damaged: {key} holds NaN or infinity.")
    network.module.load_state_dict({key: state.tensors[key] for key in own}, strict=False)
    return network


def class_count(name: str, state: State | None, key: str, fallback: int) -> int:
    """How many classes the head of a file has; :class:`InputError` when it has none of that name."""
    if state is None:
        return fallback
    if state.head:
        return state.head
    head = state.tensors.get(key)
    if head is None or head.ndim not in (2, 4) or not head.numel():
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
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or len(names) != count or not all(isinstance(each, str) for each in names):
        raise InputError(f"The class names in {state.path} do not fit its weights; fetch it again.")
    return tuple(names)


def heads(network: Network) -> int:
    """How many classes the logits of ``network`` tell apart."""
    weight = network.module.get_submodule(network.logits).weight
    assert isinstance(weight, Tensor)
    return int(weight.shape[0])


def save_weights(path: Path, network: Network, about: Mapping[str, Any]) -> None:
    """Write the network's tensors as safetensors, and with them its normalization and ``about``.

    Raises OSError as it comes.
    """
    told = {"mean": network.mean, "std": network.std, **about}
    tensors = {key: value.contiguous() for key, value in network.module.state_dict().items()}
    path.write_bytes(safetensors.torch.save(tensors, {ABOUT: json.dumps(told)}))


def about(state: State) -> dict[str, Any]:
    """What :func:`save_weights` wrote of the network; nothing for any other file."""
    if ABOUT not in state.about:
        return {}
    try:
        told = json.loads(state.about[ABOUT])
        mean, std = ([float(value) for value in told[key]] for key in ("mean", "std"))
        sound = all(map(math.isfinite, (*mean, *std))) and all(value > 0 for value in std)
        if len(mean) == len(std) == 3 and sound and str(told["labels"]) in SIZES:
            return {**told, "mean": mean, "std": std}
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        pass
    raise InputError(f"What {state.path} says of itself is damaged; fetch it again.")
