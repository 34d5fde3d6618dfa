"""A report as an ETSI TS 119 102-2 validation report (v1.4.1 of its schema), for programs of others.

It says what our own report says and nothing more. Every filled signature field has its part, document time stamps
among them. Reasons stand in the status as `urn:congvan:finding:…` and `urn:congvan:change:…`, with their sentences.
"""

import base64
import hashlib
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from signing.changes import change_sentence
from signing.model import Finding, Indication, Report, SignatureReport
from signing.report.sheet import EFFECTS, plain
from signing.report.words import finding_sentence

VR = "http://uri.etsi.org/19102/v1.4.1#"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
TSL = "http://uri.etsi.org/02231/v2#"
XML = "http://www.w3.org/XML/1998/namespace"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

_URN = "urn:etsi:019102:"
_OWN = "urn:congvan:"
_MAIN = {
    Indication.TOTAL_PASSED: "total-passed",
    Indication.TOTAL_FAILED: "total-failed",
    Indication.INDETERMINATE: "indeterminate",
}
_PROCESS = {"B-T": "LTVM", "B-LT": "LTVM", "B-LTA": "LTA"}
"""Which process of EN 319 102-1 a level asks for; `Basic` for every other."""

for _prefix, _namespace in (("", VR), ("ds", DS), ("xades", XADES), ("tsl", TSL)):
    register_namespace(_prefix, _namespace)


def report_xml(report: Report, language: str) -> bytes:
    """The report as XML of TS 119 102-2, with the sentences of `vi` or `en`."""
    root = Element(f"{{{VR}}}ValidationReport")
    for position, one in enumerate(report.signatures):
        _signature(root, report, position, one, language)
    if not report.signatures:
        _without_signature(root, report, language)
    objects = _child(root, "SignatureValidationObjects")
    _object(objects, _id("D", report.file_sha256), "signedData", report.file_sha256)
    for digest in dict.fromkeys(one.certificate_sha256 for one in report.signatures):
        if digest:
            _object(objects, _id("C", digest), "certificate", digest)
    validator = _child(_child(root, "SignatureValidator"), "DigitalId")
    SubElement(validator, f"{{{TSL}}}Other").text = "Công Văn"
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _signature(root: Element, report: Report, position: int, one: SignatureReport, language: str) -> None:
    part = _child(root, "SignatureValidationReport")
    named = hashlib.sha256(f"{report.file_sha256} {position} {one.field}".encode("utf-8", "replace")).hexdigest()
    identifier = _child(part, "SignatureIdentifier", id=_id("S", named))
    _child(identifier, "HashOnly", "false")
    _child(identifier, "DocHashOnly", "false")
    _child(identifier, "DAIdentifier", plain(one.field))
    _rules(part, report)
    _time(part, report.at, one.proven_at)
    _document(part, report)
    if one.claimed_at or one.signer:
        attributes = _child(part, "SignatureAttributes")
        if one.claimed_at:
            _child(_child(attributes, "SigningTime", Signed="true"), "Time", _moment(one.claimed_at))
        if one.signer:
            _child(_child(attributes, "Name"), "NameElement", plain(one.signer))
    if one.certificate_sha256:
        signer = _child(part, "SignerInformation", Pseudonym="false")
        _child(signer, "SignerCertificate", VOReference=_id("C", one.certificate_sha256))
        _child(signer, "Signer", plain(", ".join(filter(None, (one.signer, one.office)))))
    process = _child(part, "SignatureValidationProcess")
    name = _PROCESS.get(one.level, "Basic")
    _child(process, "SignatureValidationProcessID", f"{_URN}validationprocess:{name}")
    status = _status(part, f"{_URN}mainindication:{_MAIN[one.indication]}", one.sub_indication)
    told = [(_finding(found), finding_sentence(found, language)) for found in one.findings]
    told += [
        (f"{_OWN}change:{change.kind}:{change.what}", change_sentence(change, language))
        for change in one.changes
        if change.kind in EFFECTS
    ]
    _reasons(status, told, language)


def _without_signature(root: Element, report: Report, language: str) -> None:
    """A file with nothing to judge still has a report: the standard has no word for that, so it is ours."""
    part = _child(root, "SignatureValidationReport")
    _rules(part, report)
    _time(part, report.at, None)
    _document(part, report)
    if report.indication is None:
        status = _status(part, f"{_OWN}mainindication:no-signature-found", None)
    else:
        status = _status(part, f"{_URN}mainindication:{_MAIN[report.indication]}", report.sub_indication)
    _reasons(status, [(_finding(found), finding_sentence(found, language)) for found in report.findings], language)


def _rules(part: Element, report: Report) -> None:
    """By which of our rules, in `signing/verify.py`."""
    policy = _child(_child(part, "ValidationConstraintsEvaluationReport"), "SignatureValidationPolicy")
    SubElement(_child(policy, "SignaturePolicyIdentifier"), f"{{{XADES}}}SignaturePolicyImplied")
    _child(policy, "PolicyName", report.policy or "congvan-verify")


def _time(part: Element, at: datetime, proven: datetime | None) -> None:
    """Without a proof, the best time at which a signature is known to have been there is that of the check."""
    times = _child(part, "ValidationTimeInfo")
    _child(times, "ValidationTime", _moment(at))
    best = _child(times, "BestSignatureTime")
    _child(best, "POETime", _moment(proven or at))
    _child(best, "TypeOfProof", f"{_URN}poetype:validation")


def _document(part: Element, report: Report) -> None:
    _child(_child(part, "SignersDocument"), "SignersDocumentRepresentation", VOReference=_id("D", report.file_sha256))


def _status(part: Element, main: str, sub: str | None) -> Element:
    status = _child(part, "SignatureValidationStatus")
    _child(status, "MainIndication", main)
    if sub:
        _child(status, "SubIndication", f"{_URN}subindication:{sub}")
    return status


def _finding(found: Finding) -> str:
    return f"{_OWN}finding:{found.severity}:{found.code}"


def _reasons(status: Element, told: list[tuple[str, str]], language: str) -> None:
    if not told:
        return
    data = _child(_child(status, "AssociatedValidationReportData"), "AdditionalValidationReportData")
    for kind, sentence in dict.fromkeys(told):
        entry = _child(data, "ReportData")
        _child(entry, "Type", kind)
        _child(entry, "Value", plain(sentence)).set(f"{{{XML}}}lang", language)


def _object(objects: Element, name: str, kind: str, digest: str) -> None:
    one = _child(objects, "ValidationObject", id=name)
    _child(one, "ObjectType", f"{_URN}validationObject:{kind}")
    value = _child(_child(one, "ValidationObjectRepresentation"), "DigestAlgAndValue")
    SubElement(value, f"{{{DS}}}DigestMethod", Algorithm=SHA256)
    SubElement(value, f"{{{DS}}}DigestValue").text = base64.b64encode(bytes.fromhex(digest)).decode()


def _id(kind: str, digest: str) -> str:
    return f"{kind}-{digest.upper()}"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _child(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    one = SubElement(parent, f"{{{VR}}}{name}", attributes)
    one.text = text
    return one
