"""Errors on pages: one sentence in the reader's language, what to do, and a code to tell support."""

from urllib.parse import quote, urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from api.errors import Unauthenticated
from api.pages.render import html, language_of
from api.problems import STATUS, RoomError


def show(request: Request, error: RoomError) -> Response:
    """The page for an error; whoever is not logged in is asked to log in first."""
    if isinstance(error, Unauthenticated) and request.url.path != "/login":
        wanted = request.url.path if request.method == "GET" else "/"
        return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)
    language = language_of(request)
    values = {
        "me": None,
        "pilot": False,
        "done": None,
        "here": "/",
        "hidden": lambda *_: "",
        "item": lambda *_: "",
        "may_draft": False,
        "may_group": False,
        "office_name": "",
        "code": error.code,
        "sentence": error.sentence(language),
        "trace": getattr(request.state, "trace", "–"),
        "back": _back(request),
    }
    return html("problem.html", language, values, status=STATUS[type(error)])


def _back(request: Request) -> str:
    """The page before, if it was one of ours."""
    referer = urlsplit(request.headers.get("referer", ""))
    return referer.path or "/" if referer.netloc == request.headers.get("host") else "/"
