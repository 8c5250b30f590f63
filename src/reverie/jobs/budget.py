"""What a dream will cost before it is begun: bytes and seconds; and tiles as large as the memory allows.

Nothing is guessed from tables: a small dream of the same network and objective is run, and what it holds at once and
how long it takes is carried over to the sizes of the real one.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reverie.ascent.gradient import image_gradient
from reverie.ascent.rules import BLOCK, Ascent
from reverie.errors import UsageError
from reverie.loop.plan import Octave, Plan
from reverie.loop.render import render
from reverie.network import Network
from reverie.objective import Objective
from reverie.pixels.ops import Size, resize
from reverie.pixels.param import Pixels
from reverie.recipe import Run
from reverie.tile import Tiles
from reverie.tile.huge import moves
from reverie.tile.out_of_memory import Retreat

TILE_SIDES = (4096, 3072, 2048, 1536, 1024, 768, 512, 384, 256, 192, 128, 96, 64)
"""Sides of tiles to choose from, in pixels."""

VAST = 16_000_000  # pixels from which on a tiled picture is never copied

SMALL_TRIAL, LARGE_TRIAL = 128, 288  # sides of the pictures that are tried out
ROOM = 96 << 20  # bytes: what libraries set aside besides, and encoders want at the end
SLACK = 1.12  # what allocators and libraries take beyond the tensors that are seen
KEPT = 24  # bytes a pixel that the loop and whoever listens hold besides: the octave's base, the frame
HOPE = 0.5  # of what is free: a dream is not refused unasked for less, since an estimate may be wrong


@dataclass(frozen=True)
class Estimate:
    """What a dream will take: ``peak`` bytes resident, ``tiles`` of ``side`` pixels (0: whole) in its last octave,
    ``margins``, the part, 0..1, of all computed pixels that is seen twice, ``steps`` and ``seconds``."""

    peak: int
    side: int
    tiles: int
    margins: float
    steps: int
    seconds: float


def free_memory() -> int:
    """Bytes that this process may still take, of what the machine, or its container, has free."""
    free = int(psutil.virtual_memory().available)
    limit, used = _text("/sys/fs/cgroup/memory.max").strip(), _text("/sys/fs/cgroup/memory.current").strip()
    if limit.isdecimal() and used.isdecimal():
        return min(free, max(0, int(limit) - int(used)))
    return free


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def _text(path: str) -> str:
    try:
        return Path(path).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


class _Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is active, counts the bytes of all tensors made, and the most that lived at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self.known: weakref.WeakSet[Any] = weakref.WeakSet()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def _gone(self, size: int) -> None:
        self.now -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, Tensor) and (storage := each.untyped_storage()) not in self.known:
                size = storage.nbytes()
                self.known.add(storage)
                weakref.finalize(storage, self._gone, size)
                self.now += size
                self.most = max(self.most, self.now)
        return out


@dataclass(frozen=True)
class _Cost:
    """``square`` a pixel, ``edge`` a pixel of the side, and ``fixed``."""

    fixed: float
    edge: float
    square: float

    def __call__(self, area: float) -> float:
        return self.fixed + self.edge * math.sqrt(area) + self.square * area


def _bytes(task: Callable[[int], object]) -> _Cost:
    """The most bytes at once of a task, by the side of its picture."""
    found = []
    for side in (SMALL_TRIAL, LARGE_TRIAL):
        task(side)  # whatever is kept for later is made now
        with _Held() as held:
            task(side)
        found.append(held.most)
    # Margins make every side longer by the same, so what grows with the area grows with the side too.
    square = (found[1] / LARGE_TRIAL - found[0] / SMALL_TRIAL) / (LARGE_TRIAL - SMALL_TRIAL)
    if square <= 0 or found[0] < square * SMALL_TRIAL**2:
        return _Cost(0, 0, found[1] / LARGE_TRIAL**2)
    return _Cost(0, found[0] / SMALL_TRIAL - square * SMALL_TRIAL, square)


def _seconds(task: Callable[[int], object]) -> _Cost:
    """The time of a task, by the side of its picture."""
    found = []
    for side in (SMALL_TRIAL, LARGE_TRIAL):
        taken = []
        for _ in range(3):
            begun = time.perf_counter()
            task(side)
            taken.append(time.perf_counter() - begun)
        found.append(min(taken[1:]))
    square = max(0.0, (found[1] - found[0]) / (LARGE_TRIAL**2 - SMALL_TRIAL**2))
    return _Cost(max(0.0, found[1] - square * LARGE_TRIAL**2), 0, square)


class _Trial:
    """Small dreams like that of ``plan``, once with the network and once without."""

    def __init__(self, plan: Plan, batch: int) -> None:
        self.plan, self.last, self.batch = plan, plan.octaves[-1], batch
        self.steps = min(2, self.last.steps)  # the second one carries what the first leaves

    def whole(self, side: int) -> None:
        """A step of a picture of that side, and all around it."""
        self._dream(side, image_gradient)

    def blind(self, side: int) -> None:
        """The same without a network."""
        self._dream(side, _blind)

    def look(self, side: int) -> None:
        """The network's part alone, on a crop of that side."""
        side = max(side, self.plan.network.smallest)
        image_gradient(self.plan.network, self.last.objective, self._noise(side))

    def _dream(self, side: int, look: Any) -> None:
        size = (side, side)
        mask = None if self.last.mask is None else resize(self.last.mask, size)
        octave = replace(self.last, size=size, steps=self.steps, mask=mask)
        plan = replace(self.plan, size=size, octaves=(octave,), look=look)
        for _ in render(plan, self._noise(side)):
            pass

    def _noise(self, side: int) -> Tensor:
        return torch.rand(self.batch, 3, side, side, generator=torch.Generator().manual_seed(0)).to(
            self.plan.device
        )


