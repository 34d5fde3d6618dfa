"""A report as JSON, with a schema that follows the dataclasses: fields are added, never renamed or dropped."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import rfc8785

from signing.model import Change, Finding, Indication, OfficeMatch, Report, SignatureReport, TwoSignatures, Verdict
from signing.report.words import finding_advice, finding_sentence


def report_json(report: Report) -> bytes:
    """The report as canonical JSON (RFC 8785): the same report gives the same bytes."""
    return rfc8785.dumps(_plain(asdict(report)))


def report_from_json(body: bytes) -> Report:
    """The report that `report_json` wrote."""
    values: dict[str, Any] = json.loads(body)
    return Report(
        **values
        | {
            "at": _moment(values["at"]),
            "verdict": Verdict(values["verdict"]),
            "indication": Indication(values["indication"]) if values["indication"] else None,
            "two_signatures": TwoSignatures(values["two_signatures"]),
            "office_match": OfficeMatch(values["office_match"]),
            "signatures": tuple(_signature(one) for one in values["signatures"]),
            "findings": tuple(Finding(**one) for one in values["findings"]),
        }
    )


def explained(report: Report, language: str) -> dict[str, Any]:
    """The report as JSON values for programs that show it to people: each finding with its `sentence` and `advice`."""
    told: dict[str, Any] = _plain(asdict(report))
    parts = [
        (report.findings, told),
        *((one.findings, told["signatures"][n]) for n, one in enumerate(report.signatures)),
    ]
    for findings, values in parts:
        for finding, beside in zip(findings, values["findings"], strict=True):
            beside["sentence"] = finding_sentence(finding, language)
            beside["advice"] = finding_advice(finding, language)
    return told


def _signature(values: dict[str, Any]) -> SignatureReport:
    return SignatureReport(
        **values
        | {
            "verdict": Verdict(values["verdict"]),
            "indication": Indication(values["indication"]),
            "claimed_at": _moment(values["claimed_at"]),
            "proven_at": _moment(values["proven_at"]),
            "changes": tuple(Change(**one) for one in values["changes"]),
            "findings": tuple(Finding(**one) for one in values["findings"]),
        }
    )


def _moment(text: str | None) -> Any:
    return datetime.fromisoformat(text) if text else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
