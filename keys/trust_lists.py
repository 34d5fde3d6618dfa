"""Trusted lists (ETSI TS 119 612): from the XML of a supervisory body to the certificates that it vouches for. Pure.

Nothing here says that a list is genuine: whoever loads one compares the digest of the whole file with one that came
another way. What counts is what the list says now (`ServiceInformation`), never its history nor the certificates of
those who sign lists (`PointersToOtherTSL`).
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lxml import etree  # type: ignore[import-untyped]

from keys.certificates import fingerprint, read_certificate
from keys.errors import CertificateUnreadable, TrustListUnreadable, Words
from keys.model import Anchor, TrustWorld

LARGEST = 20 * 1024 * 1024
"""Real national lists have one or two megabytes."""

NAMESPACE = "http://uri.etsi.org/02231/v2#"
SERVICE_TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
SERVICE_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
TYPES = frozenset({"CA/QC", "CA/PKC", "TSA/QTST"})
"""Authorities that issue certificates for signing, and those that stamp the time."""
STATUSES = frozenset({"granted", "recognisedatnationallevel", "undersupervision", "accredited"})
"""In force. The last two are the words of lists before 2016, which some schemes still use."""

NOT_A_LIST = Words("không phải danh sách tin cậy TS 119 612", "it is no TS 119 612 trusted list")
NO_DOCTYPE = Words("XML có DOCTYPE", "its XML has a DOCTYPE")
TOO_LARGE = Words("tệp quá lớn", "the file is too large")
NO_DATE = Words("ngày phát hành hoặc ngày cập nhật sai", "its dates cannot be read")


@dataclass(frozen=True, slots=True)
class TrustService:
    """A service of a list: `type` and `status` are the last words of their URIs (`CA/QC`, `granted`)."""

    provider: str
    name: str
    type: str
    status: str
    certificates: tuple[bytes, ...]

    @property
    def counts(self) -> bool:
        """Whether its certificates may be trusted for signing or stamping now."""
        return self.type in TYPES and self.status in STATUSES


@dataclass(frozen=True, slots=True)
class TrustList:
    """What a trusted list says; `next_update` is None when the scheme has ended."""

    territory: str
    sequence: int
    issued: datetime
    next_update: datetime | None
    services: tuple[TrustService, ...]

    def in_force(self, at: datetime) -> bool:
        """Whether the list is still the word of its scheme at a moment."""
        return self.next_update is not None and at <= self.next_update


def read_trust_list(data: bytes) -> TrustList:
    """Read the XML of a list. Raises `TrustListUnreadable`. Entities are never expanded, nothing is fetched."""
    root = _root(data)
    scheme = root.find(_q("SchemeInformation"))
    if root.tag != _q("TrustServiceStatusList") or scheme is None:
        raise TrustListUnreadable(why=NOT_A_LIST)
    try:
        following = _text(scheme, "NextUpdate/dateTime")
        return TrustList(
            territory=_text(scheme, "SchemeTerritory"),
            sequence=int(_text(scheme, "TSLSequenceNumber")),
            issued=_moment(_text(scheme, "ListIssueDateTime")),
            next_update=_moment(following) if following else None,
            services=tuple(_services(root)),
        )
    except ValueError as error:
        raise TrustListUnreadable(why=NO_DATE) from error


def anchors_of(listed: TrustList, world: TrustWorld) -> tuple[Anchor, ...]:
    """The certificates of the services that count, each once, as anchors of that world; broken ones are left out."""
    found = {}
    for service in listed.services:
        for der in service.certificates if service.counts else ():
            if _is_certificate(der):
                found[fingerprint(der)] = Anchor(der, world)
    return tuple(found.values())


def _root(data: bytes) -> etree._Element:
    if len(data) > LARGEST:
        raise TrustListUnreadable(why=TOO_LARGE)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise TrustListUnreadable(why=NOT_A_LIST) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise TrustListUnreadable(why=NO_DOCTYPE)
    return root


def _services(root: etree._Element) -> Iterator[TrustService]:
    for provider in root.iterfind(_path("TrustServiceProviderList/TrustServiceProvider")):
        for told in provider.iterfind(_path("TSPServices/TSPService/ServiceInformation")):
            yield TrustService(
                provider=_text(provider, "TSPInformation/TSPName/Name"),
                name=_text(told, "ServiceName/Name"),
                type=_last_words(_text(told, "ServiceTypeIdentifier"), SERVICE_TYPE),
                status=_last_words(_text(told, "ServiceStatus"), SERVICE_STATUS),
                certificates=tuple(_certificates(told)),
            )


def _certificates(told: etree._Element) -> Iterator[bytes]:
    for one in told.iterfind(_path("ServiceDigitalIdentity/DigitalId/X509Certificate")):
        try:
            yield base64.b64decode("".join("".join(one.itertext()).split()), validate=True)
        except binascii.Error:
            continue


def _is_certificate(der: bytes) -> bool:
    try:
        read_certificate(der)
    except CertificateUnreadable:
        return False
    return True


def _last_words(uri: str, prefix: str) -> str:
    """What follows the prefix; another URI stays whole and is marked, so that it can never look like ours."""
    return uri.removeprefix(prefix) if uri.startswith(prefix) else f"? {uri}"


def _moment(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return at


def _text(element: etree._Element, path: str) -> str:
    found = element.find(_path(path))
    return "".join(found.itertext()).strip() if found is not None else ""


def _q(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _path(path: str) -> str:
    return "/".join(map(_q, path.split("/")))
