"""The Job of a Record: the same picture again, from what lies inside its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reverie import files, zoo
from reverie.errors import InputError, UsageError
from reverie.jobs import sources
from reverie.jobs.job import Job, job_of, own_network
from reverie.jobs.sources import Source, find_asset, finder, opened
from reverie.network import Network
from reverie.recipe import Recipe, record, valid_run


def replay(
    picture: str | Path | bytes,
    *,
    source: Source = None,
    changes: Mapping[str, Any] | None = None,
    network: str | Network | None = None,
    assets: Sequence[Source] = (),
    **options: Any,
) -> Job:
    """The job whose Record lies in ``picture``, a path or the bytes of a file; with ``changes``, that recipe
    with other values.

    The source is looked for where ``source`` says, at the recorded path, and beside the picture; so are guides and
    masks, and among ``assets``, where they are known by their content. A ``network``
    that was handed in must be handed in again; one whose loading can run code needs ``trust=True``.
    Raises :class:`InputError` when it is not found or not the same file any more.
    """
    path = Path("the picture") if isinstance(picture, bytes) else Path(picture)
    found = record.parse_record(files.read_text(picture), path)
    given, changes = own_network(network), dict(changes or {})
    if isinstance(network, str):
        changes["network"] = network
    recipe = Recipe.of(found.recipe.model_dump(), changes)
    same = recipe.network == found.recipe.network
    if given is None and "network" not in changes:
        zoo.consent(recipe.network, bool(options.get("trust")), str(path))
    weights = found.asset("weights")
    how = ("device", "precision", "threads", "depth", "tile", "tile_mode")
    values: dict[str, Any] = {name: getattr(found, name) for name in how}
    if weights is not None and weights.path and options.get("weights") is None and same:
        values["weights"] = find_asset(weights, path, None, "--weights")
    options = {**values, **{name: value for name, value in options.items() if value is not None}}
    asset = found.asset("source")
    photo = None
    if asset is not None and not asset.path and source is None:
        raise InputError(f"The source of {path} was no file of its own; give it with --source.")
    if asset is not None:
        in_memory = source is not None and not isinstance(source, str | Path)
        photo = source if in_memory else find_asset(asset, path, source, "--source")
    elif source is not None:
        raise UsageError(f"{path} was dreamt from noise; it takes no --source.")
    pictures = sources.recorded(
        recipe.files(), found.assets, finder(path, [opened(each) for each in assets])
    )
    made = job_of(photo, recipe, valid_run(options), False, given, pictures)
    if found.part < recipe.count:
        made = replace(made, record=made.record.model_copy(update={"part": found.part}))
    if not same:
        return made
    for role, remedy in (("source", "--source"), ("weights", "--weights")):
        then, now = found.asset(role), made.record.asset(role)
        if then and now and then.sha256 != now.sha256 and role == "weights" and zoo.foreign(recipe.network):
            raise InputError(f"The network {recipe.network} is not what it was when {path} was dreamt.")
        if then and now and then.sha256 != now.sha256:
            raise InputError(
                f"The {role} of {path} is not the same file any more; give the original with {remedy}."
            )
    # The assets keep their recorded paths, so that the same picture is also the same file.
    kept = tuple(
        (found.asset(each.role) or each) if each.role in ("source", "weights") else each
        for each in made.record.assets
    )
    return replace(made, record=made.record.model_copy(update={"assets": kept}))
