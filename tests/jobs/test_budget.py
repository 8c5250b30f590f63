"""What a dream is said to cost, what it costs, and the tiles that are chosen for it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from reverie import files, zoo
from reverie.ascent.gradient import image_gradient
from reverie.cli import main
from reverie.errors import UsageError
from reverie.jobs import budget
from reverie.loop.plan import Plan, prepare
from reverie.loop.render import render
from reverie.network import Network
from reverie.recipe import Recipe, valid_run
from reverie.tile import Tiles
from tests.oracle.networks import tiny_network

MIB = 1 << 20


def fitted(plan: Plan, **options: Any) -> Plan:
    return budget.fit_plan(plan, valid_run(options))


def planned(size: tuple[int, int] = (600, 800), network: Network | None = None, **values: Any) -> Plan:
    recipe = Recipe.of({"objective": "relu2 + relu1", "steps": 3, "octaves": 2}, values)
    return prepare(network or tiny_network(), recipe, size)


@pytest.mark.parametrize(("text", "size"), [
    ("2GiB", 2 << 30), ("1.5 G", 3 << 29), ("800MB", 800_000_000), ("900m", 900 * MIB), ("123456789", 123456789),
    ("64KiB", 1 << 16), ("auto", "auto"), (5000, 5000),
])  # fmt: skip
def test_memory_is_read_as_people_write_it(text: object, size: object) -> None:
    assert valid_run({"memory": text}).memory == size


@pytest.mark.parametrize("text", ["2 apples", "-1GiB", "GiB", "0", "1e9", ""])
def test_memory_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^memory must be 'auto' or a size like 2GiB"):
        valid_run({"memory": text})


@pytest.mark.parametrize("text", ["8", "big", "-64", "1e3"])
def test_a_tile_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^tile must be 'auto', 'none' or a side in pixels"):
        valid_run({"tile": text})
    assert valid_run({"tile": "64"}).tile == 64


def test_every_byte_of_a_task_is_counted() -> None:
    with budget._Held() as held:
        kept = torch.zeros(1000, dtype=torch.float32)
        (torch.zeros(5000, dtype=torch.uint8) + 1).sum()
        view = kept[10:].view(-1)
        del view
    assert 4000 + 10_000 <= held.most < 4000 + 10_100
    assert 4000 <= held.now < 4100


def test_what_fits_is_seen_whole() -> None:
    assert fitted(planned(), tile="auto", tile_mode="exact", memory="auto").look is image_gradient
    assert fitted(planned(), tile="auto", tile_mode="exact", memory=100 << 30).look is image_gradient
    assert fitted(planned(), tile="none", tile_mode="exact", memory=1).look is image_gradient


def test_what_does_not_fit_is_tiled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "resident", lambda: 0)
    monkeypatch.setattr(budget, "ROOM", 0)
    recipe = Recipe.of({"steps": 1, "octaves": 1, "bands": 0, "objective": "stage2"})
    plan = prepare(zoo.load("motif"), recipe, (800, 800))
    whole = budget._peak(plan, budget._Trial(plan, 1))
    tiled = fitted(plan, tile="auto", tile_mode="exact", memory=round(0.8 * whole))
    assert isinstance(tiled.look, Tiles)
    assert f"in tiles of {tiled.look.side} px" in tiled.notes[-1]
    assert budget.estimate(tiled).peak <= 0.8 * whole
    with pytest.raises(UsageError, match=r"needs at least .* with the smallest tiles; give that much memory"):
        fitted(plan, tile="auto", tile_mode="exact", memory=4 * MIB)


def test_tiles_that_were_asked_for_are_taken_or_refused() -> None:
    assert fitted(planned(), tile=96, tile_mode="exact", memory="auto").look.side == 96  # type: ignore[union-attr]
    assert fitted(planned(), tile=96, tile_mode="shifted", memory="auto").look.mode == "shifted"  # type: ignore[union-attr]
    assert isinstance(fitted(planned(), tile="auto", tile_mode="shifted", memory="auto").look, Tiles)


def test_what_no_tile_makes_small_enough_is_refused_before_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = prepare(zoo.load("motif"), Recipe(octaves=1), (3000, 3000))
    monkeypatch.setattr(budget, "free_memory", lambda: 100 * MIB)
    with pytest.raises(UsageError, match="more than is free; give that much memory, or a smaller size"):
        fitted(plan, tile="auto", tile_mode="exact", memory="auto")


def test_redirected_steps_share_one_layout() -> None:
    recipe = Recipe.of({"steps": 3, "octaves": 1, "redirect": 2, "objective": "stage2"})
    plan = fitted(prepare(zoo.load("motif"), recipe, (128, 160)), tile=64, tile_mode="exact", memory="auto")
    assert isinstance(plan.look, Tiles)
    for _ in render(plan, torch.rand(1, 3, 128, 160)):
        pass
    assert len(plan.look._layouts) == 2


def test_an_estimate_counts_tiles_margins_and_steps() -> None:
    plan = fitted(planned(), tile=200, tile_mode="exact", memory="auto")
    found = budget.estimate(plan)
    size = budget._seen(plan.octaves[-1])
    tiles = Tiles(200).layout(plan.network, frozenset({"relu1", "relu2"}), size).tiles
    assert (found.side, found.tiles, found.steps) == (200, len(tiles), 6)
    assert 0 < found.margins < 0.2
    assert found.seconds > 0
    assert budget.estimate(planned()).margins == 0


def test_a_dry_run_tells_all_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dream", "noise", "--size", "300", "--steps", "2", "--dry-run", "--tile", "128"]) == 0
    said = capsys.readouterr().out
    for word in ("300x200", "of 128 px", "iB at most", "time", "steps", "margins"):
        assert word in said
    assert main(["dream", "noise", "--size", "300", "--steps", "2", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["width"] == 300 and found["side"] == 0 and found["peak"] > 50 * MIB and found["seconds"] > 0
    assert not list(tmp_path.iterdir())


def test_a_tiled_dream_is_recorded_and_replays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ["--size", "160", "--steps", "1", "--octaves", "1", "--objective", "stage2",
             "--precision", "fp32"]  # fmt: skip
    assert main(["dream", "noise", *quick, "--tile", "64", "-o", "tiled.png"]) == 0
    assert main(["dream", "noise", *quick, "-o", "whole.png"]) == 0
    assert main(["dream", "noise", *quick, "--tile", "64", "--tile-mode", "shifted", "-o", "shifted.png"]) == 0
    for name in ("tiled", "whole", "shifted"):
        assert main(["replay", f"{name}.png", "-o", f"{name}-again.png"]) == 0
        assert Path(f"{name}.png").read_bytes() == Path(f"{name}-again.png").read_bytes()
    tiled, whole, shifted = (files.load(f"{name}.png").pixels.float() / 255 for name in ("tiled", "whole", "shifted"))
    assert float((tiled - whole).abs().mean()) < 1e-4
    assert float((shifted - whole).abs().mean()) > 5e-4


CASES = {
    "whole": {"size": "1500", "tile": "none"},
    "tiled": {"size": "1500", "tile": 384},
    "a layer": {"size": "2400", "tile": 512, "objective": "stage2"},
    "googlenet": {"network": "googlenet", "size": "1500", "tile": "none"},
    "googlenet tiled": {"network": "googlenet", "size": "2000", "tile": 512},
    "squeezenet": {"network": "squeezenet1_1", "size": "1200", "tile": "none", "objective": "class:3"},
}

RUN = """
import json, resource, sys, time, torch
from reverie import api, budget, zoo
options = json.loads(sys.argv[1])
if "network" in options:
    options["network"] = zoo.architecture(options["network"])
job = api.job(None, threads=1, steps=2, precision="fp32", **options)
said = budget.estimate(job.plan)
begun = time.perf_counter()
for frame in job.frames():
    pass
taken = time.perf_counter() - begun
job.picture(frame).save(sys.argv[2])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([said.peak / peak, said.seconds / taken]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_what_was_said_is_what_happens(options: dict[str, Any], tmp_path: Path) -> None:
    assert resource.getpagesize()  # a system that counts
    command = [sys.executable, "-c", RUN, json.dumps(options), str(tmp_path / "out.png")]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=one)
    memory, seconds = json.loads(made.stdout.splitlines()[-1])
    assert 0.75 < memory < 1.25
    assert 0.5 < seconds < 2
