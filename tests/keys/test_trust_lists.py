"""A trusted list gives the certificates of services in force, and nothing that only looks like one.

The list here is written by hand in the structure of TS 119 612; the published lists of Belgium and Estonia (versions 5
and 6) have the same.
"""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from keys.authority import PilotAuthority
from keys.certificates import fingerprint
from keys.errors import TrustListUnreadable
from keys.model import TrustMaterial, TrustWorld
from keys.trust import world_of
from keys.trust_lists import LARGEST, anchors_of, read_trust_list
from tests.fixtures.pilot import now

TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"


def identity(*ders: bytes) -> str:
    ids = "".join(
        f"<DigitalId><X509Certificate>\n  {base64.encodebytes(der).decode()}</X509Certificate></DigitalId>"
        for der in ders
    )
    return f"<ServiceDigitalIdentity>{ids}<DigitalId><X509SKI>AAAA</X509SKI></DigitalId></ServiceDigitalIdentity>"


def service(*ders: bytes, type_: str = f"{TYPE}CA/QC", status: str = f"{STATUS}granted", history: str = "") -> str:
    return f"""<TSPService><ServiceInformation>
      <ServiceTypeIdentifier>{type_}</ServiceTypeIdentifier>
      <ServiceName><Name xml:lang="vi">Dịch vụ chứng thực</Name><Name xml:lang="en">CA service</Name></ServiceName>
      {identity(*ders)}
      <ServiceStatus> {status} </ServiceStatus>
      <StatusStartingTime>2020-01-01T00:00:00Z</StatusStartingTime>
    </ServiceInformation>{history}</TSPService>"""


def trust_list(*services: str, scheme: str = "", head: str = "", until: str = "2030-01-01T00:00:00Z") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
    <TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#" Id="TL" TSLTag="http://uri.etsi.org/19612/TSLTag">
      <SchemeInformation>
        <TSLVersionIdentifier>6</TSLVersionIdentifier><TSLSequenceNumber>7</TSLSequenceNumber>
        <SchemeTerritory>VN</SchemeTerritory>{scheme}
        <ListIssueDateTime>2026-01-01T07:00:00+07:00</ListIssueDateTime>
        <NextUpdate><dateTime>{until}</dateTime></NextUpdate>
      </SchemeInformation>
      <TrustServiceProviderList><TrustServiceProvider>
        <TSPInformation><TSPName><Name xml:lang="vi">Trung tâm Chứng thực</Name></TSPName></TSPInformation>
        <TSPServices>{"".join(services)}</TSPServices>
      </TrustServiceProvider></TrustServiceProviderList>
      <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>
    </TrustServiceStatusList>""".encode()


@pytest.fixture(scope="module")
def other() -> bytes:
    """The certificate of an authority that no list vouches for."""
    return PilotAuthority.create(now() - timedelta(days=1), key_size=2048).certificate


def trusted(data: bytes) -> set[bytes]:
    return {anchor.der for anchor in anchors_of(read_trust_list(data), TrustWorld.NEAC)}


def test_the_certificates_of_granted_authorities_and_stampers_are_anchors(authority, leader_key):
    stamping = service(authority.tsa_certificate, type_=f"{TYPE}TSA/QTST")
    listed = read_trust_list(trust_list(service(authority.certificate), stamping))

    assert (listed.territory, listed.sequence) == ("VN", 7)
    assert listed.issued == datetime(2026, 1, 1, tzinfo=UTC)
    assert [(one.provider, one.name, one.type, one.status) for one in listed.services] == [
        ("Trung tâm Chứng thực", "Dịch vụ chứng thực", "CA/QC", "granted"),
        ("Trung tâm Chứng thực", "Dịch vụ chứng thực", "TSA/QTST", "granted"),
    ]
    anchors = anchors_of(listed, TrustWorld.NEAC)
    assert {fingerprint(a.der) for a in anchors} == {
        fingerprint(authority.certificate), fingerprint(authority.tsa_certificate)
    }  # fmt: skip
    assert world_of(leader_key.certificate, TrustMaterial(anchors, authority.trust.intermediates)) is TrustWorld.NEAC


@pytest.mark.parametrize("status", ["granted", "recognisedatnationallevel", "undersupervision", "accredited"])
@pytest.mark.parametrize("type_", ["CA/QC", "CA/PKC", "TSA/QTST"])
def test_services_in_force_count(authority, type_, status):
    data = trust_list(service(authority.certificate, type_=TYPE + type_, status=STATUS + status))
    assert trusted(data) == {authority.certificate}


@pytest.mark.parametrize(
    ("type_", "status"),
    [
        (f"{TYPE}CA/QC", f"{STATUS}withdrawn"), (f"{TYPE}CA/QC", f"{STATUS}deprecatedatnationallevel"),
        (f"{TYPE}CA/QC", f"{STATUS}supervisionceased"), (f"{TYPE}CA/QC", ""), (f"{TYPE}CA/QC", "granted"),
        (f"{TYPE}CA/QC", f"http://example.vn/{STATUS}granted"), (f"{TYPE}Certstatus/OCSP/QC", f"{STATUS}granted"),
        (f"{TYPE}EDS/REM/Q", f"{STATUS}granted"), ("CA/QC", f"{STATUS}granted"), ("", f"{STATUS}granted"),
    ],
)  # fmt: skip
def test_services_of_another_kind_or_no_longer_in_force_do_not_count(authority, type_, status):
    assert trusted(trust_list(service(authority.certificate, type_=type_, status=status))) == set()


def test_neither_history_nor_pointers_to_other_lists_are_trusted(authority, other):
    past = f"""<ServiceHistory><ServiceHistoryInstance><ServiceTypeIdentifier>{TYPE}CA/QC</ServiceTypeIdentifier>
      {identity(other)}<ServiceStatus>{STATUS}granted</ServiceStatus></ServiceHistoryInstance></ServiceHistory>"""
    pointers = f"""<PointersToOtherTSL><OtherTSLPointer><ServiceDigitalIdentities>{identity(other)}
      </ServiceDigitalIdentities><TSLLocation>https://example.vn/tl.xml</TSLLocation></OtherTSLPointer></PointersToOtherTSL>"""
    assert trusted(trust_list(service(authority.certificate, history=past), scheme=pointers)) == {authority.certificate}


