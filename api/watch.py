"""What time brings: deadlines warn and are over; certificates that end are told of, those revoked stop signing.

Called by the worker; each thing is done once, or once a day, by what the database remembers of it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog

from api import times
from api.wiring import Parts
from exchange.acts import watch
from exchange.acts.signature import known_revocation
from exchange.acts.tools import Tools
from keys.certificates import fingerprint
from keys.errors import RevocationUnavailable
from keys.model import Certificate, InUse, RevocationData
from keys.revocation import revoked_at
from signing.errors import SigningError
from signing.verify import certificates_in

WARN_DAYS = (60, 14, 3, 0)
"""Days before the end at which people are told; 0: it has ended."""
DAILY = timedelta(hours=23)
DEADLINES_AT_ONCE = 200
"""How many deadlines one transaction looks at: others write between two of them."""
log = structlog.get_logger("congvan.watch")


def days_left(certificate: Certificate, at: datetime) -> int:
    """Whole days until it ends; less than 0 once it has ended."""
    return (certificate.not_after - at).days


def nearness(certificate: Certificate, at: datetime) -> int | None:
    """The smallest of `WARN_DAYS` that is reached, or None while there is time."""
    left = certificate.not_after - at
    return next((days for days in sorted(WARN_DAYS) if left <= timedelta(days=days)), None)


def ending(parts: Parts, *, office: str | None = None, holder: str | None = None) -> list[InUse]:
    """Certificates in use that end within 60 days or have ended, the next to end first: of an office, a holder, all."""
    last = parts.now() + timedelta(days=max(WARN_DAYS))
    with parts.read() as reading:
        return reading.keys.in_use(ending=last, office=office, holder=holder)


def counts(parts: Parts) -> dict[int, int]:
    """How many certificates in use are within 60, 14, 3 and 0 days of their end, each counted at its nearest."""
    at, found = parts.now(), dict.fromkeys(WARN_DAYS, 0)
    for one in ending(parts):
        near = nearness(one.certificate, at)
        if near is not None:
            found[near] += 1
    return found


def warn_of_ends(parts: Parts) -> list[tuple[InUse, int]]:
    """Say once for each certificate and each of 60, 14, 3 and 0 days that it ends; returns what was said now."""
    at, said = parts.now(), []
    with parts.write() as writing:
        for one in writing.keys.in_use(ending=at + timedelta(days=max(WARN_DAYS))):
            near = nearness(one.certificate, at)
            if near is not None and writing.keys.mark_warned(one.certificate.fingerprint, near):
                said.append((one, near))
    for one, _ in said:
        known = one.certificate
        log.warning(
            "certificate-ends", office=one.office, name=known.common_name, certificate=known.fingerprint,
            days=days_left(known, at),
        )  # fmt: skip
    return said


def ask_about_keys(parts: Parts) -> list[InUse]:
    """Ask once a day whether a certificate that signs here was revoked; its keys are retired. Returns the news."""
    at = parts.now()
    with parts.read() as reading:
        due = [one for one in reading.keys.in_use() if one.asked_at is None or at - one.asked_at > DAILY]
    trust, news = parts.trust(), []
    for one in due:
        since = revoked_at(one.certificate.der, trust, _answers(parts, one.certificate.der))
        with parts.write() as writing:
            if writing.keys.mark_asked(one.certificate.fingerprint, since, at):
                writing.keys.retire_keys_of(one.certificate.fingerprint, at)
                news.append(one)
    for one in news:
        log.error(
            "certificate-revoked", office=one.office, name=one.certificate.common_name,
            certificate=one.certificate.fingerprint,
        )  # fmt: skip
    return news


def ask_about_arrivals(parts: Parts) -> list[str]:
    """Ask once a day about the signers of what nobody has registered yet; who was revoked since is told to both sides.

    Returns the ids of deliveries that were told of.
    """
    at, told = parts.now(), []
    with parts.read() as reading:
        files = watch.unregistered(reading.exchange, not_asked_since=at - DAILY)
    tools = parts.tools()
    for file, deliveries in files.items():
        revoked = list(_revoked_signers(tools, parts.blobs.get(file), at))
        with parts.write() as writing:
            for delivery in deliveries:
                if watch.signers_asked(writing.tx, delivery, revoked, at=at):
                    told.append(delivery)
    return told


def clock(parts: Parts) -> None:
    """Let deadlines warn and be overdue, all that should have by now; what others hold now comes next time."""
    while True:
        with parts.write() as writing:
            done = watch.deadlines_due(writing.tx, at=parts.now(), most=DEADLINES_AT_ONCE)
        if not done:
            return


def warn_of_missing_year(parts: Parts) -> int | None:
    """Say in the log that the working calendar ends within three months; the year that is missing."""
    year = times.missing(parts)
    if year is not None:
        log.warning(times.MISSING_YEAR, year=year)
    return year


def hourly(parts: Parts) -> None:
    """All of it but the clock."""
    warn_of_missing_year(parts)
    warn_of_ends(parts)
    ask_about_keys(parts)
    ask_about_arrivals(parts)


def _answers(parts: Parts, der: bytes) -> RevocationData:
    try:
        return parts.revocation.about([der], parts.trust(), at=parts.now())
    except RevocationUnavailable as missing:
        return missing.found


def _revoked_signers(tools: Tools, pdf: bytes, at: datetime) -> Iterator[tuple[str, datetime]]:
    """Certificates in a file that were revoked, by fingerprint, and since when."""
    try:
        certificates: Sequence[bytes] = tools.run(certificates_in, pdf)
    except SigningError:
        return
    answers = known_revocation(tools, pdf, at)
    for der in certificates:
        since = revoked_at(der, tools.trust, answers)
        if since is not None:
            yield fingerprint(der), since
