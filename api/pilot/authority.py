"""The pilot's authority as a program of its own: OCSP, CRL and time stamps over HTTP on one loopback port.

The service reaches it only through `api.outgoing`, as it would reach a real authority. Killing this process is how
"the time-stamp authority is away" happens in the pilot and in the tests.
"""

import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.children import Child, end_with_parent
from keys.authority import PilotAuthority

LARGEST_REQUEST = 64 * 1024


class KeptAuthority:
    """The authority in a file, read again when somebody has issued or revoked since."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at = 0
        self._authority: PilotAuthority | None = None

    def current(self) -> PilotAuthority:
        """The authority as the file has it now."""
        changed = self._file.stat().st_mtime_ns
        if self._authority is None or changed != self._read_at:
            self._authority = PilotAuthority.from_bytes(self._file.read_bytes())
            self._read_at = changed
        return self._authority


def create_authority_app(kept: KeptAuthority, now: Callable[[], datetime]) -> Starlette:
    """The answers of one authority as a web application, and `/livez`."""

    async def answer(request: Request) -> Response:
        body = await request.body()
        if len(body) > LARGEST_REQUEST:
            return Response(status_code=413)
        found = await run_in_threadpool(kept.current().answer, f"/{request.path_params['path']}", body, now())
        return Response(found[1], media_type=found[0]) if found else Response(status_code=404)

    def alive(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/livez", alive), Route("/{path:path}", answer, methods=["GET", "POST"])])


def serve_authority(file: Path, port: int, now: Callable[[], datetime]) -> None:
    """Answer for the authority kept in `file` until this process is ended."""
    end_with_parent()
    app = create_authority_app(KeptAuthority(file), now)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


def start_authority(file: Path, port: int) -> Child:
    """Start the authority beside this program and return when it answers; raises `TimeoutError` when it does not."""
    child = Child(["authority", str(file), str(port)])
    url = f"http://127.0.0.1:{port}/livez"
    give_up = time.monotonic() + 60  # a busy machine takes long to load the program; one that failed is not waited for
    while time.monotonic() < give_up and child.alive():
        try:
            with urllib.request.urlopen(url, timeout=1):
                return child
        except OSError:
            time.sleep(0.05)
    child.stop()
    raise TimeoutError(f"the pilot authority does not answer at {url}")