def _blind(
    network: Network,
    objective: Objective,
    image: Tensor,
    generator: torch.Generator | None = None,
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    terms = len(objective.terms)
    return image.new_zeros(terms, image.shape[0]), image.new_ones(terms if weights is None else 1, *image.shape)


def fit_plan(plan: Plan, options: Run, batch: int = 1) -> Plan:
    """``plan`` for ``batch`` pictures with the tiles that were asked for; ``auto`` takes the largest with which it
    stays within ``memory`` bytes resident (by default of what is free), none where it can.

    Raises :class:`UsageError` where ``memory`` does not suffice for the smallest tiles.
    """
    tile, mode, memory = options.tile, options.tile_mode, options.memory
    keeps = can_keep(plan)
    if mode == "shifted" and tile != "none":
        _alone(plan)
    if tile != "auto":
        return plan if tile == "none" else replace(plan, look=_tiles(plan, Tiles(tile, mode, keeps)))
    if plan.device.type == "cuda" and memory == "auto" and mode == "exact":
        return replace(plan, look=Retreat())  # a GPU says itself when its memory does not suffice
    room = resident() + round(0.8 * free_memory()) if memory == "auto" else memory
    height, width = plan.size
    # What any network needs a pixel was seen to stay below 4 kB: most pictures fit without asking twice.
    if memory == "auto" and resident() + 4096 * batch * height * width < room:
        return plan if mode == "exact" else replace(plan, look=Tiles(512, mode, keeps))
    trial = _Trial(plan, batch)
    if mode == "exact" and _peak(plan, trial) <= room:
        return plan
    blind, look, least = _bytes(trial.blind), _bytes(trial.look), 0.0
    refused: UsageError | None = None
    for side in TILE_SIDES:
        if side >= max(height, width) and side > TILE_SIDES[-1] and mode == "exact":
            continue
        tiled = replace(plan, look=Tiles(side, mode, keeps))
        try:
            least = _tiled_peak(tiled, trial, blind, look)
        except UsageError as error:
            refused = error
            break
        if least <= room:
            note = (
                f"A picture of {width}x{height} needs more than {readable(room)} at once; it is dreamt in tiles "
                f"of {side} px."
            )
            return replace(tiled, notes=(*plan.notes, note) if mode == "exact" else plan.notes)
    if memory == "auto" and (refused or least <= room + HOPE * free_memory()):
        return plan if refused else replace(plan, look=Tiles(TILE_SIDES[-1], mode, keeps))
    if refused:
        raise UsageError(
            f"A picture of {width}x{height} needs more than {readable(room)}, and cannot be dreamt in exact tiles; "
            "use [[tile_mode=shifted]], a smaller [[size]] or more [[memory]]."
        )
    raise UsageError(
        f"A picture of {width}x{height} needs at least {readable(least)} with the smallest tiles"
        f"{', more than is free' if memory == 'auto' else ''}; give that much [[memory]], or a smaller [[size]]."
    )


def can_keep(plan: Plan) -> bool:
    """Whether a picture is so large that its gradient is kept in half the bytes, and its dream one that allows it."""
    height, width = plan.size
    return height * width >= VAST and all(
        isinstance(octave.rule, Ascent)
        and not octave.rule.shaping.wraps
        and isinstance(octave.param(torch.zeros(1, 3, 1, 1)), Pixels)
        and plan.detail != "carry"
        and octave.views == 1
        and not (octave.crops or octave.compares)
        and moves(octave.transform)
        for octave in plan.octaves
    )


def _tiles(plan: Plan, look: Tiles) -> Tiles:
    if look.mode == "exact":  # what cannot be tiled is said now
        for octave in plan.octaves:
            look.layout(plan.network, octave.objective.layers, _seen(octave))
    return look


def _alone(plan: Plan) -> None:
    """Refuse tiles that are dreamt each by itself to what must know where in the picture it is."""
    for term in (term for octave in plan.octaves for term in octave.objective.terms):
        if term.follow is not None:
            raise UsageError(
                f"{term.name} goes by the place in the picture, which a tile dreamt by itself does not know; use "
                "[[tile_mode=exact]]."
            )


def tiling(plan: Plan) -> dict[str, Any]:
    """What a Record says of the tiles."""
    return {"tile": plan.look.side, "tile_mode": plan.look.mode} if isinstance(plan.look, Tiles) else {}


def estimate(plan: Plan, batch: int = 1) -> Estimate:
    """Run small dreams and say what ``plan`` will take. Listens to a clock: not for use within a dream."""
    trial = _Trial(plan, batch)
    blind, look = _seconds(trial.blind), _seconds(trial.look)
    seconds, computed, seen = 0.0, 0, 0
    for octave in plan.octaves:
        areas = pieces(plan, octave)
        own = octave.size[0] * octave.size[1]
        looks = octave.views * sum(look(area) for area in areas)
        seconds += octave.steps * (blind(own) / trial.steps + looks)
        size = _seen(octave)
        computed, seen = computed + sum(areas) * octave.steps, seen + size[0] * size[1] * octave.steps
    tiled = isinstance(plan.look, Tiles)
    return Estimate(
        peak=round(
            _tiled_peak(plan, trial, _bytes(trial.blind), _bytes(trial.look)) if tiled else _peak(plan, trial)
        ),
        side=plan.look.side if isinstance(plan.look, Tiles) else 0,
        tiles=len(pieces(plan, plan.octaves[-1])),
        margins=1 - seen / computed if computed else 0.0,
        steps=plan.total,
        seconds=seconds,
    )


def _peak(plan: Plan, trial: _Trial) -> float:
    area = plan.size[0] * plan.size[1]
    return resident() + SLACK * _bytes(trial.whole)(area) + KEPT * trial.batch * area + ROOM


def _tiled_peak(plan: Plan, trial: _Trial, blind: _Cost, look: _Cost) -> float:
    area, octave = plan.size[0] * plan.size[1], plan.octaves[-1]
    tile = look(max(pieces(plan, octave)))
    if isinstance(plan.look, Tiles) and plan.look.keeps and isinstance(octave.rule, Ascent):
        # The picture (12 bytes a pixel), the direction of the last step (6), the gradient of every term (6); beside
        # them first a tile, then a block that is shaped.
        rule, own = octave.rule, trial.batch * area
        direction = 6 if rule.momentum else 0
        looking = (12 + (direction if octave.steps > 1 else 0) + 6 * len(octave.objective.terms)) * own + tile
        block = max(each.area for each in rule.shaping.blocks(plan.size, BLOCK)[0])
        stepping = (12 + direction + 6) * own + blind(block)
        return resident() + SLACK * max(looking, stepping) + ROOM
    return resident() + SLACK * (blind(area) + tile) + KEPT * trial.batch * area + ROOM


def pieces(plan: Plan, octave: Octave) -> list[int]:
    """Pixels of each piece that the network sees in a step, margins included."""
    height, width = size = _seen(octave)
    if not isinstance(plan.look, Tiles):
        return [height * width]
    if plan.look.mode == "shifted":
        side = plan.look.side
        return [min(side, height) * min(side, width)] * math.ceil(height * width / side**2)
    return [tile.area for tile in plan.look.layout(plan.network, octave.objective.layers, size).tiles]


def _seen(octave: Octave) -> Size:
    """The size that the network sees of the picture, margins and all."""
    view, generator = (octave.crops or (octave.transform,))[0], torch.Generator().manual_seed(0)
    try:
        shape = view(torch.empty(1, 3, *octave.size, device="meta"), generator).shape
    except (RuntimeError, NotImplementedError):  # a view that looks at what it is given
        shape = view(torch.zeros(1, 3, *octave.size), generator).shape
    return shape[-2], shape[-1]


def readable(size: float) -> str:
    """1.5 GiB."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
