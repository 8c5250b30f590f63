"""Who may ask what: checks of Host, Origin and Sec-Fetch-Site, a token for other machines, headers of answers.

A page of somebody else, open in the same browser, must not start dreams or read pictures. It must not reach the server
by a name that it controls either (DNS rebinding). So every request must name a host that is ours. Whatever changes
state must come from our own page, or from a program that is no browser.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
COOKIE = "reverie_studio"
MARK = "x-reverie-studio"
"""A header that our page sends with every change. No form of another page can send it."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
_READING = ("GET", "HEAD")


def hostname(host: str) -> str:
    """The name in a Host header, without its port: ``[::1]:8723`` gives ``[::1]``."""
    bare = host.strip().lower()
    if bare.startswith("["):
        return bare.partition("]")[0] + "]"
    return bare.partition(":")[0]


@dataclass(frozen=True)
class Guard:
    """An ASGI layer around the studio that refuses what is not meant for it.

    ``hosts`` are the names under which the studio may be reached beside the loopback ones; ``token`` is what a browser
    must know where the studio listens to other machines, "" where it does not.
    """

    app: ASGIApp
    hosts: tuple[str, ...] = ()
    token: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        if (refusal := self._refused(scope["method"], headers, scope["path"])) is not None:
            await JSONResponse({"error": refusal}, 403)(scope, receive, answer)
            return
        if self.token and not self._known(headers):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if scope["method"] == "GET" and scope["path"] == "/" and _equal(given, self.token):
                response = RedirectResponse("/", 303)
                secure = scope["scheme"] == "https"
                response.set_cookie(
                    COOKIE, self.token, httponly=True, samesite="strict", secure=secure, path="/"
                )
                await response(scope, receive, answer)
                return
            sentence = "This studio needs the token of its address; open the address that the terminal shows."
            await JSONResponse({"error": sentence}, 401)(scope, receive, answer)
            return
        await self.app(scope, receive, answer)

    def _refused(self, method: str, headers: Headers, path: str) -> str | None:
        """Why a request is none of ours; None where it is."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hostname(hosts[0]) not in self._names():
            return (
                "The studio is not reached by this host name; start it with --allowed-host NAME to allow it."
            )
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        foreign = origin is not None and not _ours(origin, hosts[0])
        if method in _READING:
            # A link on another page may lead to our page; nothing else of another page may read from here.
            top = path == "/" and headers.get("sec-fetch-mode") == "navigate"
            top = top and headers.get("sec-fetch-dest") in ("document", None)
            strange = foreign or (site in ("cross-site", "same-site") and not top)
            return "Another page asked for this; only the studio's own page may." if strange else None
        if method not in ("POST", "PUT", "PATCH", "DELETE"):
            return "The studio does not know this method."
        if foreign or site not in (None, "same-origin"):
            return "Another page asked for this change; only the studio's own page may."
        if headers.get(MARK) != "1":
            return f"A change needs the header {MARK}: 1, which no form of another page can send."
        return None

    def _names(self) -> Iterable[str]:
        return (*LOOPBACK, *(hostname(each) for each in self.hosts))

    def _known(self, headers: Headers) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and _equal(bearer, self.token):
            return True
        try:
            cookies: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and _equal(cookies[COOKIE].value, self.token)


def _ours(origin: str, host: str) -> bool:
    """Whether an Origin is the very host and port that was asked; ``null`` never is."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.strip().lower()
    except ValueError:
        return False


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def attachment(name: str) -> dict[str, Any]:
    """Headers of a download under a file name of ours (letters, digits, points, hyphens)."""
    return {"content-disposition": f'attachment; filename="{name}"'}