def test_a_certificate_that_cannot_be_read_does_not_hide_the_others(authority):
    assert trusted(trust_list(service(b"nonsense", authority.certificate, authority.certificate))) == {
        authority.certificate
    }


def test_a_list_is_in_force_until_its_next_update(authority):
    listed = read_trust_list(trust_list(service(authority.certificate)))
    assert listed.in_force(datetime(2029, 12, 31, tzinfo=UTC))
    assert not listed.in_force(datetime(2030, 1, 2, tzinfo=UTC))
    ended = read_trust_list(trust_list(until=""))
    assert not ended.in_force(datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"nonsense", b"<a/>", b"%PDF-1.7", b"<TrustServiceStatusList/>", trust_list()[:-40], b"\xff\xfe<",
        trust_list(until="soon"), trust_list(until="2030-01-01T00:00:00"), b"<" * 100_000,
        trust_list().replace(b"http://uri.etsi.org/02231/v2#", b"http://example.vn/"),
        trust_list().replace(b"<TSLSequenceNumber>7", b"<TSLSequenceNumber>x"),
        b"<a>" * 100_000, b"x" * (LARGEST + 1),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_list_is_named(data):
    with pytest.raises(TrustListUnreadable):
        read_trust_list(data)


def test_entities_are_never_expanded(authority, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("base64")
    for head in (
        f'<!DOCTYPE a [<!ENTITY e SYSTEM "{secret.as_uri()}">]>',
        '<!DOCTYPE a [<!ENTITY e "granted">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY e "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ):
        status = f"{STATUS}&e;" if "ENTITY" in head else f"{STATUS}granted"
        with pytest.raises(TrustListUnreadable):
            read_trust_list(trust_list(service(authority.certificate, status=status), head=head))
