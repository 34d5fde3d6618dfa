"""Every word that people and programs see has its place: errors, events, texts of pages, names in the docs."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from string import Formatter

import pytest
import typer

from api import problems
from api.batches import ACTS
from api.cli import app
from api.errors import ApiError
from api.settings import Settings
from exchange.errors import ExchangeError
from exchange.rules import events, lifecycle
from exchange.rules.calendar import DayKind, Grade
from exchange.rules.model import CopyKind, DeliveryState, DocumentState, Part, Role, Secrecy, Urgency
from keys.errors import KeysError
from signing.errors import SigningError
from signing.model import Level, TwoSignatures, Verdict
from signing.report import FINDINGS
from tests.house.reading import ROOT, sources, strings

PAGES = ROOT / "api" / "pages"
LANGUAGES = ("vi", "en")

# -- errors --

DESIGNED: dict[tuple[int, bool], str] = {
    (400, False): "malformed unsupported-version idempotency-key-missing cursor-invalid",
    (401, False): "unauthenticated second-factor-required",
    (403, False): "not-allowed sender-mismatch mandate-invalid not-allowed-to-send",
    (404, False): "not-found",
    (409, False): "wrong-state already-final lease-lost feed-diverged signing-expired number-taken duplicate-reference "
    "register-number-taken change-open change-none expired",
    (409, True): "idempotency-in-progress upload-offset evidence-pending",
    (410, False): "content-withdrawn",
    (412, False): "state-changed",
    (413, False): "too-large",
    (415, False): "type-not-allowed",
    (422, False): "idempotency-key-reused digest-mismatch name-too-long name-not-allowed not-a-pdf pdf-encrypted "
    "pdf-active-content pdf-too-complex malware-found classified-refused classified-mark-suspected signature-missing "
    "signature-invalid signature-unknown signer-not-authorised seal-wrong-office signer-revoked certificate-expired "
    "seal-missing changed-after-signing revision-not-extension pin-wrong pin-locked reason-required series-unknown "
    "series-closed number-date-invalid recipient-unknown recipient-replaced recipient-locked recipient-paused "
    "recipient-is-hub recipient-not-capable recipients-empty too-many-recipients expires-at-invalid due-invalid "
    "redirect-not-allowed pack-unreadable endpoint-not-allowed endpoint-challenge-failed",
    (428, False): "precondition-required",
    (429, True): "rate-limited quota",
    (500, True): "internal",
    (503, False): "restored-behind",
    (503, True): "maintenance database-unavailable scan-unavailable key-unavailable tsa-unavailable",
    (507, True): "storage-full",
}
"""The codes of the design (its section on errors) by HTTP status and whether the same request may go through later."""


def error_classes() -> list[type[Exception]]:
    """Every error class of every room."""
    bases: tuple[type[Exception], ...] = (ApiError, ExchangeError, SigningError, KeysError)
    return [kind for base in bases for kind in _below(base)]


def _below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for below in kind.__subclasses__():
        yield below
        yield from _below(below)


def test_every_error_has_its_row_in_the_problems() -> None:
    assert set(error_classes()) == set(problems.STATUS)


def test_every_error_stands_in_its_rooms_errors() -> None:
    for kind in error_classes():
        assert re.fullmatch(r"(api|exchange|signing|keys)\.errors", kind.__module__), kind


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in error_classes() if "code" in vars(kind)]  # type: ignore[attr-defined]

    assert len(codes) == len(set(codes)), sorted(code for code in codes if codes.count(code) > 1)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_an_error_without_a_code_of_its_own_is_a_case_of_another_and_answers_as_that_one() -> None:
    for kind in error_classes():
        if "code" not in vars(kind):
            assert problems.STATUS[kind] == problems.STATUS[kind.__bases__[0]], kind


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_an_error_says_the_same_in_both_languages(kind: type[ExchangeError]) -> None:
    assert kind.vi.strip()
    assert kind.en.strip()
    assert kind.vi != kind.en
    assert gaps_of(kind.vi) == gaps_of(kind.en)


def test_designed_codes_keep_their_status_and_others_are_told_in_the_docs() -> None:
    designed = {code: answer for answer, codes in DESIGNED.items() for code in codes.split()}
    ours = {row["code"]: (row["status"], row["retryable"]) for row in problems.registry()}
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    told = set(re.findall(r"^- `([a-z-]+)`", page.partition("## Codes of our own")[2], re.MULTILINE))

    assert {code: ours[code] for code in ours if code in designed} == {c: designed[c] for c in ours if c in designed}
    assert told == ours.keys() - designed.keys()


def test_retryable_codes_exist() -> None:
    assert {row["code"] for row in problems.registry()} >= problems.RETRYABLE


# -- events --

KINDS = re.compile(r"(document|consignment|delivery|desk|number|clock)\.[a-z_]+")


def test_every_event_that_code_records_is_declared_and_the_other_way_round() -> None:
    files = [
        f for f in sources() if f.startswith(("exchange/acts/", "exchange/storage/")) or f.endswith("lifecycle.py")
    ]
    recorded = {word for file in files for word in strings(file) if KINDS.fullmatch(word)}

    assert recorded == set(events.TYPES)


def test_every_move_records_a_declared_event() -> None:
    moves = (*lifecycle.DOCUMENT_MOVES, *lifecycle.DELIVERY_MOVES)

    assert {move.event for move in moves} <= set(events.TYPES)


def test_every_event_has_words_in_both_languages() -> None:
    assert list(events.WORDS) == list(events.TYPES)
    assert all(vi.strip() and en.strip() and vi != en for vi, en in events.WORDS.values())


def test_what_is_said_of_an_event_is_said_of_a_declared_one() -> None:
    assert set(events.TYPES) >= events.INWARD
    assert events.ETSI_NAMES.keys() <= set(events.TYPES)


# -- the docs name everything --


def command_names() -> Iterator[str]:
    """`congvan draft`, `congvan evidence check`, …"""
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        if command.hidden:
            continue
        below = getattr(command, "commands", None)
        yield from (f"congvan {name} {word}" for word in below) if below else [f"congvan {name}"]


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("commands", [f"### `{name}" for name in command_names()]),
        ("settings", [f"`CONGVAN_{name.upper()}`" for name in Settings.model_fields]),
        ("events", [f"| `{type_}` |" for type_ in events.TYPES]),
        ("errors", [f"| `{row['code']}` |" for row in problems.registry()]),
        ("road", [f"`{state}`" for state in (*DocumentState, *DeliveryState)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_docs_name_every_one(page: str, names: list[str]) -> None:
    told = (ROOT / "docs" / f"{page}.md").read_text("utf-8")

    assert not [name for name in names if name not in told]


def test_every_variable_of_the_environment_that_code_or_docs_mention_exists() -> None:
    known = {f"CONGVAN_{name.upper()}" for name in Settings.model_fields} | {
        "CONGVAN_CONFIG",
        "CONGVAN_SECRETS",
        "CONGVAN_CORPORA",  # where the measures and the tests look for third-party files; the product never does
    }
    texts = [page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md")]
    texts += [word for file in sources() for word in strings(file)]
    mentioned = {word for text in texts for word in re.findall(r"\bCONGVAN_[A-Z][A-Z0-9_]+", text)}

    assert not mentioned - known


# -- texts of pages --

NAMED: dict[str, Iterable[str]] = {
    "document_state": DocumentState,
    "delivery_state": DeliveryState,
    "urgency": Urgency,
    "secrecy": Secrecy,
    "role": [role for role in Role if role not in (Role.CLIENT, Role.PEER, Role.SERVICE)],
    "verdict": Verdict,
    "part": Part,
    "level": [level.removeprefix("B-") for level in Level],
    "copy_kind": CopyKind,
    "batch": [word for act in ACTS for word in (act, f"confirm_{act}")],
    "two_signatures": TwoSignatures,
    "act": {move.act for move in (*lifecycle.DOCUMENT_MOVES, *lifecycle.DELIVERY_MOVES)},
    "done": {move.act for move in (*lifecycle.DOCUMENT_MOVES, *lifecycle.DELIVERY_MOVES)},
    "changes": ("then", "now"),
    "signature_kind": ("person", "organisation"),
    "calendar_grade": Grade,
    "day_kind": DayKind,
    "weekday": [f"d{n}" for n in range(7)],
    "places": ("number", "date", "signature", "seal", "left", "bottom", "width", "height"),
}
"""Tables of texts whose keys are words of the code."""
OPEN = {"type", "desk", "reason"}
"""Tables whose keys come from lists of their own: types are an open set, the rest is tested where it is shown."""


def catalogue(language: str) -> dict[str, str]:
    """All texts of a language, read anew."""
    tables = tomllib.loads((PAGES / "locales" / f"{language}.toml").read_text("utf-8"))
    return {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}


def gaps_of(text: str) -> set[str]:
    """The named gaps of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def templates() -> str:
    """All templates as one text."""
    return "\n".join(file.read_text("utf-8") for file in sorted((PAGES / "templates").glob("*.html")))


