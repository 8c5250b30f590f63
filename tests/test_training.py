"""Training resumes where it was killed, and exports what it trained. Renders and a network of toy size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from training import scene, train
from training.motifs import MOTIFS

TINY = train.Settings(batch=4, phases=((4, 16, 0.0), (4, 16, 0.5)), keep_every=2)


class Killed(Exception):
    pass


def small(classes: int) -> nn.Module:
    return nn.Sequential(train.StandardizedConv(3, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, classes, 1))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with two renders a class that cost nothing."""
    random = torch.Generator().manual_seed(0)
    n = 2 * len(train.LABELS)
    pictures = torch.randint(0, 256, (n, 3, 24, 24), generator=random).to(torch.uint8)
    labels = torch.arange(n) // 2
    monkeypatch.setattr(train, "rendered", lambda settings: (pictures, labels, pictures, labels))
    monkeypatch.setattr(train, "CACHE", tmp_path)
    return tmp_path


def test_a_killed_run_ends_with_the_same_network(cache, monkeypatch):
    whole = train.train(TINY, "whole", small).state_dict()
    schedule = train.schedule

    def cut(settings):
        yield from itertools.islice(schedule(settings), 5)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train, "schedule", cut)
        with pytest.raises(Killed):
            train.train(TINY, "cut", small)
    resumed = train.train(TINY, "cut", small).state_dict()
    assert resumed.keys() == whole.keys()
    for key, value in whole.items():
        assert torch.equal(resumed[key], value), key


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 1.0])
def test_a_shortened_run_has_its_share_of_steps_and_begins_unattacked(share):
    whole = train.Settings()
    short = train.shortened(whole, share)
    assert short.steps == pytest.approx(share * whole.steps, abs=len(whole.phases))
    assert [phase[1:] for phase in short.phases] == [phase[1:] for phase in whole.phases]
    plain = short.phases[0]
    assert plain[2] == 0 and plain[0] >= min(whole.phases[0][0], short.steps // 2 - 1)
    assert short.ema == pytest.approx(max(0.9, 1 - 0.002 / share))


def test_a_checkpoint_of_other_settings_is_not_resumed(cache, capsys):
    train.train(TINY, "one", small)
    train.train(train.Settings(**{**vars(TINY), "seed": 1}), "one", small)
    assert "resumed" not in capsys.readouterr().out


def test_a_checkpoint_of_another_architecture_is_not_resumed(cache, capsys):
    train.train(TINY, "one", small)
    train.train(TINY, "one", lambda classes: nn.Sequential(nn.Conv2d(3, classes, 3)))
    assert "resumed" not in capsys.readouterr().out


def test_standardized_weights_fold_into_a_plain_convolution():
    torch.manual_seed(0)
    conv = train.StandardizedConv(3, 5, 3, padding=1)
    plain = nn.Conv2d(3, 5, 3, padding=1)
    plain.load_state_dict({"weight": conv.folded().detach(), "bias": conv.bias.detach()})
    x = torch.randn(2, 3, 9, 9)
    assert torch.allclose(conv(x), plain(x), atol=1e-6)
    assert conv.folded().mean((1, 2, 3)).abs().max() < 1e-6


def test_an_attack_stays_in_its_ball_and_in_range():
    torch.manual_seed(0)
    x, y = torch.rand(4, 3, 16, 16), torch.zeros(4, dtype=torch.long)
    moved = train.attacked(small(3), x, y, 0.5, 3, torch.Generator().manual_seed(0))
    assert moved.min() >= 0 and moved.max() <= 1
    assert (moved - x).flatten(1).norm(dim=1).max() <= 0.5 + 1e-4
    assert not torch.equal(moved, x)


@pytest.mark.parametrize("name", [*MOTIFS, scene.NOTHING])
def test_every_motif_renders_alike_for_one_seed_and_not_for_another(name):
    one, again, other = (scene.render(name, np.random.default_rng([7, seed]), 64) for seed in (0, 0, 1))
    assert one.shape == (64, 64, 3) and one.dtype == np.uint8
    assert (one == again).all()
    assert (one != other).any()
    assert one.std() > 4
