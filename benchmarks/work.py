"""How much a step computes: the operations of the convolutions on the way to a layer and back to the picture."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.case import Case
from reverie import zoo
from reverie.ascent.gradient import image_gradient
from reverie.loop.plan import resolve
from reverie.network import Network


def loaded(name: str) -> Network:
    """The built-in network as it is, any other with random weights, which cost the same."""
    return zoo.load(name) if name == "motif" else zoo.architecture(name)


def operations(case: Case) -> int:
    """Counted on the frozen network as it stands, cut behind the deepest layer: what no engine can avoid."""
    network = loaded(case.network)
    objective = resolve(network, case.layer or network.objective)
    with FlopCounterMode(display=False) as counter:
        image_gradient(network, objective, torch.rand(1, 3, *case.size))
    return counter.get_total_flops()
