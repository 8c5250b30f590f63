"""What picture to make (Recipe), and how and where (Run). Torch-free; every default stands here once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from reverie.errors import InputError, UnknownName, UsageError
from reverie.recipe import grammar, schedule, validators
from reverie.recipe.presets import preset

Model = TypeVar("Model", bound=BaseModel)

Precision = Literal["fp32", "bf16", "fp16"]
"""Number format of a network: fp32 is the reference."""


_LONGEST_SETTINGS = 1_000_000  # characters of a file with settings
AUTO = "auto"
"""The network that is chosen by what is installed."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Recipe(_Settings):
    """The frozen, validated description of what picture; JSON both ways."""

    network: str = Field(
        "auto",
        description="Network that dreams; 'reverie networks' lists them, and how others are written. 'auto' is one "
        "that saw ImageNet where its package is installed, else the built-in 'motif'.",
    )
    objective: Annotated[str, BeforeValidator(validators.valid_objective)] = Field(
        "",
        description="What to dream: layers, channels, classes, with weights and signs, as in "
        "'0.7*owl + 0.3*stage3'; one for each octave, coarse first, as in 'owl; stage2'; by default what suits "
        "the network.",
    )
    groups: Annotated[tuple[str, ...], BeforeValidator(validators.valid_groups)] = Field(
        (),
        description="A group of classes of your own for group:NAME, as NAME=CLASS|CLASS, such as "
        "'pets=tabby|beagle|group:birds'; may be repeated. 'reverie layers NETWORK --kind group' lists the others.",
    )
    strength: float = Field(
        1.0,
        ge=0.25,
        le=4,
        description="How strong the dream is, 0.25 to 4: larger and more steps; contrast is held.",
        json_schema_extra={"before": 1.0},
    )
    motif_size: Annotated[float | str, BeforeValidator(validators.valid_motif_size)] = Field(
        "auto",
        description="How large the largest motifs are: small, medium, large, or per cent of the short side, 2 to 100; "
        "'auto' leaves it to --smallest.",
        json_schema_extra={"before": "auto"},
    )
    realism: float = Field(
        0.55,
        ge=0,
        le=1,
        description="How far the light, the colors and the large forms of the source hold, 0 (not at all) to 1.",
        json_schema_extra={"before": 0.0},
    )
    variation: float = Field(
        0.12,
        ge=0,
        le=1,
        description="How far the seed decides what grows where, 0 (the picture alone) to 1: the strength of faint "
        "clouds that the first octave begins on.",
        json_schema_extra={"before": 0.0},
    )
    guide: Annotated[tuple[str, ...], BeforeValidator(validators.valid_guides)] = Field(
        (),
        description="A picture whose forms are dreamt, a folder of them, or for a film a video, as "
        "FILE[@LAYER][*WEIGHT][|MASK]; may be repeated. Without --objective nothing else is dreamt.",
    )
    match: Literal["dot", "cosine"] = Field(
        "dot",
        description="How each place finds its like in a guide: by the largest dot product, which favors strong "
        "places of the guide, or by cosine, which favors none.",
    )
    mask: str | None = Field(
        None,
        min_length=1,
        description="A picture that says where to dream, and how strongly: white all, gray some, black nothing.",
    )
    octaves: Annotated[Literal["auto"] | int, BeforeValidator(validators.valid_octaves)] = Field(
        "auto",
        description="Number of sizes, coarse to fine, 1 to 64; 'auto' goes from --smallest up to the picture.",
    )
    octave_scale: float = Field(
        1.5, ge=1.01, le=16, description="Ratio between neighboring octaves, 1.01 to 16."
    )
    smallest: int = Field(
        180, ge=16, le=4096, description="Short side of the coarsest octave of 'auto', in pixels, 16 to 4096."
    )
    above: int = Field(
        0,
        ge=0,
        le=8,
        description="How many octaves of a number lie above the picture's own size, or are added to 'auto', "
        "0 to 8; the result is brought back to size.",
    )
    steps: Annotated[int | tuple[int, ...], BeforeValidator(validators.valid_steps)] = Field(
        16, description="Steps of ascent per octave, 1 to 10000, or one number an octave, coarse first: 20,10,5."
    )
    step_size: Annotated[float | tuple[float, ...], BeforeValidator(validators.valid_step_size)] = Field(
        0.012,
        description="Mean change per step in image range, above 0, at most 1000 (change of what --normalize makes 1); "
        "or one number an octave, coarse first, which step decay leaves alone.",
    )
    schedule: Literal["tapered", "even", "adaptive"] = Field(
        "tapered",
        description="'tapered': where step decay lets finer octaves go less far, they take fewer steps (at least 6), "
        "not shorter ones; 'even': as many in each; 'adaptive': more and smaller steps the coarser the octave, "
        "max(n, n log2 k) at 1.2^-(k-1), k counted from the finest, without step decay.",
    )
    max_gain: float | None = Field(
        None, description="An octave ends early when the objective's score is above this; by default never."
    )
    optimizer: Annotated[str, BeforeValidator(validators.valid_optimizer)] = Field(
        "ascent",
        description="'ascent', the classic step, or any of torch's optimizers, its rate the step size, with "
        "options: 'adam', 'sgd momentum=0.9 nesterov=true'.",
    )
    step_decay: float = Field(
        0.75,
        gt=0,
        le=4,
        description="How far each octave goes against the one before, above 0, at most 4: in fewer steps, or in "
        "shorter ones with --schedule even. Below 1 fine detail adorns the large forms instead of replacing them.",
    )
    momentum: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="Share of the last step's direction in the next, 0 to below 1: what the steps agree on grows, "
        "noise fades.",
    )
    headroom: float = Field(
        0.55,
        ge=0,
        le=1,
        description="How far changes shrink on the way to black and white, 0 (cut off there) to 1 (in proportion to "
        "the room that is left); it keeps a bright sky from burning out.",
    )
    jitter: int = Field(
        20, ge=0, le=1024, description="Largest random shift in pixels of the octave, 0 to 1024."
    )
    detail: Literal["reinject", "lost", "carry"] = Field(
        "reinject",
        description="The source's detail between octaves: put back (reinject), left behind (lost), or put "
        "back with only the last octave's dream carried up (carry).",
    )
    blend: float = Field(0.0, ge=0, le=1, description="Share of the original mixed into the result, 0 to 1.")
    size: Annotated[str, BeforeValidator(validators.valid_size)] | None = Field(
        None,
        description="Long side in pixels, or WxH to crop to that shape; by default the source's own, at most 2048.",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all randomness, a whole number from 0.")
    bands: int = Field(
        4, ge=0, le=8, description="Frequency bands of the gradient made equally strong, 0 (none) to 8."
    )
    fine: float = Field(
        0.25, ge=0, le=4, description="Strength of the finest band against the others, 0 to 4."
    )
    coarse: float = Field(
        0.1,
        ge=0,
        le=4,
        description="Strength of what lies below all bands, in every octave but the first, 0 to 4; low keeps the "
        "large forms of the coarse octaves.",
    )
    spread: float = Field(
        0.5, ge=0, le=1, description="How far strong and calm places of each band dream alike, 0 to 1."
    )
    gray: float = Field(
        0.05, ge=0, le=1, description="Share of the gradient that changes light but not color, 0 to 1."
    )
    fine_gray: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the finest band that changes light but not color, 0 to 1; it falls evenly to none for "
        "what lies below all bands. It keeps edges free of rainbow fringes (needs --bands).",
        json_schema_extra={"before": 0.0},
    )
    pyramid: Literal["undecimated", "decimated"] = Field(
        "undecimated",
        description="Bands that keep every pixel, or TensorFlow's Laplacian pyramid, each band half as large.",
    )
    normalize: Literal["mean", "std", "standard", "l2", "max", "sign", "none"] = Field(
        "mean",
        description="What of the gradient is made 1: mean |g|, standard deviation, the same after the mean is taken "
        "away (standard), L2 norm, largest |g|, every |g| (sign); or none.",
    )
    smooth: Literal["none", "box", "gaussian", "growing", "cascade"] = Field(
        "none",
        description="Blur of the gradient: box, Gaussian, one that grows by 4 pixels within each octave, or a cascade "
        "of three that grow by 1, 2 and 4.",
    )
    smooth_sigma: Annotated[tuple[float, ...], BeforeValidator(validators.valid_sigmas)] = Field(
        (0.5,),
        description="Its sigma in pixels, 0.05 to 32; several, as in 0.5,1,2, are blended (gaussian).",
    )
    smooth_weights: Annotated[tuple[float, ...], BeforeValidator(validators.valid_weights)] = Field(
        (), description="How strongly the sigmas are blended, as in 3,2,1; by default alike."
    )
    smooth_kernel: Annotated[int, BeforeValidator(validators.valid_odd)] = Field(
        0, description="Its width in pixels, odd, 3 to 255; 0 is as wide as the sigma needs, 3 for a box."
    )
    smooth_border: Literal["reflect", "constant", "replicate", "circular"] = Field(
        "reflect", description="How the gradient goes on beyond the picture for the blur."
    )
    color: Literal["dream", "source", "locked"] = Field(
        "dream",
        description="Color of the result: as dreamt, the source's own (only light is dreamt), or with the "
        "source's mean and contrast in each channel (locked).",
    )
    inset: int = Field(
        0,
        ge=0,
        le=64,
        description="Cells at each border of a layer that the objective does not look at, 0 to 64.",
    )
    focus: float = Field(
        0.0,
        ge=0,
        le=8,
        description="Power by which a layer's channels are weighted by how much the "
        "picture excites them, 0 (all alike) to 8.",
    )
    certainty: float = Field(
        0.0,
        ge=0,
        le=8,
        description="How strongly a class is to be no other one, 0 to 8: the weight of its log-probability beside "
        "its logit.",
    )
    pad: int = Field(
        12,
        ge=0,
        le=512,
        description="Mirrored margin around the picture while dreaming, in pixels, 0 (shifts wrap "
        "around, the classic way) to 512.",
    )
    balance: Literal["terms", "raw"] = Field(
        "terms",
        description="'terms': each term of the objective is made equally strong before its weight; 'raw': not.",
    )

    param: Literal["pixels", "fourier", "fourier-rgb", "maco"] = Field(
        "pixels",
        description="What is changed: pixels; a spectrum of decorrelated colors (fourier) or of RGB (fourier-rgb); "
        "only the phases of the start's spectrum (maco).",
    )
    decay: float = Field(
        1.0, ge=0, le=4, description="fourier: power of the frequency by which strength falls, 0 to 4."
    )
    contrast: float = Field(
        0.0,
        ge=0,
        le=4,
        description="fourier: largest deviation of the picture before its sigmoid, above 0 to 4; fourier and maco then "
        "keep its mean too. 0 bounds nothing.",
    )
    start: Literal["auto", "clouds", "faint", "natural", "uniform"] = Field(
        "auto",
        description="The noise that a picture without a source starts at; 'auto' takes what suits --param: clouds for "
        "pixels, faint for fourier, natural (the spectrum of our renders) for maco.",
    )
    cooldown: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of the steps during which an optimizer's rate sinks to 0 in the end, 0 to 1.",
    )
    border: Literal["mirror", "gray"] = Field(
        "mirror",
        description="What lies around the picture: itself, mirrored; or gray, where it is jittered by cutting, not "
        "wrapping.",
    )
    rotate: float = Field(
        0.0, ge=0, le=180, description="Largest turn of what the network sees, drawn each step, degrees."
    )
    zoom: float = Field(
        0.0, ge=0, le=0.9, description="Largest share by which what it sees is scaled, drawn each step, 0 to 0.9."
    )
    resettle: int = Field(
        0, ge=0, le=1024, description="Pixels of a second jitter, after turn and scale, 0 to 1024."
    )
    grain: float = Field(0.0, ge=0, le=1, description="Noise on what the network sees, 0 to 1.")
    crop: float = Field(
        1.0, gt=0, le=1, description="Share of the short side that is seen at the first step, above 0, at most 1."
    )
    last_crop: float = Field(
        1.0, gt=0, le=1, description="Share of the short side that is seen at the last step, above 0, at most 1."
    )
    crop_size: int = Field(
        224, ge=16, le=4096, description="Side in pixels at which such a crop is seen, 16 to 4096."
    )
    views: int = Field(1, ge=1, le=1024, description="Looks at the picture in each step, 1 to 1024.")
    redirect: int = Field(
        0,
        ge=0,
        le=10_000,
        description="First steps in which ReLUs that are all silent let gradient through, so that no start is dead, "
        "0 to 10000.",
    )
    likeness: float = Field(
        0.0,
        ge=0,
        le=100,
        description="How strongly the picture is held to its source, 0 to 100; 1 is as strong as the objective.",
    )
    opacity: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the picture that is wholly opaque, above 0, at most 1; the rest fades the less was "
        "sought there, as transparency in the file (PNG, WebP, TIFF).",
    )
    count: int = Field(1, ge=1, le=64, description="Pictures made at once, each of its own noise, 1 to 64.")

    @classmethod
    def of(cls, *layers: dict[str, Any]) -> Recipe:
        """A recipe from dictionaries, later ones winning; :class:`UsageError` in one sentence."""
        merged = {key: value for each in layers for key, value in each.items()}
        return validated(cls, merged)

    def files(self) -> tuple[tuple[grammar.Role, str], ...]:
        """Every picture beside the source that the recipe needs, as written, and what for: ``("guide", "a.jpg")``."""
        of_python = self.objective.startswith(grammar.PYTHON)
        texts = schedule.objectives(self.objective) if self.objective and not of_python else ()
        targets = [target for text in texts for target in grammar.parse_objective(text)]
        named = grammar.files(targets, map(grammar.parse_guide, self.guide))
        return tuple(dict.fromkeys((*named, *((("mask", self.mask),) if self.mask else ()))))

    def shape(self) -> tuple[int, int] | int | None:
        """``size`` as (height, width), as a long side, or None."""
        if self.size is None:
            return None
        width, _, height = self.size.partition("x")
        return (int(height), int(width)) if height else int(width)


