"""A report in every form: JSON (the truth), sentences, HTML and PDF for people, ETSI TS 119 102-2 XML for programs.

Every form is made from the report alone, so the same report gives the same bytes for ever.
"""

from signing.report.etsi import report_xml
from signing.report.html import report_html
from signing.report.json import explained, report_from_json, report_json
from signing.report.pdf import report_pdf
from signing.report.schema import report_schema
from signing.report.words import (
    ADVICE,
    FINDINGS,
    REASON_ADVICE,
    REASONS,
    VERDICTS,
    finding_advice,
    finding_sentence,
    sentences,
    signature_sentences,
)

__all__ = [
    "ADVICE",
    "FINDINGS",
    "REASONS",
    "REASON_ADVICE",
    "VERDICTS",
    "explained",
    "finding_advice",
    "finding_sentence",
    "report_from_json",
    "report_html",
    "report_json",
    "report_pdf",
    "report_schema",
    "report_xml",
    "sentences",
    "signature_sentences",
]