def test_both_languages_have_the_same_texts_in_the_same_order() -> None:
    assert list(catalogue("vi")) == list(catalogue("en"))


def test_a_text_has_the_same_gaps_in_both_languages() -> None:
    vi, en = (catalogue(language) for language in LANGUAGES)

    assert not {key for key in vi if gaps_of(vi[key]) != gaps_of(en[key])}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: str) -> None:
    assert not [key for key, text in catalogue(language).items() if not text.strip()]


def test_every_text_that_a_template_asks_for_exists() -> None:
    asked = set(re.findall(r"""\bt\(\s*["']([\w.]+)["']\s*[,)]""", templates()))
    asked |= set(re.findall(r"""\bitem\(\s*["'][^"']*["'],\s*["']([\w.]+)["']""", templates()))

    assert len(asked) > 50, "the pattern no longer fits the templates"
    assert not asked - catalogue("vi").keys()


def test_every_text_that_a_route_asks_for_exists() -> None:
    asked = {
        word
        for file in sources()
        if file.startswith("api/pages/")
        for word in strings(file)
        if re.fullmatch(r"[a-z_]+\.[a-z_]+", word) and word.partition(".")[0] in {k.partition(".")[0] for k in NAMED}
    }

    assert not asked - catalogue("vi").keys()


def test_a_table_that_is_looked_up_by_a_word_of_the_code_holds_every_such_word() -> None:
    looked_up = set(re.findall(r"""\bt\(\s*["']([\w]+)\.["']\s*~""", templates()))
    texts = catalogue("vi")

    assert looked_up <= NAMED.keys() | OPEN, "say in NAMED which words this table must hold"
    missing = [f"{table}.{word}" for table, words in NAMED.items() for word in words if f"{table}.{word}" not in texts]
    assert not missing


# -- findings of the verifier --


def test_every_finding_has_its_sentence_in_both_languages() -> None:
    made = {word for file in ("signing/verify.py", "signing/guard.py") for word in strings(file)}
    named = {word for word in made if re.fullmatch(r"[a-z]+(-[a-z]+)+", word)}

    assert named - FINDINGS.keys() == set(), "a finding without words"
    assert not [code for code, (vi, en) in FINDINGS.items() if not vi or not en or gaps_of(vi) != gaps_of(en)]


def test_states_are_words_that_can_be_kept() -> None:
    kinds: tuple[type[StrEnum], ...] = (DocumentState, DeliveryState, Role, Urgency, Secrecy)

    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", word) for kind in kinds for word in kind)
