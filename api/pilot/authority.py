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
from starlette.responses import Response
from starlette.routing import Route

from api.children import Child, end_with_parent
from keys.authority import PilotAuthority

LARGEST_REQUEST = 64 * 1024


def create_authority_app(authority: PilotAuthority, now: Callable[[], datetime]) -> Starlette:
    """The answers of one authority as a web app: `/tsa`, `/ocsp`, `/ca.crl`, `/root.crl`, `/ca.cer`, `/livez`."""

    async def answered(request: Request, answer: Callable[[bytes, datetime], bytes], media_type: str) -> Response:
        body = await request.body()
        if len(body) > LARGEST_REQUEST:
            return Response(status_code=413)
        return Response(await run_in_threadpool(answer, body, now()), media_type=media_type)

    async def tsa(request: Request) -> Response:
        return await answered(request, authority.answer_timestamp, "application/timestamp-reply")

    async def ocsp(request: Request) -> Response:
        return await answered(request, authority.answer_ocsp, "application/ocsp-response")

    def issuing_crl(_: Request) -> Response:
        return Response(authority.crl(now()), media_type="application/pkix-crl")

    def root_crl(_: Request) -> Response:
        return Response(authority.root_crl(now()), media_type="application/pkix-crl")

    def alive(_: Request) -> Response:
        return Response("ok", media_type="text/plain")

    return Starlette(
        routes=[
            Route("/tsa", tsa, methods=["POST"]),
            Route("/ocsp", ocsp, methods=["POST"]),
            Route("/ca.crl", issuing_crl),
            Route("/root.crl", root_crl),
            Route("/livez", alive),
        ]
    )


def serve_authority(file: Path, port: int, now: Callable[[], datetime]) -> None:
    """Answer for the authority kept in `file` until this process is ended."""
    end_with_parent()
    authority = PilotAuthority.from_bytes(file.read_bytes())
    uvicorn.run(create_authority_app(authority, now), host="127.0.0.1", port=port, log_level="warning", lifespan="off")


def start_authority(file: Path, port: int) -> Child:
    """Start the authority beside this program and return when it answers; raises `TimeoutError` when it does not."""
    child = Child(["authority", str(file), str(port)])
    url = f"http://127.0.0.1:{port}/livez"
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up and child.alive():
        try:
            with urllib.request.urlopen(url, timeout=1):
                return child
        except OSError:
            time.sleep(0.05)
    child.stop()
    raise TimeoutError(f"the pilot authority does not answer at {url}")
