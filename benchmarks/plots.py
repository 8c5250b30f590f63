"""What was measured, as plots: how much faster, and how a step grows with the picture."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.case import Case

LIGHT, DARK, RUST = "#8fb8de", "#27507d", "#b5532c"


def plots(found: dict[str, Any], folder: Path) -> None:
    """Write ``benchmarks.svg`` and ``benchmarks-growth.svg``; the same bytes for the same figures."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "reverie", "svg.fonttype": "none", "font.family": "sans-serif"}
    folder.mkdir(exist_ok=True)
    for name, figure in (("benchmarks", faster(found["steps"])), ("benchmarks-growth", grown(found["growth"]))):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def faster(rows: list[dict[str, Any]]) -> Any:
    """Bars: times faster than plain PyTorch, ours in both precisions and each peer, with most threads."""
    from matplotlib import pyplot

    rows = [each for each in rows if each["taken"]["plain PyTorch"] and each["case"]["threads"] == _most(rows)]
    bars: list[tuple[float, float, str, str]] = []  # where, how much, whose, color
    at, ticks = 0.0, list[float]()
    for each in rows:
        plain, begun = each["taken"]["plain PyTorch"], at
        for label, taken in each["taken"].items():
            if taken and label != "plain PyTorch":
                color = {"ours bf16": DARK, "ours fp32": LIGHT}.get(label, RUST)
                pairs = zip(plain["each"], taken["each"], strict=True)
                bars.append((at, median(a / b for a, b in pairs), label, color))
                at += 1
        ticks.append((begun + at - 1) / 2)
        at += 0.9
    figure, axes = pyplot.subplots(figsize=(8, 0.22 * at + 1.0), layout="constrained")
    for where, much, label, color in bars:
        axes.barh(where, much, 0.86, color=color)
        axes.text(much + 0.05, where, f"{much:.1f}x {label}", va="center", fontsize=7.5, color="#333333")
    axes.axvline(1, color="#888888", linewidth=1)
    axes.set_yticks(ticks, [Case(**each["case"]).title.replace(" ", "\n", 1) for each in rows])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlabel("times faster than plain PyTorch, one step at 512x384")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.3, y=0.01)
    return figure


def grown(rows: list[dict[str, Any]]) -> Any:
    """Lines: seconds of a step, and the largest resident size, over megapixels."""
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    titles = list(dict.fromkeys(Case(**each["case"]).title for each in rows))
    for title, color in zip(titles, (DARK, RUST), strict=False):
        own = [each for each in rows if Case(**each["case"]).title == title and each["taken"]["ours bf16"]]
        pixels = [each["case"]["size"][0] * each["case"]["size"][1] / 1e6 for each in own]
        taken = [each["taken"]["ours bf16"] for each in own]
        left.plot(pixels, [each["seconds"] for each in taken], "o-", color=color, label=title)
        right.plot(pixels, [each["peak"] / 1e9 for each in taken], "o-", color=color)
    left.set_ylabel("seconds a step")
    right.set_ylabel("peak memory, GB")
    for axes in (left, right):
        axes.set_xlabel("megapixels")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    return figure


def _most(rows: list[dict[str, Any]]) -> int:
    return max((each["case"]["threads"] for each in rows), default=1)
