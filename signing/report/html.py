"""A report as one page to keep: no script, no address, nothing to load. Texts are escaped by the writer of the tree."""

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from signing.model import Report
from signing.report.sheet import Conclusion, Pair, Reason, SignatureSheet, sheet

_STYLE = """
body { font: 16px/1.5 "Times New Roman", "Liberation Serif", serif; color: #1b1b1b; background: #fff;
  max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1.05rem; margin: 0; }
.verdict { border-left: .4rem solid; padding: .5rem 1rem; margin: 1rem 0; background: #f6f6f6; }
.verdict strong { display: block; font-size: 1.25rem; }
.valid { border-color: #1a7f37; } .invalid { border-color: #b42318; } .unknown { border-color: #9a6700; }
.valid strong { color: #1a7f37; } .invalid strong { color: #b42318; } .unknown strong { color: #805500; }
section { border: 1px solid #ccc; padding: 1rem; margin: 1rem 0; break-inside: avoid; }
dl { display: grid; grid-template-columns: 14rem 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; } li.failure { color: #b42318; } li.note { color: #444; }
.advice { display: block; color: #1b1b1b; } .code { color: #767676; font-size: .8rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""


def report_html(report: Report, language: str) -> bytes:
    """The report as a self-contained HTML page in `vi` or `en`."""
    told = sheet(report, language)
    page = Element("html", {"lang": language})
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    _text(head, "title", f"{told.title}: {told.conclusion.word}")
    _text(head, "style", _STYLE)
    body = SubElement(SubElement(page, "body"), "main")
    _text(body, "h1", told.title)
    _conclusion(body, told.conclusion)
    _reasons(body, told.reasons, told.labels)
    _text(body, "h2", told.labels["file"])
    _facts(body, told.facts)
    _text(body, "h2", told.labels["signatures"])
    if not told.signatures:
        _text(body, "p", told.labels["none"])
    for one in told.signatures:
        _signature(body, one, told.labels)
    written: bytes = tostring(page, encoding="utf-8", method="html")
    return b"<!DOCTYPE html>\n" + written + b"\n"


def _signature(body: Element, one: SignatureSheet, labels: dict[str, str]) -> None:
    section = SubElement(body, "section")
    _text(section, "h3", one.title)
    _conclusion(section, one.conclusion)
    _reasons(section, one.reasons, labels)
    if one.changes:
        _text(section, "h4", labels["changes"])
        listed = SubElement(section, "ul")
        for change in one.changes:
            _text(listed, "li", change)
    _facts(section, one.facts)


def _conclusion(parent: Element, conclusion: Conclusion) -> None:
    box = SubElement(parent, "div", {"class": f"verdict {conclusion.verdict}"})
    _text(box, "strong", conclusion.word)
    _text(box, "span", conclusion.sentence)


def _reasons(parent: Element, reasons: Iterable[Reason], labels: dict[str, str]) -> None:
    listed = None
    for reason in reasons:
        listed = SubElement(parent, "ul") if listed is None else listed
        line = SubElement(listed, "li", {"class": reason.severity})
        _text(line, "span", reason.text).tail = " "
        _text(line, "span", f"[{reason.code}]", "code")
        if reason.advice:
            _text(line, "span", f"{labels['what_to_do']}: {reason.advice}", "advice")


def _facts(parent: Element, facts: Iterable[Pair]) -> None:
    listed = SubElement(parent, "dl")
    for label, value in facts:
        _text(listed, "dt", label)
        _text(listed, "dd", value)


def _text(parent: Element, tag: str, text: str, kind: str | None = None) -> Element:
    one = SubElement(parent, tag, {"class": kind} if kind else {})
    one.text = text
    return one
