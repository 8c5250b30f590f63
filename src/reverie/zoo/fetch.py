"""Published weights into the user's cache: fetched or read from a package once, hashed, and converted to safetensors.

Beside each file lies its receipt (JSON): where it came from, the SHA-256 of what was published and of
what lies here. Torch-free: whoever asks brings the converter.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from reverie.errors import InputError, MissingError, OutputError, UsageError
from reverie.zoo.catalog import Published, entries, published
from reverie.zoo.packages import installed, packaged_file

TIMEOUT = 30.0  # seconds without a byte until a connection counts as stalled
ATTEMPTS = 3
PAUSE = 1.0  # seconds before the second attempt, twice as many before the third
CHUNK = 2**18
LARGEST_DOWNLOAD = 2**31  # bytes; a server that goes on and on must not fill the disk

DownloadListener = Callable[[str, int, int], None]
"""Hears what is being done, bytes done, bytes in all (0 where that is unknown)."""

Converter = Callable[[Path, Path], None]
"""Writes the first file as safetensors into the second; :class:`InputError` when it does not fit."""

_listener: ContextVar[DownloadListener | None] = ContextVar("listener", default=None)


class _Failed(Exception):
    """One address did not do. ``final``: asking it again would not help."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Receipt:
    """What is known of a file in the cache: ``source`` and ``sha256`` are the SHA-256 of the file as
    published and as it lies here; ``trust`` is published, first use or imported."""

    name: str
    origin: str
    source: str
    sha256: str
    size: int
    trust: str
    day: str


