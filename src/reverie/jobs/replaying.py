"""From a Record to the same dream again: the Job of a picture, and what films need besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from reverie import files, zoo
from reverie.errors import InputError, UsageError
from reverie.jobs import sources
from reverie.jobs.job import Job, job_of, own_network, taken_values
from reverie.jobs.sources import Source, find_asset, finder, opened
from reverie.loop.plan import Values
from reverie.network import Network
from reverie.recipe import Recipe, Run, record, valid_run
from reverie.recipe.functions import FUNCTIONS
from reverie.recipe.record import Record

VALUE_NAMES = {each.name for each in fields(Values)}
Kept = TypeVar("Kept", bound=Record)


def replay(
    picture: str | Path | bytes,
    *,
    source: Source = None,
    changes: Mapping[str, Any] | None = None,
    network: str | Network | None = None,
    assets: Sequence[Source] = (),
    **options: Any,
) -> Job:
    """The job whose Record lies in ``picture``, a path or the bytes of a file.

    ``changes`` are fields of the recipe that shall have other values. The source is looked for where ``source`` says,
    beside the picture, below its folder and below the current one; so are guides and masks, and among ``assets``,
    where they are known by their content. A recorded path elsewhere is opened with ``trust=True`` alone. What was made
    in Python must be handed in again: a ``network``, ``objective``, ``transform``, ``rule`` or ``param``. A
    network whose loading can run code needs ``trust=True``. Other ``options`` are the fields of
    :class:`reverie.Run`. Raises :class:`InputError` for a file that is not found or not the same any more, and
    :class:`UsageError` for a value that is missing.
    """
    path = Path("the picture") if isinstance(picture, bytes) else Path(picture)
    found = record.parse_record(files.read_text(picture), path)
    given = own_network(network)
    values, changed = values_again(found, path, options, changes)
    if isinstance(network, str):
        changed["network"] = network
    recipe = Recipe.of(found.recipe.model_dump(), changed)
    if given is None and "network" not in changed:
        zoo.consent(recipe.network, bool(options.get("trust")), str(path))
    how = valid_run(run_again(found, path, recipe, options))
    photo = source_again(found, path, source, bool(options.get("trust")))
    trust = bool(options.get("trust"))
    require_listed_files(found, recipe, changed, path, trust)
    find = finder(path, [opened(each) for each in assets], trust=trust)
    pictures = sources.recorded(recipe.files(), found.assets, find)
    made = job_of(photo, recipe, how, False, given, pictures, values)
    now = made.record
    if found.part < recipe.count:
        now = now.model_copy(update={"part": found.part})
    if recipe.network == found.recipe.network:
        require_same(found, now, path, ("source", "weights"))
        now = with_recorded_paths(found, now)
    return replace(made, record=now)


def values_again(
    found: Record, path: Path, options: dict[str, Any], changes: Mapping[str, Any] | None
) -> tuple[Values, dict[str, Any]]:
    """What was handed in again, taken out of ``options``, and the ``changes`` of the recipe that follow from it.

    Raises :class:`UsageError` where the Record names a value that is missing.
    """
    values = taken_values(options)
    changed = dict(changes or {})
    changed |= {name: options.pop(name) for name in ("objective", "param") if name in options}
    for name, said in found.values.items():
        if name not in VALUE_NAMES:
            if name not in FUNCTIONS:
                raise UsageError(
                    f"{path} was dreamt with the word {name!r}, made in Python; register it again with "
                    "reverie.register_objective."
                )
        elif getattr(values, name) is None and name not in changed:
            raise UsageError(f"{path} was dreamt with the {name} {said}, made in Python; hand it in again as {name}=.")
    return values, changed


def run_again(found: Record, path: Path, recipe: Recipe, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Run as they were when ``path`` was made, the weights found again, unless ``options`` say more."""
    fields = Run.model_fields.keys() & type(found).model_fields.keys()
    values: dict[str, Any] = {name: getattr(found, name) for name in fields}
    weights = found.asset("weights")
    same = recipe.network == found.recipe.network
    if weights is not None and weights.path and options.get("weights") is None and same:
        values["weights"] = find_asset(weights, path, None, "[[weights]]", bool(options.get("trust")))
    return values | {name: value for name, value in options.items() if value is not None}


def require_listed_files(found: Record, recipe: Recipe, changed: Mapping[str, Any], path: Path, trust: bool) -> None:
    """Raise :class:`InputError` where ``recipe`` opens a file that neither the Record lists nor ``changed`` names."""
    if not trust:
        named = Recipe.of({name: value for name, value in changed.items() if name in ("mask", "guide", "objective")})
        sources.require_listed(recipe.files(), named.files(), found.assets, path)


def source_again(found: Record, path: Path, source: Source, trust: bool = False) -> Source:
    """The source of ``path``: what is handed in as ``source``, or the recorded file, found again; None for noise."""
    asset = found.asset("source")
    if asset is None:
        if source is not None:
            raise UsageError(f"{path} was dreamt from noise; it takes no [[source]].")
        return None
    if source is not None and not isinstance(source, str | Path):
        return source
    if not asset.path and source is None:
        raise InputError(f"The source of {path} was no file of its own; give it with [[source]].")
    return find_asset(asset, path, source, "[[source]]", trust)


def require_same(found: Record, now: Record, path: Path, roles: Sequence[str]) -> None:
    """Raise :class:`InputError` where a file of one of the ``roles`` is not the recorded one."""
    for role in roles:
        then, here = found.asset(role), now.asset(role)
        if then is None or here is None or then.sha256 == here.sha256:
            continue
        if role == "weights" and zoo.foreign(now.recipe.network):
            raise InputError(f"The network {now.recipe.network} is not what it was when {path} was dreamt.")
        raise InputError(f"The {role} of {path} is not the same file any more; give the original with [[{role}]].")


def with_recorded_paths(found: Record, now: Kept) -> Kept:
    """``now`` with the paths of source and weights as recorded, so that the same picture is also the same file."""
    kept = tuple(
        (found.asset(each.role) or each) if each.role in ("source", "weights") else each for each in now.assets
    )
    return now.model_copy(update={"assets": kept})