class Run(_Settings):
    """How and where: nothing here changes what picture is meant."""

    device: Annotated[str, BeforeValidator(validators.valid_device)] = Field(
        "auto", description="Where to compute: auto, cpu, cuda, cuda:N or mps."
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="Number format of the network: fp32 is the reference; auto takes bf16 where the CPU has it, and "
        "fp16 on CUDA.",
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads, 1 to 1024; by default all cores."
    )
    tile: Annotated[Literal["auto", "none"] | int, BeforeValidator(validators.valid_tile)] = Field(
        "auto",
        description="Side in pixels of the tiles that a large picture is dreamt in; 'auto' takes tiles where it "
        "would not fit into --memory, 'none' never.",
    )
    tile_mode: Literal["exact", "shifted"] = Field(
        "exact",
        description="'exact': the same dream as without tiles; 'shifted': tiles without margins, cut elsewhere at "
        "every step, the way of TensorFlow's tutorial.",
    )
    memory: Annotated[Literal["auto"] | int, BeforeValidator(validators.valid_memory)] = Field(
        "auto", description="Memory to stay within, as in 2GiB; 'auto' is most of what is free."
    )
    weights: Path | None = Field(
        None,
        description="Weights file for the network (.safetensors, .pth, .pth.tar, .caffemodel), told by content; "
        "by default the network's own, fetched at first use.",
    )
    offline: bool = Field(False, description="Never fetch weights; take those that are here.")
    trust: bool = Field(
        False,
        description="Load a network that can run code (a .py or Keras file) where a Record or a recipe names it, and "
        "open files anywhere that a Record names.",
    )
    depth: Literal[8, 16] | None = Field(
        None,
        description="Bits a sample in the result, 8 or 16 (PNG and TIFF alone); by default 8, in a replay what it was.",
    )
    max_pixels: int = Field(300_000_000, ge=1, description="Refuse sources with more pixels than this.")


