"""The server of the lab: marimo's notebooks as applications, for this machine's own browser alone."""

from __future__ import annotations

import logging
import os
import socket
import webbrowser
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import marimo
import uvicorn

from widegap.errors import TERMINATED, Failure, Terminated, say
from widegap.lab.worker import end_all

__all__ = ["Guard", "application", "serve"]

HOST = "127.0.0.1"
_NAMES = ("127.0.0.1", "localhost")
_PAGES = {"/": "model", "/network": "network", "/subjects": "subjects", "/claims": "claims"}

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# what a page may load: its own files and connections, nothing from elsewhere
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:{own}; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)


class Guard:
    """Refuses what does not come from this machine's own pages, whatever it asks for.

    The name that the browser thinks it talks to has to be the loopback's: names that others point to it are
    refused, so that their pages cannot read ours. So is what a page from elsewhere sends, which its Origin
    tells. And answers say that pages may load nothing from elsewhere.

    Parameters
    ----------
    application
        What is guarded.
    port
        Where it is served.
    """

    def __init__(self, application: Application, port: int) -> None:
        self._application = application
        self._hosts = {f"{name}:{port}" for name in _NAMES}
        sockets = "".join(f" ws://{host}" for host in sorted(self._hosts))
        self._policy = _POLICY.format(own=sockets).encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        heads = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        origin = heads.get(b"origin")
        # marimo's files in shared memory: no page has any, and a name could be that of somebody else's
        own = heads.get(b"host") in self._hosts and "/@file" not in scope["path"]
        if not own or (origin is not None and urlsplit(origin).netloc not in self._hosts):
            await self._refuse(scope, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [
                    (b"content-security-policy", self._policy),
                    (b"referrer-policy", b"no-referrer"),
                ]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self._application(scope, receive, guarded)

    async def _refuse(self, scope: Message, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        heads = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 403, "headers": heads})
        await send({"type": "http.response.body", "body": b"this is for the lab's own pages\n"})


def application(port: int) -> Application:
    """The lab's pages behind their guard."""
    folder = Path(__file__).parent / "pages"
    builder = marimo.create_asgi_app(quiet=True, include_code=False)
    for path, name in _PAGES.items():
        builder = builder.with_app(path=path, root=str(folder / f"{name}.py"))
    return Guard(builder.build(), port)


def serve(port: int, *, browser: bool) -> None:
    """Serve the lab until Ctrl-C; the process ends with it.

    Parameters
    ----------
    port
        Of the loopback address; 0 for any that is free.
    browser
        Whether to open it.

    Raises
    ------
    Failure
        If the port is taken.
    """
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise Failure(
            f"cannot serve on port {port}: {error.strerror}; choose another with --port, or 0 for any"
        ) from error
    with listening:
        port = listening.getsockname()[1]
        address = f"http://{HOST}:{port}/"
        logging.getLogger("marimo").setLevel(logging.ERROR)
        config = uvicorn.Config(
            application(port), log_level="error", timeout_graceful_shutdown=1, server_header=False
        )
        say(f"the lab is at {address}; Ctrl-C ends it")
        if browser:
            webbrowser.open(address)
        status = 0
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt as signalled:  # the way to end it
            status = TERMINATED if isinstance(signalled, Terminated) else 0
        say("the lab has ended")
    end_all()
    os._exit(status)  # the threads of pages that are open would wait for them
