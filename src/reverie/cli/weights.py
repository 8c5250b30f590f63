"""``reverie weights``: what is published, what is here, bring it, check it."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from reverie.cli.options import Json
from reverie.cli.output import line, put, say, table
from reverie.cli.progress import watching_weights
from reverie.errors import InputError, MissingError, UsageError
from reverie.zoo.catalog import Published, entries, published
from reverie.zoo.fetch import Receipt, cached, folder, intact, receipt, receipts
from reverie.zoo.packages import installed, packaged_file

NoProgress = Annotated[bool, Parameter(negative=(), help="No progress, no notes.")]

weights = App(
    "weights",
    help="List, fetch, verify and import published weights.",
    help_format="plaintext",
)




@weights.command(name="list")
def list_(*, json: Json = False) -> None:
    """List the published weights: whether they are here, size, license, where they come from."""
    rows = []
    for name, entry in entries().items():
        known = receipt(name) if cached(name) else None
        rows.append(
            {
                "name": name,
                "here": known is not None,
                "trust": known.trust if known else "",
                "package": entry.package,
                "installed": installed(entry) or "",
                "megabytes": entry.megabytes or None,
                "license": entry.license or "not stated",
                "hash": entry.hash,
                "credit": entry.credit,
                "addresses": list(entry.addresses),
                "note": entry.note,
            }
        )
    if json:
        put(jsons.dumps(rows))
        return
    table(
        ["weights", "here", "MB", "license", "hash"],
        [
            [
                str(each["name"]),
                str(each["trust"]) or ("in its package" if each["installed"] else "no"),
                f"{each['megabytes']:.0f}" if each["megabytes"] else "?",
                str(each["license"]),
                str(each["hash"]),
            ]
            for each in rows
        ],
    )


@weights.command
def fetch(
    *names: Annotated[str, Parameter(name="NAME", help="Names that 'reverie weights list' lists.")],
    again: Annotated[bool, Parameter(negative=(), help="Fetch even what is here already.")] = False,
    offline: Annotated[bool, Parameter(negative=(), help="Only check what is here.")] = False,
    quiet: NoProgress = False,
) -> None:
    """Bring weights into the cache, and check those that are there already."""
    from reverie import zoo

    if not names:
        raise UsageError("Say which weights to fetch, as in 'reverie weights fetch vgg16'.")
    for name in names:
        published(name)
    for name in names:
        with watching_weights(quiet):
            path = zoo.fetched(name, offline=offline, check=True, again=again)
        _note(receipt(name), quiet)
        say(f"{name} is in {path}", quiet)


def _note(known: Receipt | None, quiet: bool) -> None:
    if known is not None and known.trust == "first use":
        say(
            f"no hash is published for {known.name}; from now on its SHA-256 must be {known.source}.",
            quiet,
        )


@weights.command
def verify(
    *names: Annotated[str, Parameter(name="NAME", help="Some of them; by default all that are here.")],
    json: Json = False,
) -> int:
    """Hash again what is in the cache and in packages; exit code 3 where a file is damaged."""
    for name in names:
        published(name)
    known = [each for each in receipts() if not names or each.name in names]
    there = {each.name for each in known}
    packaged = [
        entry
        for name, entry in entries().items()
        if (name in names or not names) and name not in there and installed(entry)
    ]
    if missing := set(names) - there - {entry.name for entry in packaged}:
        absent = published(min(missing))
        if absent.package:
            packaged_file(absent)  # says what to install
        raise MissingError(
            f"The weights of {absent.name} are not here; 'reverie weights fetch {absent.name}' brings them."
        )
    bad = []
    for each in known:
        good = intact(each.name)
        if json:
            line(name=each.name, intact=good, trust=each.trust, source_sha256=each.source, sha256=each.sha256)
        else:
            put(f"{each.name}\t{'intact' if good else 'damaged'}\t{each.trust}\tsha256 {each.source}")
        if not good:
            bad.append(each.name)
    broken = [_verified(entry, json) for entry in packaged]
    if not known and not packaged:
        say(f"there are no weights in {folder()} yet.", json)
    if bad:
        say(f"'reverie weights fetch {' '.join(bad)}' brings them again.")
    return InputError.exit_code if bad or not all(broken) else 0


def _verified(entry: Published, json: bool) -> bool:
    """Whether the weights in an installed package are whole; a line about them on stdout."""
    try:
        packaged_file(entry)
    except MissingError as error:
        say(error)
        good = False
    else:
        good = True
    if json:
        line(name=entry.name, intact=good, trust="published", source_sha256=entry.sha256, package=entry.package)
    else:
        state = "intact" if good else "damaged"
        put(f"{entry.name}\t{state}\tin its package\tsha256 {entry.sha256}")
    return good


@weights.command(name="import")
def import_(
    file: Annotated[Path, Parameter(help="A file in safetensors, PyTorch or Caffe format.")],
    name: Annotated[
        str | None,
        Parameter(
            name="--as", help="Whose weights they are, as in vgg16; by default told by the file's name."
        ),
    ] = None,
    *,
    quiet: NoProgress = False,
) -> None:
    """Put a weights file that you have into the cache, as if it had been fetched."""
    wanted = published(name).name if name is not None else _guessed(file)
    from reverie import zoo

    with watching_weights(quiet):
        known = zoo.import_weights(wanted, file)
    entry = published(wanted)
    if known.trust == "imported" and (entry.sha256 or entry.sha1):
        say(f"this is not the published file of {wanted} ({entry.hash}), but it fits.", quiet)
    say(f"imported {file} as {wanted}", quiet)


def _guessed(file: Path) -> str:
    """The set of weights that a file's name speaks of: its published name, else a network's name at its start."""
    for name, entry in entries().items():
        if entry.file == file.name:
            return name
    found = [name for name in entries() if file.name.startswith(name)]
    if found:
        return max(found, key=len)
    raise UsageError(
        f"The name {file.name} does not say whose weights these are; add --as NAME, as in --as vgg16."
    )


@weights.command
def where(
    name: Annotated[str | None, Parameter(help="One of them: say which file its weights are in.")] = None,
    *,
    json: Json = False,
) -> None:
    """Say in which folder weights are kept, or which file holds those of one network."""
    if name is not None:
        path = _file(published(name))
        if json:
            line(name=name, file=str(path))
        else:
            put(str(path))
    elif json:
        line(folder=str(folder()))
    else:
        put(str(folder()))


def _file(entry: Published) -> Path:
    if (path := cached(entry.name)) is not None:
        return path
    if entry.package:
        return packaged_file(entry)
    raise MissingError(
        f"The weights of {entry.name} are not here; 'reverie weights fetch {entry.name}' brings them."
    )
