"""The JSON API, version 1: one file for each resource. Thin: it checks shapes, calls a case, answers."""

from fastapi import APIRouter

from api.v1 import (
    about,
    batches,
    calendar,
    deliveries,
    directory,
    documents,
    evidence,
    feed,
    ledger,
    oauth,
    own_keys,
    signatures,
    uploads,
)

router = APIRouter(prefix="/api/v1")
for part in (
    about, directory, calendar, own_keys, uploads, documents, batches, deliveries, signatures, evidence, feed, ledger,
    oauth,
):  # fmt: skip
    router.include_router(part.router)
