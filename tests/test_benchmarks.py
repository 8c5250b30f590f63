"""The benchmark itself: what it counts, that contestants run in turn, that its page holds together."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.case import NETWORKS, Case, parsed
from benchmarks.duel import duel
from benchmarks.report import ratio, write
from benchmarks.startup import run
from benchmarks.work import operations
from reverie import zoo

TINY = Case("motif", "stage1", (64, 96), precision="fp32")


def test_a_case_survives_its_text() -> None:
    assert parsed(TINY.text()) == TINY


def test_every_network_is_measured() -> None:
    assert NETWORKS.keys() == zoo.NETWORKS.keys()


def test_the_operations_are_those_of_the_convolutions_there_and_back() -> None:
    forward = 2 * (3 * 6 * 6) * 32 * (32 * 48)
    assert operations(TINY) == 2 * forward


def test_contestants_run_in_turn_and_one_that_breaks_is_left_out() -> None:
    here = Path(sys.executable)
    entries = {
        "ours": ("ours", TINY, here),
        "plain": ("plain", TINY, here),
        "broken": ("ours", replace(TINY, layer="no_such_layer"), here),
    }
    taken = duel(entries, rounds=2, clock="cpu", steps=2, whole=False)
    assert taken["broken"] is None
    for label in ("ours", "plain"):
        each = taken[label]
        assert each is not None and 0 < each.seconds < 60 and each.peak > 50e6
    whole = duel({"plain": entries["plain"]}, rounds=1, clock="wall", steps=1, whole=True)
    assert whole["plain"] is not None and whole["plain"].seconds > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_worker_does_not_count_the_memory_of_who_started_it() -> None:
    held = bytearray(700_000_000)
    held[:: 4096] = b"x" * len(held[:: 4096])
    taken = duel({"ours": ("ours", TINY, Path(sys.executable))}, rounds=1, clock="cpu", steps=1, whole=True)
    assert taken["ours"] is not None and taken["ours"].peak < len(held)


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    case: dict[str, Any] = {"network": "vgg16", "layer": "relu4_3", "size": (384, 512), "threads": 1}

    def taken(**seconds: float) -> dict[str, Any]:
        made = {label.replace("_", " "): {"seconds": each, "peak": 2e8} for label, each in seconds.items()}
        # Two rounds: the second, in which all took twice as long, changes no ratio.
        return {label: each | {"each": (each["seconds"], 2 * each["seconds"])} for label, each in made.items()}

    step = taken(ours_bf16=0.5, ours_fp32=1.0, plain_PyTorch=4.0) | taken(a_peer=3.0) | {"b": None}
    found = {
        "about": {"machine": "a machine", "torch": "2", "clock": "wall", "rounds": 5, "quick": False},
        "limits": [{"threads": 1, "precision": "bf16", "gemm": 3e12, "convolution": 2e12}],
        "steps": [{"case": case, "taken": step, "operations": 25e10}],
        "runs": [{"case": case, "taken": taken(ours_bf16=5, plain_PyTorch=30), "steps": 10}],
        "growth": [{"case": case, "taken": taken(ours_bf16=0.5)}],
        "startup": [{"what": "import torch", "threads": 2, "seconds": 1.06}],
    }
    write(found, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text("utf-8")
    assert "| vgg16 relu4_3 | 1 | 250.0 | 500 | 25% | 1000 | 4000 | 8.00x | 4.00x |" in text
    assert "| vgg16 relu4_3 | 1 | a peer | 3000 | 6.00x | 3.00x | 200 | 200 |" in text
    assert "| vgg16 relu4_3 | 1 | b | - | - | - | - | 200 |" in text
    assert "| vgg16 relu4_3 | 512x384 | 1 | 1 x 10 | 5.00 | 30.00 | 6.00x | 200 | 200 |" in text
    assert "| vgg16 relu4_3 | 0.20 | 1 | 500 | 2.54 | 200 |" in text
    assert "| `import torch` | 2 | 1.1 |" in text
    assert "Rough" not in text
    shown = {name: (tmp_path / "img" / name).read_bytes() for name in ("benchmarks.svg", "benchmarks-growth.svg")}
    assert all(f"img/{name}" in text and data.startswith(b"<?xml") for name, data in shown.items())
    write(found, tmp_path)
    assert all((tmp_path / "img" / name).read_bytes() == data for name, data in shown.items())


def test_the_ratio_is_that_of_the_rounds() -> None:
    # In the second round the machine was busy with something else while one of them had its turn.
    assert ratio({"each": (4.0, 4.0, 6.0)}, {"each": (2.0, 8.0, 2.0)}) == 2.0


def test_start_up_is_timed_in_processes_of_their_own() -> None:
    assert 0 < run(("-c", "pass"), "cpu", 1) < 60
    assert 0.2 <= run(("-c", "import time; time.sleep(0.2)"), "wall", 1) < 60