@contextmanager
def listening(listener: DownloadListener) -> Iterator[None]:
    """Whatever is fetched inside is told to ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _tell(what: str, done: int = 0, total: int = 0) -> None:
    if listener := _listener.get():
        listener(what, done, total)


def folder() -> Path:
    """Where weights are kept: REVERIE_CACHE, else the place that the system has for caches."""
    if given := os.environ.get("REVERIE_CACHE"):
        return Path(given).expanduser() / "weights"
    import pooch

    return Path(pooch.os_cache("reverie")) / "weights"


def is_offline() -> bool:
    """Whether REVERIE_OFFLINE forbids the network."""
    value = os.environ.get("REVERIE_OFFLINE", "").strip().lower()
    if value not in ("", "0", "1", "no", "yes", "false", "true", "off", "on"):
        raise UsageError(f"REVERIE_OFFLINE must be 1 or 0, not {value!r}.")
    return value in ("1", "yes", "true", "on")


def path_of(name: str) -> Path:
    """Where the converted weights of that name lie, or would."""
    return folder() / f"{name}.safetensors"


def receipt(name: str) -> Receipt | None:
    """What is known of the cached file of that name; None where there is none, or none that can be read."""
    try:
        return Receipt(**json.loads((folder() / f"{name}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def receipts() -> list[Receipt]:
    """Everything in the cache, by name."""
    return [found for name in sorted(entries()) if (found := receipt(name)) and path_of(name).exists()]


def cached(name: str) -> Path | None:
    """The file of that name, if it is there in its full length; its hash is checked when it is read."""
    known, path = receipt(name), path_of(name)
    try:
        return path if known is not None and path.stat().st_size == known.size else None
    except OSError:
        return None


def intact(name: str) -> bool:
    """Whether the file of that name is there and every byte of it as it was written."""
    known, path = receipt(name), cached(name)
    return known is not None and path is not None and _digest(path) == known.sha256


def available(name: str) -> bool:
    """Whether the weights of that name are in the cache, or in an installed package."""
    return cached(name) is not None or installed(published(name)) is not None


def ensure(
    name: str, convert: Converter, *, forbidden: bool = False, check: bool = False, again: bool = False
) -> Path:
    """The converted weights of that name, fetched unless they are here.

    ``forbidden`` (or REVERIE_OFFLINE) keeps to what is here; ``check`` hashes it and replaces it when it
    is damaged; ``again`` replaces it in any case. Two processes fetch once: the second waits for the
    first. Raises :class:`UnknownName`, :class:`MissingError`, and :class:`OutputError` for a cache that
    cannot be written.
    """
    entry = published(name)
    here = intact if check else cached
    if not again and here(name):
        return path_of(name)
    if entry.package:
        return _from_package(entry, convert, again)
    if forbidden or is_offline():
        raise MissingError(
            f"The weights of {name} are not here, and Reverie is offline; run 'reverie weights fetch {name}' "
            f"where there is a network, give a file with [[weights=FILE]] ({entry.file} fits), or dream with "
            "[[network=motif]]."
        )
    with _locked(name):
        if again or not here(name):
            _fetch(entry, convert)
    return path_of(name)


def _from_package(entry: Published, convert: Converter, again: bool) -> Path:
    with _locked(entry.name):
        if again or not intact(entry.name):
            found, origin = packaged_file(entry), f"{entry.package} {installed(entry)}"
            try:
                _install(entry.name, found, origin, "published", convert)
            except OSError as error:
                _unwritable(error)
    return path_of(entry.name)


def adopt_file(name: str, file: Path, convert: Converter) -> Receipt:
    """Convert a file that the user has into the cache under that name.

    Raises :class:`InputError` when it does not fit, and :class:`OutputError` for a cache that cannot be written.
    """
    entry = published(name)
    if not os.path.isfile(file):
        raise InputError(f"The weights file {file} does not exist; check its name and folder.")
    with _locked(name):
        try:
            trust = "published" if _wrong(entry, file, None) is None and _known(entry) else "imported"
            return _install(name, file, str(file.resolve()), trust, convert)
        except OSError as error:
            _unwritable(error)


@contextmanager
def _locked(name: str) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder() / f"{name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _tell(f"waiting for another Reverie that fetches {name}")
            lock.acquire()
    except OSError as error:
        _unwritable(error)
    try:
        yield
    finally:
        lock.release()


def _fetch(entry: Published, convert: Converter) -> None:
    part, before, reasons = folder() / f"{entry.name}.part", receipt(entry.name), []
    # Without a published hash, what came first is what must come ever after.
    first = before.source if before is not None and before.trust == "first use" else None
    mirror = os.environ.get("REVERIE_MIRROR", "").strip().rstrip("/")
    try:
        for address in ([f"{mirror}/{entry.file}"] if mirror else []) + list(entry.addresses):
            host = urlsplit(address).netloc or address
            try:
                _patiently(entry, address, part, first)
                _install(entry.name, part, address, "published" if _known(entry) else "first use", convert)
                return
            except _Failed as error:
                reasons.append(f"{host} {error}")
            except InputError:
                reasons.append(f"{host} served a file that holds no weights for {entry.network}")
    except OSError as error:
        _unwritable(error)
    finally:
        part.unlink(missing_ok=True)
    raise MissingError(
        f"The weights of {entry.name} could not be fetched: {'; '.join(reasons)}; get {entry.file} another way and "
        "give it with [[weights=FILE]], set REVERIE_MIRROR to an address that has it, or dream with [[network=motif]]."
    )


def _patiently(entry: Published, address: str, part: Path, first: str | None) -> None:
    """Download, check, and try again where that may help."""
    wrong = 0
    for attempt in range(ATTEMPTS):
        try:
            _download(address, part, entry.file)
            if (reason := _wrong(entry, part, first)) is None:
                return
            # Once more, for bytes lost on the way; twice the same is what the server has.
            wrong += 1
            raise _Failed(reason, final=wrong > 1)
        except _Failed as error:
            if error.final or attempt == ATTEMPTS - 1:
                raise
            _tell(f"trying {entry.file} again")
            time.sleep(PAUSE * 2**attempt)


class _Meter:
    """What pooch takes for a progress bar."""

    def __init__(self, what: str) -> None:
        self.what, self.done, self.total = what, 0, 0

    def update(self, count: int) -> None:
        self.done += count
        if self.done > LARGEST_DOWNLOAD + CHUNK:
            raise _Failed("sends far more than any weights have", final=True)
        _tell(self.what, min(self.done, self.total or self.done), self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass


def _download(address: str, part: Path, file: str) -> None:
    import pooch
    from requests import exceptions

    load = pooch.HTTPDownloader(progressbar=_Meter(f"fetching {file}"), chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        load(address, str(part), None)
    except exceptions.HTTPError as error:
        answer = error.response
        assert answer is not None  # pooch raises for a status alone
        final = 400 <= answer.status_code < 500 and answer.status_code not in (408, 429)
        raise _Failed(f"answered {answer.status_code} {answer.reason}".rstrip(), final) from None
    except (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema):
        raise _Failed("is no address that can be asked", final=True) from None
    except exceptions.RequestException as error:
        if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
            raise _Failed(f"fell silent for {TIMEOUT:g} seconds") from None
        raise _Failed("could not be reached, or broke off") from None


def _known(entry: Published) -> bool:
    return bool(entry.sha256 or entry.sha1)


def _wrong(entry: Published, file: Path, first: str | None) -> str | None:
    """What is wrong with the hash of ``file``; None where nothing is."""
    if entry.sha256 or not entry.sha1:
        expected, got, kind = entry.sha256 or first or "", _digest(file), "SHA-256"
    else:
        expected, got, kind = entry.sha1, _digest(file, "sha1"), "SHA-1"
    if got.startswith(expected):
        return None
    if _known(entry):
        return f"served other bytes than what is published ({kind} {got[:8]}..., not {expected[:8]}...)"
    return (
        f"served other bytes than at the first fetch ({kind} {got[:8]}..., not {expected[:8]}...; delete "
        f"{folder() / entry.name}.json to take them all the same)"
    )


def _digest(file: Path, kind: str = "sha256") -> str:
    import pooch

    return str(pooch.file_hash(str(file), alg=kind))


def _install(name: str, file: Path, origin: str, trust: str, convert: Converter) -> Receipt:
    """Convert ``file``, and only when that is whole and on the disk give it its name."""
    _tell(f"converting {name}")
    new, path = folder() / f"{name}.new", path_of(name)
    try:
        convert(file, new)
        with open(new, "rb+") as handle:
            os.fsync(handle.fileno())
        made = Receipt(
            name, origin, _digest(file), _digest(new), new.stat().st_size, trust, date.today().isoformat()
        )
        os.replace(new, path)
        new.write_text(json.dumps(asdict(made), indent=1) + "\n", "utf-8")
        os.replace(new, folder() / f"{name}.json")
    finally:
        new.unlink(missing_ok=True)
    return made


def _unwritable(error: OSError) -> NoReturn:
    reason = "the disk is full" if error.errno == 28 else error.strerror or str(error)
    raise OutputError(
        f"The weights cache {folder()} cannot be written: {reason}; set REVERIE_CACHE to another folder."
    ) from None
