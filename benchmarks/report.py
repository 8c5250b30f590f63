"""What was measured, as docs/benchmarks.md and a plot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.case import Case
from benchmarks.plots import plots

HEAD = """# Benchmarks

`make bench` measures the machine at hand and writes this page: `python -m benchmarks --help` says what can be chosen.
All contestants dream the same architecture and layer with random weights, in processes of their own, in turn, so that
whatever else the machine does hits all alike. Times are medians; *faster* is the median of the ratios of the rounds, in
each of which everybody took a turn. The peers come from the package index into an environment of their own. "Plain
PyTorch" is the loop of most tutorials: the whole network, a hook, fp32. The peers compute in fp32, TensorFlow in both
too; ours is shown in both, because most of a CPU's strength is in bf16 ([why](architecture.md)).

"""


ELSEWHERE = """## Measured by hand

gordicaleksa/pytorch-deepdream at f37d99a, which no package index has: whole runs of 4 octaves (1.8 apart) x 10 steps at
512x384 with our preset `gordicaleksa`, random weights on both sides, 2 threads, medians of 3 rounds in turn on an AMD
EPYC with AVX-512 bf16 and no AMX; the last row is a 1024x576 picture by each side's defaults, picture for picture,
1 round.

| | theirs, s | ours bf16, s | | ours fp32, s | |
| --- | --- | --- | --- | --- | --- |
| vgg16 relu4_3 | 18.9 | 8.1 | 2.4x | 15.6 | 1.2x |
| googlenet inception_4c | 4.0 | 1.6 | 2.5x | 2.2 | 1.8x |
| resnet50 layer3 | 7.7 | 2.9 | 2.7x | 5.0 | 1.5x |
| the default dream | 67.5 | 3.9 | 17.4x | 6.6 | 10.2x |

