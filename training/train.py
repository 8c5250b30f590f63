"""Train the built-in network: render, train, evaluate, export. ``make train``; see README.md here.

The cache folder keeps the renders and a checkpoint, so a killed run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from reverie.zoo.motif import MOTIF_MEAN, MOTIF_STD, MotifNet
from training import scene
from training.motifs import MOTIFS

CACHE = Path(__file__).parent / "cache"
WEIGHTS = Path(__file__).parents[1] / "src" / "reverie" / "zoo" / "motif.safetensors"
LABELS = [*MOTIFS, scene.NOTHING]


@dataclass(frozen=True)
class Settings:
    """One run. Steps are batches; a phase is (steps, pixels, L2 radius of the attack)."""

    seed: int = 0  # of the training
    scenes: int = 0  # seed of the renders
    renders: int = 400  # a class
    held_out: int = 70  # a class
    rendered: int = 128  # pixels
    batch: int = 64
    phases: tuple[tuple[int, int, float], ...] = ((800, 64, 0.0), (2400, 64, 1.0), (2000, 80, 1.5), (3400, 80, 2.5))
    rate: float = 5e-3  # of the convolutions, by Muon
    flat_rate: float = 2e-3  # of gains, biases and the head, by AdamW
    decay: float = 0.05
    ema: float = 0.998
    smoothing: float = 0.1
    keep_every: int = 250  # steps between checkpoints

    @property
    def steps(self) -> int:
        return sum(steps for steps, _, _ in self.phases)


class StandardizedConv(nn.Conv2d):
    """Convolution with standardized weights (Qiao et al. 2019, gain as in Brock et al. 2021).

    It keeps activations in range without any normalization at run time, and folds into a plain
    convolution for export. The weight is kept as a matrix [out, in * k * k], as Muon wants it.
    """

    def __init__(self, *args: int, **kwargs: int) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.shape = self.weight.shape
        self.weight = nn.Parameter(self.weight.detach().flatten(1))
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def folded(self) -> Tensor:
        """The weight [out, in, k, k] that a plain convolution would need."""
        deviation, mean = torch.std_mean(self.weight, dim=1, keepdim=True)
        even = ((self.weight - mean) / (deviation + 1e-5)).view(self.shape)
        return even * (self.gain * 1.7139 / self.weight.shape[1] ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.folded(), self.bias, self.stride, self.padding)


def _render_one(job: tuple[int, int, int, int]) -> np.ndarray:
    seed, label, index, size = job
    return scene.render(LABELS[label], np.random.default_rng([seed, label, index]), size)


def rendered(settings: Settings) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and held-out renders uint8 [N, 3, S, S] with their labels [N]; cached in CACHE."""
    sources = sorted((Path(__file__).parent / "motifs").glob("*.py"))
    sources += [Path(__file__).parent / "canvas.py", Path(__file__).parent / "scene.py"]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    key.update(repr((settings.scenes, settings.renders, settings.held_out, settings.rendered)).encode())
    file = CACHE / f"renders-{key.hexdigest()[:12]}.npy"
    each = settings.renders + settings.held_out
    if not file.exists():
        CACHE.mkdir(exist_ok=True)
        jobs = [
            (settings.scenes, label, i, settings.rendered) for label in range(len(LABELS)) for i in range(each)
        ]
        started = time.monotonic()
        with get_context("spawn").Pool(os.cpu_count()) as pool:
            pictures = np.stack(list(pool.imap(_render_one, jobs, chunksize=32)))
        print(f"rendered {len(jobs)} pictures in {time.monotonic() - started:.0f} s", flush=True)
        partial = file.with_suffix(".part.npy")
        np.save(partial, pictures.transpose(0, 3, 1, 2))
        partial.replace(file)
    pictures = torch.from_numpy(np.load(file)).unflatten(0, (len(LABELS), each))
    labels = torch.arange(len(LABELS))[:, None].expand(-1, each)
    n = settings.renders
    return (
        pictures[:, :n].flatten(0, 1),
        labels[:, :n].flatten(),
        pictures[:, n:].flatten(0, 1),
        labels[:, n:].flatten(),
    )


