"""The judge looks where it says, and counts as it says."""

from __future__ import annotations

import json

import pytest
import torch

from reverie import files, zoo
from training import judge
from training.motifs import MOTIFS


def test_it_looks_at_three_places_apart_where_most_has_changed() -> None:
    before = torch.rand(1, 3, 200, 300, generator=torch.Generator().manual_seed(0))
    after = before.clone()
    spots = {(20, 30): 0.5, (110, 10): 0.4, (90, 200): 0.3}
    for (y, x), much in spots.items():
        after[..., y : y + 60, x : x + 60] += much
    corners = judge.changed(before, after, 60)
    assert corners == list(spots)
    assert torch.equal(judge.cut(after, corners, 60)[1], after[0, :, 110:170, 10:70])


def test_the_surest_place_is_where_the_network_sees_the_class() -> None:
    network = zoo.load("motif")
    owl = list(MOTIFS).index("owl")
    noise = 0.5 + 0.05 * torch.randn(1, 3, 256, 384, generator=torch.Generator().manual_seed(1))
    drawn = noise.clone()
    picture = torch.full((1, 3, 96, 96), 0.5, requires_grad=True)
    for _ in range(8):  # a crude owl of the network's own
        score = network.capture(picture, [network.logits])[network.logits][:, owl].mean()
        (slope,) = torch.autograd.grad(score, picture)
        picture = (picture + 0.05 * slope / slope.abs().mean()).clamp(0, 1).detach().requires_grad_(True)
    drawn[..., 144:240, 272:368] = picture.detach()
    ((y, x),) = judge.surest(network, drawn, owl, 96)
    assert (y, x) == (pytest.approx(144, abs=33), pytest.approx(272, abs=33))
    assert 0 <= y <= 160 and 0 <= x <= 288


def test_a_place_among_the_guesses_counts_the_likelier_classes() -> None:
    likely = torch.tensor([0.1, 0.4, 0.2, 0.3])
    assert [judge.place(likely, label) for label in range(4)] == [3, 0, 2, 1]


def verdict(motif: str, rank: int, before: int, correlation: float) -> judge.Verdict:
    crops = torch.rand(judge.CROPS, 3, 160, 160, generator=torch.Generator().manual_seed(rank))
    return judge.Verdict(motif, "sky", rank, before, correlation, crops, crops[0])


def test_the_summary_counts_first_and_among_three() -> None:
    found = [verdict("owl", 0, 3, 0.9), verdict("rose", 2, 0, 0.7), verdict("fern", 3, 5, 0.8)]
    found.append(verdict("eye", 0, 1, 0.5))
    assert judge.summary(found) == {
        "dreams": 4,
        "first": 0.5,
        "among_three": 0.75,
        "untouched_first": 0.25,
        "correlation_median": 0.75,
        "correlation_least": 0.5,
    }


def test_a_blind_look_hides_its_key_and_is_drawn_by_seed(tmp_path) -> None:
    found = [verdict(motif, at, 9, 0.8) for at, motif in enumerate(list(MOTIFS)[:12])]
    judge.blind(found, tmp_path / "one", count=5, seed=3)
    words = json.loads((tmp_path / "one" / "words.json").read_text())
    key = json.loads((tmp_path / "blind-key.json").read_text())
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == [*(f"0{n}.png" for n in range(1, 6)), "words.json"]
    for number, motif in key.items():
        assert motif in words[number] and len(set(words[number])) == 10 and words[number] == sorted(words[number])
        shown = files.load(tmp_path / "one" / f"{int(number):02d}.png").pixels
        assert shown.shape == (1, 3, 480, 480)
    judge.blind(found, tmp_path / "two", count=5, seed=3)
    assert json.loads((tmp_path / "blind-key.json").read_text()) == key
