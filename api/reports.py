"""A report in the forms in which people and programs take it along."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from signing.model import Report
from signing.report import report_html, report_json, report_pdf, report_xml


class Form(NamedTuple):
    """One form: its media type, and how a report is written in it for a language."""

    media_type: str
    write: Callable[[Report, str], bytes]


FORMS: Mapping[str, Form] = {
    "pdf": Form("application/pdf", report_pdf),
    "html": Form("text/html; charset=utf-8", report_html),
    "xml": Form("application/xml", report_xml),
    "json": Form("application/json", lambda report, _: report_json(report)),
}
"""By the ending of a file's name."""
