"""The motif table: a new motif is one function and one line here.

A motif is a function ``(rng, size) -> layer``. An *object* stands alone on a transparent ground,
centered, filling most of the frame; a *surface* covers the whole frame and is seen whole or cut
to a shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from numpy.random import Generator

from training.canvas import Layer
from training.motifs import beasts, creatures, devices, elements, flora, patterns, skins, works


@dataclass(frozen=True)
class Motif:
    """How one class is drawn and placed."""

    draw: Callable[[Generator, int], Layer]
    kind: Literal["object", "surface"] = "object"
    upright: bool = False  # keeps its feet down: only slightly turned


MOTIFS: dict[str, Motif] = {
    "owl": Motif(creatures.owl, upright=True),
    "cat": Motif(creatures.cat, upright=True),
    "dog": Motif(creatures.dog, upright=True),
    "bird": Motif(creatures.bird, upright=True),
    "fish": Motif(creatures.fish, upright=True),
    "butterfly": Motif(creatures.butterfly),
    "beetle": Motif(creatures.beetle),
    "jellyfish": Motif(creatures.jellyfish, upright=True),
    "tentacle": Motif(creatures.tentacle),
    "snake": Motif(beasts.snake),
    "dragon": Motif(beasts.dragon, upright=True),
    "face": Motif(beasts.face, upright=True),
    "mask": Motif(beasts.mask, upright=True),
    "lion": Motif(beasts.lion, upright=True),
    "turtle": Motif(beasts.turtle),
    "frog": Motif(beasts.frog, upright=True),
    "octopus": Motif(beasts.octopus, upright=True),
    "dragonfly": Motif(beasts.dragonfly),
    "eye": Motif(skins.eye, upright=True),
    "reptile_eye": Motif(skins.reptile_eye),
    "peacock": Motif(skins.peacock),
    "feather": Motif(skins.feather),
    "nautilus": Motif(skins.nautilus),
    "shell": Motif(skins.shell),
    "pearls": Motif(skins.pearls),
    "scales": Motif(skins.scales, "surface"),
    "fur": Motif(skins.fur, "surface"),
    "leopard": Motif(skins.leopard, "surface"),
    "zebra": Motif(skins.zebra, "surface"),
    "daisy": Motif(flora.daisy),
    "rose": Motif(flora.rose),
    "sunflower": Motif(flora.sunflower),
    "lotus": Motif(flora.lotus),
    "leaf": Motif(flora.leaf),
    "fern": Motif(flora.fern),
    "tree": Motif(flora.tree, upright=True),
    "mushroom": Motif(flora.mushroom, upright=True),
    "coral": Motif(flora.coral, upright=True),
    "dandelion": Motif(elements.dandelion, upright=True),
    "succulent": Motif(elements.succulent),
    "pinecone": Motif(elements.pinecone),
    "starfish": Motif(elements.starfish),
    "castle": Motif(works.castle, upright=True),
    "pagoda": Motif(works.pagoda, upright=True),
    "gear": Motif(works.gear),
    "arches": Motif(works.arches, upright=True),
    "cathedral": Motif(devices.cathedral, upright=True),
    "facade": Motif(devices.facade, "surface", upright=True),
    "rose_window": Motif(devices.rose_window),
    "lantern": Motif(devices.lantern, upright=True),
    "clock": Motif(devices.clock),
    "wheel": Motif(devices.wheel),
    "spiral": Motif(works.spiral),
    "galaxy": Motif(works.galaxy),
    "crystal": Motif(works.crystal),
    "flame": Motif(works.flame, upright=True),
    "wave": Motif(elements.wave, upright=True),
    "cloud": Motif(elements.cloud, upright=True),
    "lightning": Motif(elements.lightning, "surface", upright=True),
    "bubbles": Motif(elements.bubbles),
    "snowflake": Motif(elements.snowflake),
    "moon": Motif(elements.moon),
    "stained_glass": Motif(works.stained_glass, "surface"),
    "honeycomb": Motif(works.honeycomb, "surface"),
    "knot": Motif(works.knot, "surface"),
    "julia": Motif(patterns.julia, "surface"),
    "turing": Motif(patterns.turing, "surface"),
    "mosaic": Motif(patterns.mosaic, "surface"),
    "truchet": Motif(patterns.truchet, "surface"),
    "islamic_star": Motif(patterns.islamic_star, "surface"),
    "lace": Motif(patterns.lace, "surface"),
    "weave": Motif(patterns.weave, "surface"),
    "knitting": Motif(patterns.knitting, "surface"),
    "bricks": Motif(patterns.bricks, "surface"),
    "giraffe": Motif(patterns.giraffe, "surface"),
    "agate": Motif(patterns.agate, "surface"),
    "carpet": Motif(patterns.carpet),
    "circuit": Motif(devices.circuit, "surface"),
    "glyphs": Motif(devices.glyphs, "surface", upright=True),
}
