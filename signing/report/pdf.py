"""A report as a PDF to print and file: the same sheet as the page, set by typst."""

from dataclasses import asdict

from signing.model import Report
from signing.report.sheet import sheet
from signing.typeset import typeset


def report_pdf(report: Report, language: str) -> bytes:
    """The report as a PDF (PDF/A-2b) in `vi` or `en`; the PDF's own date is the moment of the check."""
    return typeset("report", asdict(sheet(report, language)), at=report.at)
