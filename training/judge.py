"""Do dreams show their motif? Every motif into five photographs, judged by the critic.

``python -m training.judge`` prints the figures of the model card and writes, into the cache, 40 crops
for a blind look with their key. With ``--squeezenet FILE`` (torchvision's
squeezenet1_0 weights) it also tells what that network guesses for motifs that ImageNet knows.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reverie import api, files, zoo
from reverie.network import Network
from reverie.pixels.ops import resize
from training.critic import critic
from training.motifs import MOTIFS
from training.train import CACHE, normalized

PHOTOS = ("sky", "landscape", "portrait", "cat", "coffee")
EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE, CROPS = "400", 3
SIDES, SEEN = (80, 160), 80  # pixels of the crops, near and from afar, and at which the critic sees both
TWINS = {
    "owl": "great grey owl", "peacock": "peacock", "honeycomb": "honeycomb", "castle": "castle", "zebra": "zebra",
    "leopard": "leopard", "jellyfish": "jellyfish", "butterfly": "monarch", "daisy": "daisy", "mushroom": "mushroom",
    "starfish": "starfish", "nautilus": "chambered nautilus", "lion": "lion", "dragonfly": "dragonfly",
    "clock": "analog clock", "fish": "goldfish", "mask": "mask", "coral": "coral reef",
    "frog": "tailed frog", "turtle": "loggerhead", "bubbles": "bubble", "cathedral": "church",
    "snake": "green snake", "beetle": "ladybug",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One dream: the motif's place among the critic's guesses (0 is first) in dream and source."""

    motif: str
    photo: str
    rank: int
    before: int
    correlation: float
    crops: Tensor  # the wide ones, [CROPS, 3, 160, 160]
    shown: Tensor  # one for a blind look, [3, 160, 160]


