"""What ``auto`` means as a network: one that saw ImageNet where its package is installed, else the built-in one."""

from __future__ import annotations

import os

from reverie.errors import UsageError
from reverie.recipe import AUTO
from reverie.zoo.catalog import published
from reverie.zoo.fetch import available
from reverie.zoo.packages import remedy

PREFERRED = ("efficientnet_lite2", "efficientnet_lite0")
"""Networks with ImageNet weights in a Python package, the one that dreams best first."""

BUILT_IN = "motif"
VARIABLE = "REVERIE_NETWORK"


def automatic() -> str:
    """The network that ``auto`` is on this machine: REVERIE_NETWORK, else the first whose weights are here."""
    if given := os.environ.get(VARIABLE, "").strip():
        if given == AUTO:
            raise UsageError(f"{VARIABLE} says what 'auto' means; name a network that 'reverie networks' lists.")
        return given
    return next((name for name in PREFERRED if available(name)), BUILT_IN)


def settled(name: str) -> str:
    """``name``, or the network that ``auto`` is."""
    return automatic() if name == AUTO else name


def advice(name: str) -> str | None:
    """What to tell people whose ``auto`` became the network ``name``; None where nothing better is to be had."""
    if name != BUILT_IN or os.environ.get(VARIABLE, "").strip():
        return None
    return (
        f"dreaming with the built-in network {BUILT_IN}; {remedy(published(PREFERRED[0]))} brings one that saw "
        "ImageNet: dogs, birds, eyes."
    )
