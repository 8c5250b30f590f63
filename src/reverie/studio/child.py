"""The server's side of a child process: started when it is needed, asked in lines of JSON, killed when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from reverie.errors import InputError
from reverie.studio.pipe import LONGEST

STARTING = 180.0
"""Seconds that a busy machine may take to start a process."""


async def started(module: str, folder: Path, log: Path, *arguments: str) -> Process:
    """A Python process that runs ``module`` in ``folder``; what it prints for people goes to the file ``log``."""
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
    with open(log, "ab") as errors:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            limit=LONGEST,
            start_new_session=True,  # Ctrl-C is for the server, which ends its children itself
        )


def tell(process: Process, **values: Any) -> None:
    """Send one line to a child; one that is gone is told nothing."""
    if process.stdin is not None and not process.stdin.is_closing():
        with contextlib.suppress(OSError, RuntimeError):
            process.stdin.write(json.dumps(values, separators=(",", ":")).encode() + b"\n")


async def lines(process: Process, take: Callable[[dict[str, Any]], Awaitable[None] | None]) -> None:
    """Hand every line of a child to ``take``, until the child is gone."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        with contextlib.suppress(ValueError):
            if (pending := take(json.loads(line))) is not None:
                await pending


def kill(process: Process | None) -> None:
    """End a child at once."""
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def ended(process: Process | None) -> None:
    """End a child, and wait until it is gone."""
    kill(process)
    if process is not None:
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


class Reader:
    """The process that reads strangers' files. A request that takes too long, or that kills the process, fails alone:
    the next one gets a fresh process."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder, self._log = folder, log
        self._process: Process | None = None
        self._following: asyncio.Task[None] | None = None
        self._up: asyncio.Future[None]
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The number of the process, if there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, patience: float = 30.0, **request: Any) -> dict[str, Any]:
        """The answer to a request; :class:`InputError` with one sentence where there is none."""
        async with self._turn:
            process = await self._present()
            # The patience is for the file; a busy machine may take longer to start Python.
            await asyncio.wait_for(asyncio.shield(self._up), STARTING)
            if process.returncode is not None:
                raise InputError("The process that reads files did not start; the file reader.log says why.")
            number = next(self._numbers)
            answer = self._answers[number] = asyncio.get_running_loop().create_future()
            tell(process, number=number, **request)
            try:
                found = await asyncio.wait_for(answer, patience)
            except (TimeoutError, asyncio.CancelledError) as error:
                kill(process)
                if isinstance(error, asyncio.CancelledError):
                    raise
                raise InputError(
                    f"The file took more than {patience:.0f} seconds to read; make it smaller."
                ) from None
            finally:
                self._answers.pop(number, None)
        if error_text := found.get("error"):
            raise InputError(str(error_text))
        return dict(found)

    async def _present(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await started("reverie.studio.reader", self._folder, self._log)
            self._up = asyncio.get_running_loop().create_future()
            self._following = asyncio.get_running_loop().create_task(self._follow(self._process))
        return self._process

    async def warm(self) -> None:
        """Start the process before anybody waits for it."""
        async with self._turn:
            await self._present()

    async def _follow(self, process: Process) -> None:
        def take(message: dict[str, Any]) -> None:
            if message.get("ready") and not self._up.done():
                self._up.set_result(None)
            answer = self._answers.get(message.get("number", -1))
            if answer is not None and not answer.done():
                answer.set_result(message)

        await lines(process, take)
        await process.wait()
        if not self._up.done():
            self._up.set_result(None)  # what is asked of it now finds that it is gone
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(
                    {"error": "The file needs more memory than a picture may take; make it smaller."}
                )

    async def close(self) -> None:
        """End the process."""
        await ended(self._process)
        if self._following is not None:
            await asyncio.gather(self._following, return_exceptions=True)
