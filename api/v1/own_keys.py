"""My own signing keys, and the one-time code of a key at a remote service."""

from fastapi import APIRouter

from api import own_keys, schemas
from api.auth import Me, Running
from api.schemas import Json
from api.v1.asked import Key

router = APIRouter(prefix="/signing-keys", tags=["signing-keys"])


@router.get("")
def mine(parts: Running, caller: Me) -> Json:
    """The keys with which I sign here, by act, and what I type for each: a PIN, a one-time code, both or neither."""
    return {"items": [own_keys.own_key_json(one) for one in own_keys.own_keys(parts, caller)]}


@router.post("/code", status_code=202)
def send_code(
    parts: Running,
    caller: Me,
    key: Key,  # noqa: ARG001 - asked for as everywhere; a code that is sent again is another code
    body: schemas.CodeAsked,
) -> Json:
    """Have the remote service send me the one-time code of my key for that act. Nothing is signed."""
    own_keys.send_code(parts, caller, body.act)
    return {"act": body.act, "sent": True}
