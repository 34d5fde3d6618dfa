"""Log in, log out, choose the language."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from api.accounts import log_in, log_out
from api.auth import Anyone, Running, drop_session_cookie, require_same_site, set_session_cookie, token_of
from api.errors import ApiError
from api.pages.page import form_of, page
from api.pages.render import language_of
from api.pages.texts import LANGUAGES
from api.problems import STATUS

router = APIRouter()


@router.get("/login")
def ask(request: Request, next: str = "/") -> Response:
    """The form."""
    return page(request, "login.html", None, {"problem": None, "next": next, "login": ""})


@router.post("/login")
async def enter(request: Request, parts: Running) -> Response:
    """A new session, or the form again with what was wrong."""
    require_same_site(request)
    form = await form_of(request)
    login, password = str(form.get("login", "")), str(form.get("password", ""))
    code = str(form.get("code") or "") or None
    try:
        token, _ = await run_in_threadpool(log_in, parts, login, password, code)
    except ApiError as error:
        values = {"problem": error.sentence(language_of(request)), "next": form.get("next", "/"), "login": login}
        return page(request, "login.html", None, values, status=STATUS[type(error)])
    response = RedirectResponse(_local(str(form.get("next", "/"))), 303)
    set_session_cookie(request, response, token)
    return response


@router.post("/logout")
def leave(request: Request, parts: Running, caller: Anyone) -> Response:
    """The session ends here and on the server."""
    if caller is not None:
        log_out(parts, token_of(request) or "")
    response = RedirectResponse("/login", 303)
    drop_session_cookie(response)
    return response


@router.post("/language")
async def choose(request: Request) -> Response:
    """Remember the language."""
    require_same_site(request)
    form = await form_of(request)
    response = RedirectResponse(_local(str(form.get("back", "/"))), 303)
    if form.get("language") in LANGUAGES:
        response.set_cookie(
            "congvan_language", str(form["language"]), max_age=31_536_000, samesite="strict", httponly=True
        )
    return response


def _local(path: str) -> str:
    """Only our own pages: `//elsewhere` and `https://…` lead to the desk."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
