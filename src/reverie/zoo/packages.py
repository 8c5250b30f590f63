"""Weights that lie in an installed Python package: found, and told from others, without importing it. Torch-free."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from reverie.errors import MissingError
from reverie.zoo.catalog import Published

EXTRA = "imagenet"
"""The extra of Reverie whose packages bring ImageNet weights."""


def installed(entry: Published) -> str | None:
    """The version of the installed package that brings these weights; None where none is installed."""
    if not entry.package:
        return None
    try:
        return distribution(entry.package).version
    except PackageNotFoundError:
        return None


def remedy(entry: Published) -> str:
    """The command that installs the package of these weights."""
    return f"pip install '{entry.package}=={entry.version}'"


def packaged_file(entry: Published) -> Path:
    """The file of weights inside its installed package, whose SHA-256 is the published one.

    No code of the package runs. Raises :class:`MissingError` where the package is not installed, has another
    version with other weights, or lacks the file, and where the file is damaged.
    """
    version = installed(entry)
    if version is None:
        raise MissingError(
            f"The weights of {entry.name} come with the package {entry.package}, which is not installed; run "
            f"{remedy(entry)}, give a file with [[weights=FILE]] ({entry.file} fits), or dream with [[network=motif]]."
        )
    path = Path(str(distribution(entry.package).locate_file(entry.inside)))
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        digest, fault = "", f"has no file {entry.inside}"
    except OSError as error:
        digest, fault = "", f"cannot be read: {error.strerror or error}"
    else:
        fault = f"holds other bytes than what is published (SHA-256 {digest[:8]}..., not {entry.sha256[:8]}...)"
    if digest == entry.sha256:
        return path
    if version != entry.version:
        raise MissingError(
            f"The package {entry.package} is installed in version {version}, which {fault}; "
            f"the weights of {entry.name} come with version {entry.version}: run {remedy(entry)}."
        )
    raise MissingError(
        f"The installed package {entry.package} {fault}; run {remedy(entry)} --force-reinstall --no-deps."
    )