PREVIEW_SIDE = 480
"""Longest side of a preview: the largest octave of the final picture that fits, so it predicts it."""


def validated(model: type[Model], values: dict[str, Any]) -> Model:
    """``model`` of these values; :class:`UsageError` in one sentence, :class:`UnknownName` for a strange one."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "value"
        if first["type"] == "extra_forbidden":
            raise UnknownName("option", name, model.model_fields) from None
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[0].lower() + reason[1:]
        if not reason.startswith("must"):
            reason = reason.replace("input should", "must")
        got = first["input"]
        # Of an option that may be repeated the reason names the one that is wrong.
        named = any("not " + repr(each) in reason for each in (got, *(got if isinstance(got, list) else ())))
        raise UsageError(f"[[{name}]] {reason}{'' if named else f', not {got!r}'}.") from None


def valid_run(values: dict[str, Any]) -> Run:
    """Validated Run options; :class:`UsageError` in one sentence."""
    return validated(Run, values)


def read_settings(path: Path, what: str = "recipe") -> dict[str, Any]:
    """Recipe fields, or ``what`` else stands in a TOML or JSON file; :class:`InputError` when it is neither."""
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors begin with a mark
            text = file.read(_LONGEST_SETTINGS + 1)  # a device has no end
        if len(text) > _LONGEST_SETTINGS:
            raise ValueError(f"it has more than {_LONGEST_SETTINGS:,} characters")
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        reason: object = error.strerror if isinstance(error, OSError) else error
        reason = "not text" if isinstance(error, UnicodeDecodeError) else reason
        raise InputError(f"The {what} {path} cannot be read: {reason}.") from None
    try:
        values = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The {what} {path} is neither TOML nor JSON: {error}.") from None
    return dict(values)


def merged(
    name: str | None, recipe: str | Path | Recipe | Mapping[str, Any] | None, values: Mapping[str, Any]
) -> Recipe:
    """Preset, then recipe (itself, its fields, or its file), then single values: later ones win.

    A preset's own network stands where the network asked for is none or ``auto``.
    """
    layers: list[dict[str, Any]] = []
    if isinstance(recipe, Recipe):
        layers.append(recipe.model_dump(exclude_unset=True))
    elif isinstance(recipe, Mapping):
        layers.append(dict(recipe))
    elif recipe is not None:
        layers.append(read_settings(Path(recipe)))
    layers.append(dict(values))
    if name:
        asked = [str(each["network"]) for each in layers if each.get("network") is not None]
        other = asked[-1] if asked and asked[-1] != AUTO else None
        found = preset(name, other, any(each.get("objective") for each in layers))
        if other is None and "network" in found:
            layers = [{key: each[key] for key in each if key != "network"} for each in layers]
        layers.insert(0, found)
    return Recipe.of(*layers)
