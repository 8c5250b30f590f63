"""Tensors under the keys of a network, whatever a training script has wrapped around them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reverie.network import Network
from reverie.zoo.weight_files import State

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Names that torch puts into the middle of keys: data parallel, compiled, sharded and checkpointed modules."""

LONGEST_KEY = 500
"""Characters of a key that are looked at; no network has longer ones."""

_AVERAGED = re.compile(r"(?:^|[._])(?:ema|averaged?|swa|teacher|shadow)(?:$|[._])", re.IGNORECASE)


@dataclass(frozen=True)
class _Set:
    """One set of weights in a file: what its keys begin with, and its tensors by the network's own keys."""

    prefix: str
    tensors: dict[str, Tensor]
    fitting: int

    @property
    def averaged(self) -> bool:
        return _AVERAGED.search(self.prefix) is not None


def unwrapped(state: State, blank: Callable[[], Network]) -> State:
    """``state`` under the keys of the network that ``blank`` builds, as far as its keys end like those.

    What stands before the network's own keys (``model.``, ``_orig_mod.``, ``state_dict.``) is told by how many
    tensors fit, in name and shape. Of several sets in one file an average over training (EMA) is preferred, and the
    note says so; what it lacks comes from the others. A layer's alias is as good as its path: packages publish one
    architecture under several layouts.
    """
    if not state.tensors:
        return state
    with torch.device("meta"):  # its names and shapes alone are wanted
        network = blank()
    own = network.module.state_dict()
    sets = _sets(state.tensors, own, network.aliases)
    if not sets:
        return state
    best = max(each.fitting for each in sets)
    # An average has no counters and no batch statistics.
    parameters = sum(1 for _ in network.module.parameters())
    enough = min(best, 0.9 * parameters)
    averaged = next((each for each in sets if each.averaged and each.fitting >= enough), None)
    plain = [each for each in sets if not each.averaged and each.fitting >= enough]
    order = [averaged, *plain] if averaged else [each for each in sets if each.fitting == best]
    tensors: dict[str, Tensor] = {}
    for each in (*order, *sets):
        if each is not None:
            tensors = {**each.tensors, **tensors}
    # A head of another width is refused before a network with as many classes is built.
    head = f"{network.logits}.weight"
    if head in tensors and head in own and tensors[head].shape[1:] != own[head].shape[1:]:
        del tensors[head]
    note = ""
    if averaged and plain:
        note = f"{state.path} holds several sets of weights; the averaged ones ({averaged.prefix}) were taken."
    return replace(state, tensors=tensors, note=note)


def _sets(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], aliases: Mapping[str, str]) -> list[_Set]:
    """Each beginning of keys behind which the network's own keys stand, the best first."""
    parts = {part for key in own for part in key.split(".")}
    dropped = {part for part in WRAPPERS if part not in parts}
    found: dict[str, dict[str, Tensor]] = {}
    fitting: Counter[str] = Counter()
    for key, value in tensors.items():
        if len(key) > LONGEST_KEY:
            continue
        words = [word for word in key.split(".") if word not in dropped]
        for at in range(len(words)):
            home = _home(".".join(words[at:]), own, aliases)
            if home is None:
                continue
            prefix = ".".join(words[:at])
            found.setdefault(prefix, {}).setdefault(home, value)
            fitting[prefix] += own[home].shape == value.shape
    made = [_Set(prefix, found[prefix], fitting[prefix]) for prefix in found]
    return sorted(made, key=lambda each: (-each.fitting, -len(each.tensors), each.prefix.count(".")))


def _home(key: str, own: Mapping[str, Tensor], aliases: Mapping[str, str]) -> str | None:
    """The network's key that ``key`` stands for; None where it has none."""
    if key in own:
        return key
    module, dot, tensor = key.rpartition(".")
    path = f"{aliases.get(module, module)}{dot}{tensor}"
    return path if path in own else None
