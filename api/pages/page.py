"""What every page needs: who reads it, in which language, its hidden form fields, and the way back after an act."""

from datetime import date
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup, escape

from api.accounts import Caller
from api.auth import parts_of
from api.errors import Malformed
from api.idempotency import SECRET_FIELDS, Asked, asked_of
from api.pages.render import html, language_of
from api.pages.texts import text
from api.schemas import is_text
from exchange.acts.send import GROUP_KEEPERS
from exchange.rules.model import Role

DONE = "congvan_done"


def page(
    request: Request, template: str, caller: Caller | None, values: dict[str, Any] | None = None, *,
    version: int | None = None, status: int = 200,
) -> HTMLResponse:  # fmt: skip
    """A page for this reader; `version` goes into the hidden fields of its forms."""
    parts, language = parts_of(request), language_of(request)
    office_name = ""
    if caller is not None:
        with parts.read() as reading:
            office_name = reading.exchange.office_names([caller.actor.office]).get(caller.actor.office, "")
    shared = {
        "me": caller,
        "office_name": office_name,
        "may_draft": bool(caller and caller.actor.roles & {Role.CLERK, Role.OFFICER}),
        "may_group": bool(caller and caller.actor.roles & GROUP_KEEPERS),
        "pilot": parts.settings.is_pilot,
        "here": _here(request),
        "done": _done(request, language),
        "hidden": lambda keyed=True: _hidden(caller, version, keyed=keyed),
        "item": lambda href, key: _item(request, href, text(language, key)),
    }
    response = html(template, language, shared | (values or {}), status=status)
    response.delete_cookie(DONE)
    return response


def _here(request: Request) -> str:
    """Where the language button comes back to: this page, or the one whose form led to this answer."""
    if request.method != "GET":
        return request.url.path.rpartition("/")[0] or "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def form_asked(request: Request, form: dict[str, Any]) -> Asked:
    """The identity of a form: its hidden key makes a double click a repeat.

    No secret enters it, under its own name or as one of several values (`pin[]`); a file counts by its name.
    """
    left_out = SECRET_FIELDS | {"csrf", "key"}
    told = {
        name: value if isinstance(value, str | list) else str(getattr(value, "filename", ""))
        for name, value in form.items()
        if name.removesuffix("[]") not in left_out
    }
    return asked_of(request.method, request.url.path, told, str(form["key"]) if form.get("key") else None)


def form_version(form: dict[str, Any]) -> int:
    """The version that the page showed."""
    word = str(form.get("version", ""))
    if not word.isdecimal() or len(word) > 9:
        raise Malformed(what="version")
    return int(word)


def form_day(form: dict[str, Any], name: str) -> date | None:
    """A day from a form, None when left out."""
    word = str(form.get(name) or "")
    if not word:
        return None
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise Malformed(what=name) from error


async def form_of(request: Request) -> dict[str, Any]:
    """The fields of a form; of a field that may be chosen several times, all values under `name[]`.

    Raises `Malformed` for what is no text.
    """
    data = await request.form()
    if not all(is_text(word) for pair in data.multi_items() for word in pair if isinstance(word, str)):
        raise Malformed(what="form")
    fields: dict[str, Any] = dict(data.items())
    fields |= {f"{name}[]": [str(v) for v in data.getlist(name)] for name in data if len(data.getlist(name)) >= 1}
    return fields


def after(url: str, key: str, **gaps: object) -> Response:
    """Back to a page (POST, redirect, GET), which then says what was done."""
    response = RedirectResponse(url, 303)
    told = "|".join([key, *(f"{name}={value}" for name, value in gaps.items())])
    response.set_cookie(DONE, quote(told), max_age=60, httponly=True, samesite="strict")
    return response


def _done(request: Request, language: str) -> str | None:
    from urllib.parse import unquote

    told = unquote(request.cookies.get(DONE, ""))
    if not told:
        return None
    key, *gaps = told.split("|")
    try:
        return text(language, f"done.{key}", **dict(gap.split("=", 1) for gap in gaps))
    except (KeyError, ValueError, TypeError):
        return None  # somebody wrote that cookie by hand: there is nothing to say


def _hidden(caller: Caller | None, version: int | None, *, keyed: bool) -> Markup:
    fields = {"csrf": caller.csrf if caller else None, "key": uuid4().hex if keyed else None, "version": version}
    inputs = (
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
        if value is not None
    )
    return Markup("".join(inputs))  # noqa: S704 - names are ours, values are escaped


def _item(request: Request, href: str, label: str) -> Markup:
    here = request.url.path == href
    current = Markup(' aria-current="page"') if here else Markup("")
    return Markup('<li class="nav-item"><a class="nav-link{}" href="{}"{}>{}</a></li>').format(
        " active" if here else "", href, current, label
    )
