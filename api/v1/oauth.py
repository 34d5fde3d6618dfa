"""The token endpoint for programs (RFC 6749 §4.4). Its refusals have the form of §5.2, not that of our problems."""

import base64
import binascii
from urllib.parse import unquote_plus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api import clients
from api.auth import Running

router = APIRouter(prefix="/oauth", tags=["about"])

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["client_credentials"]},
                        "scope": {"type": "string"},
                        "client_assertion_type": {"type": "string"},
                        "client_assertion": {"type": "string"},
                    },
                }
            }
        },
    }
}


@router.post("/token", openapi_extra=_FORM)
async def token(request: Request, parts: Running) -> Response:
    """A token of ten minutes for a program: `client_secret_basic`, or `private_key_jwt` (RFC 7523)."""
    try:
        asked = clients.Asked(await _form(request), _basic(request))
        told = await run_in_threadpool(clients.grant, parts, asked)
    except clients.OAuthError as refusal:
        headers = NO_STORE | ({"WWW-Authenticate": 'Basic realm="congvan"'} if refusal.status == 401 else {})
        return JSONResponse({"error": refusal.error}, refusal.status, headers)
    return JSONResponse(told, headers=NO_STORE)


async def _form(request: Request) -> dict[str, str]:
    """The form; a field given twice is no request (RFC 6749 §3.2)."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise clients.OAuthError("invalid_request")
    async with request.form(max_files=0, max_fields=16) as form:
        pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    if len({name for name, _ in pairs}) != len(pairs):
        raise clients.OAuthError("invalid_request")
    return dict(pairs)


def _basic(request: Request) -> tuple[str, str] | None:
    """Name and secret of the header, each form-urlencoded as RFC 6749 §2.3.1 has it."""
    scheme, _, coded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise clients.OAuthError("invalid_client", 401) from error
    if not colon:
        raise clients.OAuthError("invalid_client", 401)
    return unquote_plus(name), unquote_plus(secret)