def changed(source: Tensor, dream: Tensor, side: int) -> list[tuple[int, int]]:
    """Top left corners of CROPS squares of that side, apart from each other, where the dream changed most."""
    change = F.avg_pool2d((dream - source).abs().mean(1, keepdim=True), side, 1)[0, 0].clone()
    found = []
    for _ in range(CROPS):
        y, x = divmod(int(change.argmax()), change.shape[1])
        found.append((y, x))
        change[max(0, y - side // 2) : y + side // 2, max(0, x - side // 2) : x + side // 2] = -1
    return found


def cut(picture: Tensor, corners: list[tuple[int, int]], side: int) -> Tensor:
    return torch.cat([picture[..., y : y + side, x : x + side] for y, x in corners])


def guess(judge: nn.Module, crops: Tensor) -> Tensor:
    """How likely the judge holds each class to be, [K], on the mean of some crops [N, 3, S, S]."""
    with torch.no_grad():
        likely: Tensor = judge(normalized(resize(crops, (SEEN, SEEN)).clamp(0, 1))).mean((2, 3)).softmax(1).mean(0)
    return likely


def place(likely: Tensor, label: int) -> int:
    """How many classes are held for likelier than ``label``."""
    return int((likely > likely[label]).sum())


def surest(network: Network, dream: Tensor, label: int, side: int) -> list[tuple[int, int]]:
    """Top left corner of the square of that side where the dreaming network sees most of a class."""
    with torch.no_grad():
        logits = network.capture(dream, [network.logits])[network.logits][:, label : label + 1]
    stride = dream.shape[-1] / logits.shape[-1]
    within = F.avg_pool2d(logits, min(round(side / stride), *logits.shape[-2:]), 1)[0, 0]
    y, x = divmod(int(within.argmax()), within.shape[1])
    return [(min(round(y * stride), dream.shape[-2] - side), min(round(x * stride), dream.shape[-1] - side))]


def coarse(picture: Tensor) -> np.ndarray:
    """Area average to about 48 px on the long side."""
    h, w = picture.shape[-2:]
    grid = (round(48 * h / max(h, w)), round(48 * w / max(h, w)))
    return F.adaptive_avg_pool2d(picture, grid).flatten().numpy()


def dreamt(motif: str, photo: str) -> tuple[Tensor, Tensor]:
    """A photograph and ``motif`` dreamt into it with the preset for a single thing, both [1, 3, H, W]."""
    work = api.job(EXAMPLES / f"{photo}.jpg", network="motif", preset="vivid", objective=f"class:{motif}", size=SIZE)
    *_, last = work.frames()
    return resize(work.source, work.plan.size).clamp(0, 1), last.image


def verdict(judge: nn.Module, motif: str, photo: str, source: Tensor, dream: Tensor) -> Verdict:
    """What the judge says of a dream: of crops where it changed most, seen near and from afar."""
    label, after, before = list(MOTIFS).index(motif), torch.zeros(()), torch.zeros(())
    for side in SIDES:
        corners = changed(source, dream, side)
        crops = cut(dream, corners, side)
        after, before = after + guess(judge, crops), before + guess(judge, cut(source, corners, side))
    kept = float(np.corrcoef(coarse(source), coarse(dream))[0, 1])
    shown = cut(dream, surest(zoo.load("motif"), dream, label, SIDES[1]), SIDES[1])[0]
    return Verdict(motif, photo, place(after, label), place(before, label), kept, crops, shown)


def _of_motif(motif: str) -> list[Verdict]:
    torch.set_num_threads(1)
    judge = critic()
    return [verdict(judge, motif, photo, *dreamt(motif, photo)) for photo in PHOTOS]


def verdicts() -> list[Verdict]:
    """Every motif dreamt into every photograph, a motif a process."""
    critic()  # trained once, before the processes ask for it
    found = []
    with get_context("spawn").Pool(os.cpu_count()) as pool:
        for motif, each in zip(MOTIFS, pool.imap(_of_motif, MOTIFS), strict=True):
            found += each
            print(f"{motif:15s} {[one.rank for one in each]}", flush=True)
    return found


def summary(found: list[Verdict]) -> dict[str, float]:
    """The figures of the model card."""
    return {
        "dreams": len(found),
        "first": round(fmean(each.rank == 0 for each in found), 4),
        "among_three": round(fmean(each.rank < 3 for each in found), 4),
        "untouched_first": round(fmean(each.before == 0 for each in found), 4),
        "correlation_median": round(float(np.median([each.correlation for each in found])), 3),
        "correlation_least": round(min(each.correlation for each in found), 3),
    }


def blind(found: list[Verdict], folder: Path, count: int = 40, seed: int = 0) -> None:
    """Numbered crops, ten words for each, and the key: somebody is shown the first two.

    The crops show where the network believes that it has drawn its motif; what changed most is often the photograph's
    own outlines, strengthened. A picture each, three times enlarged: a sheet of them all would be shrunk by whatever
    shows it.
    """
    rng = np.random.default_rng(seed)
    words, key = {}, {}
    folder.mkdir(parents=True, exist_ok=True)
    for number, at in enumerate(rng.choice(len(found), count, replace=False), 1):
        motif, whole = found[at].motif, resize(found[at].shown[None], (480, 480)).clamp(0, 1)
        others = rng.choice([name for name in MOTIFS if name != motif], 9, replace=False)
        files.save(folder / f"{number:02d}.png", whole, overwrite=True)
        words[number], key[number] = sorted([motif, *map(str, others)]), motif
    (folder / "words.json").write_text(json.dumps(words, indent=1))
    (folder.parent / "blind-key.json").write_text(json.dumps(key, indent=1))


def twins(found: list[Verdict], weights: Path) -> dict[str, int]:
    """For motifs with an ImageNet twin: in how many of the five photographs it is among ten guesses."""
    network = zoo.load("squeezenet1_0", weights)
    seen = {}
    for motif, name in TWINS.items():
        index, hits = network.class_index(name), 0
        for each in found:
            if each.motif == motif and index is not None:
                large = resize(each.crops, (224, 224)).clamp(0, 1)
                with torch.no_grad():
                    logits = network.capture(large, [network.logits])[network.logits].mean((2, 3)).mean(0)
                hits += index in logits.topk(10).indices.tolist()
        seen[motif] = hits
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--squeezenet", type=Path)
    options = parser.parse_args()
    result = verdicts()
    print(json.dumps(summary(result)))
    blind(result, CACHE / "blind")
    print(f"blind look: {CACHE / 'blind'}")
    if options.squeezenet:
        print(json.dumps(twins(result, options.squeezenet)))
