"""The pages that people use: server-rendered, one file for each screen. They call the same cases as the JSON API."""

from fastapi import APIRouter

from api.pages import account, calendar, checking, copying, desk, groups, incoming, many, outgoing, session

router = APIRouter(include_in_schema=False)
for part in (session, account, desk, many, copying, outgoing, incoming, groups, calendar, checking):
    router.include_router(part.router)