On a GPU nothing was measured yet: fp16 and its scale are tested on a CPU alone.
"""


def write(found: dict[str, Any], folder: Path) -> None:
    """Write ``benchmarks.md`` and the plots in ``img/`` into ``folder``."""
    about = found["about"]
    text = HEAD + _remark(about) + _limits(found["limits"]) + _steps(found) + _runs(found["runs"])
    text += _growth(found["growth"]) + _startup(found["startup"]) + ELSEWHERE
    (folder / "benchmarks.md").write_text(text.rstrip("\n") + "\n", "utf-8")
    plots(found, folder / "img")


def _remark(about: dict[str, Any]) -> str:
    clock = "wall time" if about["clock"] == "wall" else "CPU time of each process"
    rough = (
        "\n**Rough figures from a busy machine, to be renewed on a quiet one.**"
        if about["quick"] or about["clock"] == "cpu"
        else ""
    )
    rounds = f"{about['rounds']} round{'s' if about['rounds'] > 1 else ''}"
    return f"{about['machine']}, torch {about['torch']}; {clock}, {rounds}.{rough}\n\n"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n"


def _limits(rows: list[dict[str, Any]]) -> str:
    cells = [
        [
            str(each["threads"]),
            each["precision"],
            f"{each['gemm'] / 1e9:.0f}",
            f"{each['convolution'] / 1e9:.0f}",
        ]
        for each in rows
    ]
    return "## The machine\n\n" + _table(["threads", "precision", "matrix product GF/s", "convolution GF/s"], cells)


def _steps(found: dict[str, Any]) -> str:
    peak = {(each["threads"], each["precision"]): each["convolution"] for each in found["limits"]}
    text = "## One step at 512x384\n\n"
    text += (
        "*Of the limit*: the step's convolutions at the best speed measured above, as a share of the whole step.\n\n"
    )
    text += "![Times faster than plain PyTorch](img/benchmarks.svg)\n\n"
    cells = []
    for each in found["steps"]:
        taken, case = each["taken"], Case(**each["case"])
        ours, exact, plain = (taken[label] for label in ("ours bf16", "ours fp32", "plain PyTorch"))
        share = each["operations"] / peak[case.threads, "bf16"] / ours["seconds"]
        cells.append(
            [
                case.title,
                str(case.threads),
                f"{each['operations'] / 1e9:.1f}",
                *(_ms(ours), f"{share:.0%}", _ms(exact), _ms(plain)),
                *(_times(plain, ours), _times(plain, exact)),
            ]
        )
    head = ["network, layer", "threads", "GF", "ours bf16, ms", "of the limit", "ours fp32, ms", "plain, ms"]
    text += _table([*head, "faster", "faster in fp32"], cells)
    peers = [
        [
            Case(**each["case"]).title,
            str(each["case"]["threads"]),
            *(label, _ms(other), _times(other, each["taken"]["ours bf16"]), _times(other, each["taken"]["ours fp32"])),
            *(_mb(other), _mb(each["taken"]["ours bf16"])),
        ]
        for each in found["steps"]
        for label, other in each["taken"].items()
        if not label.startswith(("ours", "plain"))
    ]
    head = ["network, layer", "threads", "peer", "ms", "ours is faster", "in fp32", "peak MB", "ours"]
    return text + ("## Against the peers\n\n" + _table(head, peers) if peers else "")


def _runs(rows: list[dict[str, Any]]) -> str:
    cells = []
    for each in rows:
        case, taken = Case(**each["case"]), each["taken"]
        ours, plain = taken["ours bf16"], taken["plain PyTorch"]
        cells.append(
            [
                *(case.title, f"{case.size[1]}x{case.size[0]}", str(case.threads), f"{case.octaves} x {each['steps']}"),
                *(_seconds(ours), _seconds(plain), _times(plain, ours), _mb(ours), _mb(plain)),
            ]
        )
    head = [
        "network, layer",
        "size",
        "threads",
        "octaves x steps",
        "ours bf16, s",
        "plain, s",
        "faster",
        "peak MB",
        "plain",
    ]
    return "## Whole runs\n\n" + _table(head, cells) if cells else ""


def _growth(rows: list[dict[str, Any]]) -> str:
    cells = []
    for each in rows:
        case, ours = Case(**each["case"]), each["taken"]["ours bf16"]
        pixels = case.size[0] * case.size[1] / 1e6
        per = f"{ours['seconds'] / pixels:.2f}" if ours else "-"
        cells.append([case.title, f"{pixels:.2f}", str(case.threads), _ms(ours), per, _mb(ours)])
    head = ["network, layer", "megapixels", "threads", "step, ms", "s per megapixel", "peak MB"]
    text = "## Growth\n\nOne step, without tiles.\n\n"
    text += "![Seconds and memory over megapixels](img/benchmarks-growth.svg)\n\n"
    return text + _table(head, cells) if cells else ""


def _startup(rows: list[dict[str, Any]]) -> str:
    text = "## From the command to the picture\n\nWhole processes, the photograph examples/cat.jpg.\n\n"
    cells = [[f"`{each['what']}`", str(each["threads"]), f"{each['seconds']:.1f}"] for each in rows]
    return text + _table(["what", "threads", "s"], cells)


def _ms(taken: dict[str, float] | None) -> str:
    return f"{taken['seconds'] * 1000:.0f}" if taken else "-"


def _seconds(taken: dict[str, float] | None) -> str:
    return f"{taken['seconds']:.2f}" if taken else "-"


def _mb(taken: dict[str, float] | None) -> str:
    return f"{taken['peak'] / 1e6:.0f}" if taken and taken["peak"] else "-"


def ratio(slow: dict[str, Any], fast: dict[str, Any]) -> float:
    """How many times faster: the median of the rounds, in each of which both took their turn."""
    return median(a / b for a, b in zip(slow["each"], fast["each"], strict=True))


def _times(slow: dict[str, Any] | None, fast: dict[str, Any] | None) -> str:
    return f"{ratio(slow, fast):.2f}x" if slow and fast else "-"
