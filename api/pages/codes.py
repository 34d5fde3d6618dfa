"""The button “Gửi mã”: a remote signing service sends its person a one-time code, and the form stays as it is."""

from fastapi import Request
from fastapi.responses import Response

from api import own_keys
from api.accounts import Caller
from api.pages.page import after
from api.pages.render import html, language_of
from api.pages.texts import text
from api.problems import ROOM_ERRORS
from api.wiring import Parts


def code_sent(request: Request, parts: Parts, caller: Caller, act: str, *, back: str) -> Response:
    """Have it sent, and say so, or why not: beside the button with a script, else on the page `back`."""
    language, script = language_of(request), request.headers.get("hx-request") == "true"
    try:
        own_keys.send_code(parts, caller, act)
    except ROOM_ERRORS as refused:
        if not script:
            raise
        return html("code_sent.html", language, {"said": refused.sentence(language), "code": refused.code})
    if not script:
        return after(back, "code")
    return html("code_sent.html", language, {"said": text(language, "done.code"), "code": None})