def normalized(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (MOTIF_MEAN, MOTIF_STD))
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def augmented(pictures: Tensor, size: int, random: torch.Generator) -> Tensor:
    """Random crop of 60 to 100 %, turn, flip; uint8 [B, 3, S, S] to float [B, 3, size, size] 0..1."""
    b = len(pictures)
    u = torch.rand(b, 5, generator=random)
    scale = 0.6 + 0.4 * u[:, 0]
    angle = (u[:, 1] - 0.5) * 0.5
    flip = torch.where(u[:, 2] < 0.5, 1.0, -1.0)
    matrix = torch.zeros(b, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = scale * angle.cos() * flip, -scale * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = scale * angle.sin() * flip, scale * angle.cos()
    matrix[:, :, 2] = (u[:, 3:5] * 2 - 1) * (1 - scale)[:, None]
    matrix = matrix.to(pictures.device)
    field = F.affine_grid(matrix, [b, 3, size, size], align_corners=False)
    return F.grid_sample(pictures.float() / 255, field, padding_mode="reflection", align_corners=False)


def shrunk(pictures: Tensor, size: int) -> Tensor:
    return F.interpolate(pictures.float() / 255, (size, size), mode="bilinear", antialias=True)


def attacked(
    model: nn.Module, x: Tensor, y: Tensor, radius: float, steps: int, random: torch.Generator
) -> Tensor:
    """Pictures moved within an L2 ball to be misread (projected gradient, Madry et al. 2018)."""

    def unit(v: Tensor) -> Tensor:
        return v / (v.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-12)

    start = torch.randn(x.shape, generator=random).to(x.device)
    delta = unit(start) * radius * torch.rand(len(x), 1, 1, 1, generator=random).to(x.device)
    stride = 1.25 * radius if steps == 1 else 2.5 * radius / steps
    for _ in range(steps):
        delta.requires_grad_(True)
        with torch.autocast(x.device.type, torch.bfloat16):
            loss = F.cross_entropy(model(normalized(x + delta)).mean((2, 3)).float(), y)
        delta = delta.detach() + stride * unit(torch.autograd.grad(loss, delta)[0])
        delta = delta * (radius / delta.flatten(1).norm(dim=1).clamp_min(radius)).view(-1, 1, 1, 1)
    return (x + delta).clamp(0, 1)


def schedule(settings: Settings) -> Iterator[tuple[int, float, float]]:
    """Pixels, radius and share of the peak learning rate of every step: warm-up, then one cosine to zero."""
    # Most of the first, plain phase runs warm, however short: attacked before it has learned anything, nothing learns.
    step, warmed = 0, min(200, max(1, settings.phases[0][0] // 4))
    for steps, pixels, radius in settings.phases:
        for _ in range(steps):
            warm = min(1.0, (step + 1) / warmed)
            yield pixels, radius, warm * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
            step += 1


def prepared(model: nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the standardized convolutions, AdamW for everything else.

    In 300 steps of 48 px Muon named 49 % of the held-out renders right, AdamW 14 %.
    """
    deep = [m.weight for m in model.modules() if isinstance(m, StandardizedConv)]
    heads = [m.weight for m in model.modules() if type(m) is nn.Conv2d]
    taken = {id(p) for p in (*deep, *heads)}
    flat = [p for p in model.parameters() if id(p) not in taken]
    adam = torch.optim.AdamW(
        [
            {"params": heads, "peak": settings.flat_rate, "weight_decay": settings.decay},
            {"params": flat, "peak": settings.flat_rate, "weight_decay": 0.0},
        ]
    )
    if not deep:
        return [adam]
    groups = [{"params": deep, "peak": settings.rate}]
    return [adam, torch.optim.Muon(groups, weight_decay=settings.decay, adjust_lr_fn="match_rms_adamw")]


def standardized(classes: int) -> nn.Module:
    """The built-in network as it is trained."""
    return MotifNet(classes, StandardizedConv)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _keep(
    file: Path,
    settings: Settings,
    step: int,
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    average: dict[str, Tensor],
) -> None:
    """Write a checkpoint whole or not at all."""
    partial = file.with_suffix(".part")
    state = {
        "settings": json.dumps(asdict(settings)),
        "step": step,
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "average": average,
    }
    torch.save(state, partial)
    partial.replace(file)


def train(
    settings: Settings, name: str = "motif", build: Callable[[int], nn.Module] = standardized
) -> nn.Module:
    """Train from the newest checkpoint in CACHE, or from nothing; returns the averaged network.

    ``build`` makes a network that takes normalized images [B, 3, H, W] and returns logits [B, K, h, w].
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pictures, labels, _, _ = rendered(settings)
    torch.manual_seed(settings.seed)
    model = build(len(LABELS)).to(device, memory_format=torch.channels_last)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimizers = prepared(model, settings)
    file, first = CACHE / f"{name}.checkpoint.pt", 0
    if file.exists():
        state = torch.load(file, weights_only=True, map_location=device)
        if state["settings"] == json.dumps(asdict(settings)) and _shapes(state["model"]) == _shapes(model.state_dict()):
            model.load_state_dict(state["model"])
            for optimizer, kept in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)
            average, first = state["average"], state["step"]
            print(f"resumed at step {first}", flush=True)
    recent, started = [], time.monotonic()
    for step, (size, radius, rate) in enumerate(schedule(settings)):
        if step < first:
            continue
        # Each step draws from its own seed, so a resumed run sees the same batches.
        random = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        chosen = torch.randint(len(labels), (settings.batch,), generator=random)
        x, y = augmented(pictures[chosen].to(device), size, random), labels[chosen].to(device)
        if radius:
            x = attacked(model, x, y, radius, 1, random)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        with torch.autocast(device.type, torch.bfloat16):
            logits = model(normalized(x)).mean((2, 3))
        loss = F.cross_entropy(logits.float(), y, label_smoothing=settings.smoothing)
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        keep = min(settings.ema, (step + 1) / (step + 10))
        for key, value in model.state_dict().items():
            # Counters, as batch norm has them, do not average.
            average[key].lerp_(value, 1 - keep) if value.is_floating_point() else average[key].copy_(value)
        recent.append((logits.argmax(1) == y).float().mean())
        if (step + 1) % 100 == 0:
            pace = (step + 1 - first) * settings.batch / (time.monotonic() - started)
            print(
                f"step {step + 1}/{settings.steps}  loss {loss.item():.3f}  accuracy "
                f"{torch.stack(recent).mean():.3f}  {pace:.0f} pictures/s",
                flush=True,
            )
            recent = []
        if (step + 1) % settings.keep_every == 0 or step + 1 == settings.steps:
            _keep(file, settings, step + 1, model, optimizers, average)
    model.load_state_dict(average)
    return model.eval()


def evaluate(model: nn.Module, settings: Settings) -> dict[str, float]:
    """Share of held-out renders named right at 64 px, clean and under a 10-step attack (L2, 1.0)."""
    _, _, pictures, labels = rendered(settings)
    device = next(model.parameters()).device
    random = torch.Generator().manual_seed(settings.seed)
    right = torch.zeros(2)
    for at in range(0, len(labels), 128):
        x, y = shrunk(pictures[at : at + 128], 64).to(device), labels[at : at + 128].to(device)
        for column, picture in enumerate((x, attacked(model, x, y, 1.0, 10, random))):
            with torch.no_grad():
                right[column] += (model(normalized(picture)).mean((2, 3)).argmax(1) == y).sum().item()
    clean, robust = (right / len(labels)).tolist()
    return {"clean": round(clean, 4), "robust": round(robust, 4), "held_out": len(labels)}


def export(model: nn.Module, figures: dict[str, float], settings: Settings, file: Path = WEIGHTS) -> str:
    """Fold the weights, drop the class of nothing, write fp16 safetensors; returns its SHA-256."""
    tensors = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.folded() if isinstance(module, StandardizedConv) else module.weight
            assert module.bias is not None
            keep = len(MOTIFS) if name == "logits" else weight.shape[0]
            tensors[f"{name}.weight"] = weight[:keep].detach().half().cpu().contiguous()
            tensors[f"{name}.bias"] = module.bias[:keep].detach().half().cpu().contiguous()
    about = {
        "labels": json.dumps(list(MOTIFS)),
        "figures": json.dumps(figures),
        "settings": json.dumps(asdict(settings)),
    }
    save_file(tensors, file, about)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def shortened(settings: Settings, share: float) -> Settings:
    """The same run with ``share``, 0..1, of its steps.

    The plain phase keeps up to half of them: attacked before it has learned anything, nothing learns. The average of
    the weights reaches back over the same share of the run.
    """
    (plain, pixels, radius), *rest = settings.phases
    whole = max(len(settings.phases), round(settings.steps * share))
    kept = min(plain, whole // 2)
    others = (whole - kept) / (settings.steps - plain)
    phases = ((kept, pixels, radius), *((max(1, round(n * others)), at, far) for n, at, far in rest))
    ema = 1 - min(0.1, (1 - settings.ema) / share)
    return replace(settings, phases=phases, ema=ema)


def main() -> None:
    """Train, evaluate, export; a part of the schedule or another seed is evaluated only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps, to try something out")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training; the renders stay the same")
    options = parser.parse_args()
    trial = options.share != 1.0 or options.seed != 0
    chosen = replace(shortened(Settings(), options.share), seed=options.seed)
    began = time.monotonic()
    network = train(chosen, f"trial-{options.seed}-{options.share:g}" if trial else "motif")
    result = evaluate(network, chosen)
    said = "" if trial else f"{WEIGHTS.name} sha256 {export(network, result, chosen)}  "
    print(f"{result}  {said}{(time.monotonic() - began) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main()
