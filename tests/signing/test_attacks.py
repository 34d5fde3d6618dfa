"""Every attack class of the signing page, made with keys of our own, and its honest twin that must be plainly valid.

What each attack is and where it comes from: `tests/vectors/attacks/SOURCES.md`. The words of the expectations are those
of the corpora: HONEST is plainly valid; MODIFIED, REPORT, ATTACK, FAIL and PARTIAL are never valid and say what is
wrong; INDET is unknown and never calls the file forged.
"""

import datetime as datetime_module
import functools
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from keys.authority import PilotAuthority
from keys.model import Anchor, RevocationData, TrustMaterial, TrustWorld
from signing.errors import PdfTooComplex, SigningError
from signing.model import Report, Verdict
from signing.report import report_json
from signing.sandbox import Sandbox
from signing.verify import verify_pdf
from tests.fixtures.letters import rewritten
from tests.fixtures.pilot import LEADER_NAME, OFFICE_CODE, OFFICE_NAME
from tests.vectors.attacks import credentials as made
from tests.vectors.attacks import make
from tests.vectors.attacks.credentials import Holder

HONEST, SHADOW, MODIFIED, REPORT, ATTACK, FAIL, PARTIAL, INDET, REVOKED = (
    "honest", "shadow", "modified", "report", "attack", "fail", "partial", "indet", "revoked",
)  # fmt: skip

KIND = b"/Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached"

BESIDE = {"two-signatures-incomplete", "office-mismatch"}
"""Findings that stand beside the verdict, never in it."""


# -- what the files are made from --


@dataclass
class World:
    """Keys of the pilot and of a stranger, and honest signed files made with them, each once."""

    authority: PilotAuthority
    leader: Holder
    seal: Holder
    now: datetime
    steps: Callable[[], dict[str, bytes]]
    kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def begin(self) -> datetime:
        return self.now - timedelta(hours=1)

    @property
    def end(self) -> datetime:
        return self.now + timedelta(days=300)

    @functools.cached_property
    def issuing(self) -> Holder:
        return made.pilot_holder(self.authority, "issuing")

    @functools.cached_property
    def stranger(self) -> Holder:
        """Somebody with the leader's names, from an authority with the pilot's names that is not the pilot."""
        own = made.impostor_of(self.authority.issuing_certificate, self.begin, self.end)
        return made.certificate(own, made.new_key(), begin=self.begin, end=self.end)

    @functools.cached_property
    def other_office(self) -> Holder:
        """The seal of another office, trusted as well."""
        key, begin = made.new_key(), self.now - timedelta(hours=2)
        der = self.authority.organisation("Công ty B", "000.00.99.H15", key.public_key(), begin)
        return Holder(key, der, self.authority.chain)

    @functools.cached_property
    def revocation(self) -> RevocationData:
        return RevocationData(crls=(self.authority.crl(self.now), self.authority.root_crl(self.now)))

    def base(self, name: str) -> bytes:
        if name not in self.kept:
            self.kept[name] = BASES[name](self)
        return self.kept[name]

    def sign(self, pdf: bytes, **how: object) -> bytes:
        return made.signed(pdf, self.leader, self.now, **how)  # type: ignore[arg-type]

    def put_seal(self, pdf: bytes, **how: object) -> bytes:
        return made.signed(pdf, self.seal, self.now, name=b"ConDau", **how)  # type: ignore[arg-type]

    def token(self, data: bytes) -> bytes:
        return made.honest_token(self.authority, data, self.now)

    def time_stamp(self, pdf: bytes, token: Callable[[bytes], bytes] | None = None) -> bytes:
        n = pdf.count(b"DauThoiGian") + 1
        name = b"DauThoiGian%d" % n
        return made.time_stamped(pdf, token or self.token, self.now, name)

    def holder(self, **words: object) -> Holder:
        """Somebody with another certificate by the pilot's issuing authority."""
        key = words.pop("key", None) or made.new_key()
        defaults: dict[str, object] = {
            "begin": self.begin,
            "end": self.end,
            "lists": f"{self.authority.base_url}/crl/issuing.crl",
        }
        return made.certificate(self.issuing, key, **{**defaults, **words})  # type: ignore[arg-type]


BASES: dict[str, Callable[[World], bytes]] = {
    "approval": lambda w: w.sign(make.letter()),
    "p1": lambda w: w.sign(make.letter(), permission=1),
    "p2": lambda w: w.sign(make.letter(), permission=2),
    "p3": lambda w: w.sign(make.letter(), permission=3),
    "locked": lambda w: w.sign(make.letter(), locks=b"so_ky_hieu"),
    "locked-p2": lambda w: w.sign(make.letter(), permission=2, locks=b"so_ky_hieu"),
    "linear": lambda w: w.sign(rewritten(make.letter(), linearize=True)),
    "packed": lambda w: w.sign(make.packed_letter()),
    "filled": lambda w: make.filled_with_date(w.base("p2")),
    "sealed": lambda w: w.put_seal(w.base("filled")),
    "two": lambda w: w.put_seal(w.base("approval")),
    "proof": lambda w: make.with_proof(w.base("approval"), w.authority.certificate),
    "stamped": lambda w: w.time_stamp(w.base("p2")),
    "timed": lambda w: w.sign(make.letter(), cms_words={"token": w.token}),
    "range-behind": lambda w: w.sign(make.letter(), range_behind=True),
    "length-elsewhere": lambda w: w.sign(make.letter(make.LENGTH_ELSEWHERE)),
    "list-elsewhere": lambda w: w.sign(make.letter(make.LIST_ELSEWHERE)),
    "list-elsewhere-p2": lambda w: w.sign(make.letter(make.LIST_ELSEWHERE), permission=2),
    "twofold": lambda w: w.sign(make.letter(make.TWOFOLD)),
    "noted": lambda w: w.sign(make.letter(make.NOTED)),
    "noted-p2": lambda w: w.sign(make.letter(make.NOTED), permission=2),
    "twin": lambda w: w.sign(make.letter(hidden=make.SHADOW_TWIN)),
    "image": lambda w: w.sign(make.letter(make.SHADOW_IMAGE)),
    "overlay": lambda w: w.sign(make.letter(make.SHADOW_FORM)),
    "set": lambda w: w.sign(make.letter(make.SHADOW_SET)),
    "shown": lambda w: w.sign(make.letter(make.SHADOW_FIELD)),
    "off-page": lambda w: w.sign(make.letter(make.SHADOW_OFF_PAGE)),
    "boxes-p2": lambda w: w.sign(make.letter(make.BOXES), permission=2),
    "own-numbered": lambda w: w.steps()["numbered"],
    "own": lambda w: w.steps()["stamped"],
}


@pytest.fixture(scope="session")
def world(authority: PilotAuthority, private_key, request) -> World:  # type: ignore[no-untyped-def]
    now = datetime.now(UTC).replace(microsecond=0)
    begin = now - timedelta(hours=2)
    leader = authority.person(LEADER_NAME, OFFICE_NAME, OFFICE_CODE, "Chủ tịch", private_key.public_key(), begin)
    key = made.new_key()
    seal = authority.organisation(OFFICE_NAME, OFFICE_CODE, key.public_key(), begin)
    return World(
        authority,
        Holder(private_key, leader, authority.chain),
        Holder(key, seal, authority.chain),
        now,
        lambda: request.getfixturevalue("steps"),
    )


# -- what is expected --


UNREAD = "an unreadable signature dictionary raises PdfReadError instead of being a finding of its signature"
TWICE = "pyHanko believes the first of two equal keys or the last of two entries, readers the other one"
COVERED = "a signature of any trusted organisation makes an addition covered, its own picture over the text included"
PRINTED = "a field that is hidden on the screen only (/F NoView and Print) is taken for unseen"
OPEN: dict[str, str] = {}
"""Where the verifier is not yet as it should be, and why: by name, or by name and base."""


def marked(*names: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(strict=True, reason=OPEN[name]) for name in names if name in OPEN]


@dataclass(frozen=True)
class Row:
    """An attack on several honest files, what must be said of the results, and one word that must be among it."""

    name: str
    attack: Callable[[bytes], bytes]
    bases: str
    expect: str
    says: str | None = None


SIGNED = "approval p1 p2 p3"

ROWS = [
    # -- honest --
    Row("untouched", lambda pdf: pdf, f"{SIGNED} locked locked-p2 packed linear sealed two timed stamped own", HONEST),
    Row("untouched", lambda pdf: pdf, "own-numbered", HONEST, "field-filled"),
    Row("written-otherwise", lambda pdf: pdf, "range-behind length-elsewhere list-elsewhere twofold noted", HONEST),
    Row("proof-added", lambda pdf: make.with_proof(pdf, b"0"), f"{SIGNED} sealed", HONEST, "long-term-data"),
    Row("filled-as-allowed", make.filled_with_date, "p2 p3", HONEST, "field-filled"),
    Row("unlocked-field-filled", lambda pdf: make.filled(pdf, make.DATE, b"ngay 5"), "locked-p2", HONEST),
    Row("written-again", make.written_again, f"{SIGNED} sealed", HONEST, "written-again"),
    Row("unused-object", make.with_unused_object, f"{SIGNED} sealed", HONEST, "unused-object"),
    Row("freed-number", make.with_freed_number, f"{SIGNED} sealed", HONEST),
    Row("cr-line-ends", make.with_cr_line_ends, f"{SIGNED} sealed", HONEST),
    Row("new-metadata", make.with_new_metadata, "approval p2 p3 sealed", HONEST, "metadata"),
    Row("new-metadata-although-nothing-may", make.with_new_metadata, "p1", REPORT, "metadata"),
    Row("filled-letter-by-letter", make.filled_letter_by_letter, "p2", HONEST, "field-filled"),
    Row("filled-where-the-rest-is-printed", make.filled_where_the_rest_is_printed, "p2", HONEST, "field-filled"),
    Row("filled-with-named-letters", make.filled_with_named_letters, "p2", HONEST, "field-filled"),
    Row("box-ticked", make.box_ticked, "boxes-p2", HONEST, "field-filled"),
    Row("choice-made", make.choice_made, "boxes-p2", HONEST, "field-filled"),
    Row("field-above-its-widget-filled", make.field_above_its_widget_filled, "boxes-p2", HONEST, "field-filled"),
    # -- the signature object --
    Row("forged-contents-empty", make.contents_saying(b"<>"), "approval p2", ATTACK),
    Row("forged-contents-zero", make.contents_saying(b"<00>"), "approval p2", ATTACK),
    Row("forged-contents-null", make.contents_saying(b"null"), "approval p2", ATTACK),
    Row("forged-contents-without-value", make.contents_saying(b""), "approval p2", ATTACK),
    Row("forged-contents-absent", make.contents_saying(None), "approval p2", ATTACK),
    Row("forged-range-null", make.range_saying(b"null"), "approval p2", ATTACK),
    Row("forged-range-absent", make.range_saying(None), "approval p2", ATTACK),
    Row("forged-range-negative", make.range_saying(b"[0 -1 9 9]"), "approval p2", ATTACK),
    Row("forged-range-two-numbers", make.range_saying(b"[0 9]"), "approval p2", ATTACK),
    Row("forged-range-empty", make.range_saying(b"[]"), "approval p2", ATTACK),
    Row("forged-range-reals", make.range_of_reals, "approval p2", ATTACK),
    Row("forged-range-by-reference", make.range_by_reference, "approval p2", ATTACK),
    Row("wrapped", make.wrapped, "approval range-behind", ATTACK),
    Row("gap-wider", make.more_in_the_gap, "approval p2", ATTACK),
    Row("gap-holds-an-entry", make.comment_in_the_gap, "approval p2", ATTACK),
    Row("gap-holds-an-entry", make.comment_in_the_gap, "sealed", PARTIAL, "gap-not-signature"),
    Row("bytes-behind-the-cms", make.bytes_behind_the_cms, f"{SIGNED} sealed", REPORT, "unsigned-bytes-in-signature"),
    Row("signed-byte-flipped", make.signed_byte_flipped, f"{SIGNED} sealed", FAIL, "content-changed"),
    Row("cms-nibble-flipped", make.cms_nibble_flipped, f"{SIGNED} sealed", FAIL, "signature-broken"),
    Row("reason-spoofed", make.reason_spoofed, f"{SIGNED} sealed", MODIFIED, "signature"),
    Row("name-spoofed", make.name_spoofed, SIGNED, MODIFIED, "signature"),
    Row("moment-spoofed", make.moment_spoofed, SIGNED, MODIFIED, "signature"),
    Row("picture-overwritten", make.picture_overwritten, f"{SIGNED} sealed", MODIFIED, "signed-appearance"),
    Row("picture-exchanged", make.picture_exchanged, f"{SIGNED} sealed", MODIFIED, "signed-appearance"),
    Row("signed-field-moved", make.signed_field_moved, SIGNED, MODIFIED),
    Row("looks-sealed", make.looks_sealed, SIGNED, MODIFIED, "signature-changed"),
    Row("form-removed", make.form_removed, f"{SIGNED} sealed", MODIFIED, "signature-removed"),
    Row("signature-removed", make.signature_removed, SIGNED, MODIFIED, "signature-removed"),
    Row("one-signature-removed", make.signature_removed, "sealed two", MODIFIED),
    Row("field-removed", make.field_removed, "sealed two", MODIFIED),
    Row("field-off-the-page", make.field_off_the_page, SIGNED, MODIFIED, "field-removed"),
    # -- incremental saving --
    Row("content-overwritten", make.content_overwritten, f"{SIGNED} sealed two stamped", MODIFIED, "page-content"),
    Row("content-exchanged", make.content_exchanged, f"{SIGNED} sealed two stamped", MODIFIED, "page-content"),
    Row("font-overwritten", make.font_overwritten, SIGNED, MODIFIED),
    Row("glyph-overwritten", make.glyph_overwritten, SIGNED, MODIFIED, "page-content"),
    Row("image-overwritten", make.image_overwritten, SIGNED, MODIFIED, "page-content"),
    Row("length-shortened", make.length_shortened, "length-elsewhere", MODIFIED, "page-content"),
    Row("length-wrong", make.length_wrong, "length-elsewhere", MODIFIED, "page-content"),
    Row("content-that-is-also-metadata", make.content_overwritten, "twofold", MODIFIED, "page-content"),
    Row("note-redrawn", make.note_redrawn, "noted noted-p2", REPORT),
    Row("note-enlarged", make.note_enlarged, "noted noted-p2", REPORT, "annotation-changed"),
    Row("list-of-annotations-grown", make.list_of_annotations_grown, "list-elsewhere list-elsewhere-p2", REPORT,
        "annotation-added"),
    Row("proof-removed", make.proof_removed, "proof", MODIFIED, "long-term-data"),
    Row("resources-overwritten", make.resources_overwritten, SIGNED, MODIFIED, "page-content"),
    Row("resource-named-p-overwritten", make.named_p_overwritten, SIGNED, MODIFIED, "page-content"),
    Row("resource-named-prev-overwritten", make.named_prev_overwritten, SIGNED, MODIFIED, "page-content"),
    Row("page-added", make.page_added, f"{SIGNED} sealed", MODIFIED, "page-tree"),
    Row("page-exchanged", make.page_exchanged, SIGNED, MODIFIED, "page-tree"),
    Row("page-removed", make.page_removed, SIGNED, MODIFIED, "page-tree"),
    Row("pages-swapped", make.pages_swapped, SIGNED, MODIFIED, "page-tree"),
    Row("page-turned", make.page_turned, SIGNED, MODIFIED, "page-content"),
    Row("page-turned-from-above", make.page_box_through_parent, SIGNED, MODIFIED, "page-content"),
    Row("page-cropped", make.page_cropped, SIGNED, MODIFIED, "page-content"),
    Row("page-scaled", make.page_scaled, SIGNED, MODIFIED, "page-content"),
    Row("catalog-exchanged", make.catalog_exchanged, SIGNED, MODIFIED, "catalog"),
    Row("contents-said-twice", make.key_said_twice(make.PAGE, b"/Contents 5 0 R", b"/Contents 92 0 R",
        make.FALSE_PAGE), f"{SIGNED} sealed", ATTACK),
    Row("contents-said-twice-escaped", make.key_said_twice(make.PAGE, b"/Contents 5 0 R", b"/C#6fntents 92 0 R",
        make.FALSE_PAGE), f"{SIGNED} sealed", ATTACK),
    Row("pages-said-twice", make.key_said_twice(make.CATALOG, b"/Pages 2 0 R", b"/Pages 90 0 R", make.FALSE_PAGE),
        f"{SIGNED} sealed", ATTACK),
    Row("picture-said-twice", make.key_said_twice(make.SEAL, b"/Rect[270 200 390 290]",
        b"/Rect[60 540 500 740]/AP<</N 90 0 R>>", {90: make.drawing(make.COVER)}), "approval p2", MODIFIED),
    Row("root-said-twice", make.root_said_twice(False), f"{SIGNED} sealed", ATTACK),
    Row("root-said-twice-false-first", make.root_said_twice(True), SIGNED, ATTACK),
    Row("entry-said-twice", make.entry_said_twice(False), f"{SIGNED} sealed", ATTACK),
    Row("entry-said-twice-false-first", make.entry_said_twice(True), f"{SIGNED} sealed", ATTACK),
    Row("stream-entry-said-twice", make.entry_said_twice_in_a_stream(False), f"{SIGNED} sealed", ATTACK),
    Row("stream-entry-said-twice-false-first", make.entry_said_twice_in_a_stream(True), f"{SIGNED} sealed", ATTACK),
    Row("container-holds-a-number-twice", make.container_holds_a_number_twice, f"{SIGNED} sealed", ATTACK),
    Row("layer-hidden", make.layer_hidden, SIGNED, MODIFIED, "layers"),
    Row("xfa-added", make.xfa_added, SIGNED, MODIFIED, "action"),
    Row("script-on-opening", make.opens_a_script, SIGNED, MODIFIED, "action"),
    Row("opens-elsewhere", make.opens_elsewhere, SIGNED, MODIFIED, "action"),
    Row("script-in-names", make.names_a_script, SIGNED, MODIFIED, "action"),
    Row("script-in-a-link", make.link_runs_a_script, SIGNED, MODIFIED, "action"),
    Row("script-on-a-link", make.link_listens, SIGNED, MODIFIED, "action"),
    Row("script-on-a-field", make.field_listens, SIGNED, MODIFIED, "action"),
    Row("script-on-a-page", make.page_listens, SIGNED, MODIFIED, "action"),
    Row("link-redirected", make.link_redirected, SIGNED, REPORT, "annotation-changed"),
    Row("annotation-removed", make.annotation_removed, SIGNED, REPORT, "annotation-removed"),
    Row("file-embedded", make.embeds_a_file, SIGNED, REPORT),
    Row("objects-without-table", make.objects_without_table, f"{SIGNED} sealed", ATTACK),
    Row("objects-with-empty-table", make.objects_with_empty_table, f"{SIGNED} sealed", ATTACK),
    Row("objects-with-broken-table", make.objects_with_broken_table, f"{SIGNED} sealed", ATTACK),
    Row("objects-with-trailer-only", make.objects_with_trailer_only, f"{SIGNED} sealed", ATTACK),
    Row("objects-with-wrong-place", make.objects_with_wrong_place, f"{SIGNED} sealed", ATTACK),
    Row("objects-with-copied-signature", make.objects_with_copied_signature, f"{SIGNED} sealed", ATTACK),
    Row("revision-with-copied-signature", make.copied_signature_at_the_end, SIGNED, ATTACK),
    Row("bytes-after-the-end", make.bytes_after_the_end, f"{SIGNED} sealed", REPORT, "bytes-after-end"),
    Row("second-file-after-the-end", make.second_file_after_the_end, f"{SIGNED} sealed", ATTACK),
    Row("bytes-before-the-head", make.bytes_before_the_head, "approval sealed", FAIL),
    Row("revision-skipped", make.revision_skipped, "approval p2", ATTACK),
    Row("fewer-objects-declared", make.fewer_objects_declared, f"{SIGNED} sealed", ATTACK, "objects-hidden"),
    Row("seal-skipped", make.seal_skipped, "sealed", REPORT, "signature-hidden"),
    Row("end-of-an-older-revision-again", make.end_of_an_older_revision_again, "sealed", REPORT, "signature-hidden"),
    Row("second-generation", make.second_generation, f"{SIGNED} sealed", ATTACK, "generation"),
    Row("hybrid-elsewhere", make.hybrid_elsewhere, SIGNED, REPORT, "views-differ"),
    Row("hybrid-only-in-the-stream", make.hybrid_only_in_the_stream, SIGNED, MODIFIED, "page-content"),
    Row("container-overwritten", make.container_overwritten, "packed", ATTACK, "object-stream"),
    # -- shadow: prepared, then switched --
    Row("prepared", lambda pdf: pdf, "image overlay set twin shown off-page", SHADOW),
    Row("hide-image-freed", make.image_freed, "image", MODIFIED, "page-content"),
    Row("hide-image-pointed-at-nothing", make.image_pointed_at_nothing, "image", MODIFIED),
    Row("hide-form-emptied", make.form_emptied, "overlay", MODIFIED, "page-content"),
    Row("replace-picture-overwritten", make.shown_value_overwritten, "shown", MODIFIED),
    Row("replace-picture-exchanged", make.shown_value_exchanged, "shown", MODIFIED),
    Row("replace-field-shown", make.hidden_field_shown, "off-page", MODIFIED),
    Row("hide-and-replace-catalog", make.catalog_switched, "set", MODIFIED, "catalog"),
    Row("hide-and-replace-kids", make.kids_switched, "set", MODIFIED, "page-tree"),
    Row("hide-and-replace-entry", make.entry_switched, "twin", MODIFIED, "page-content"),
    # -- permitted changes misused --
    *(
        Row(f"annotation-{kind.decode().lower()}", make.annotation_over_text(kind), f"{SIGNED} sealed", REPORT)
        for kind in (b"FreeText", b"Stamp", b"Redact", b"Link", b"Square", b"Popup", b"Watermark", b"Widget")
    ),
    Row("field-over-text", make.field_over_text, f"{SIGNED} sealed", REPORT, "field-added"),
    Row("second-widget-over-text", make.widget_of_a_field_over_text, SIGNED, REPORT),
    Row("filled-otherwise-than-shown", make.filled_otherwise_than_shown, "approval p2 p3", REPORT,
        "value-picture-differ"),
    Row("shown-without-a-value", make.shown_without_a_value, "p2 p3", REPORT),
    Row("filled-showing-a-picture", make.filled_showing_a_picture, "p2 p3", REPORT),
    *(Row(attack.replace("_", "-"), getattr(make, attack), "p2", REPORT, "value-picture-differ") for attack in (
        "filled_with_letters_named_otherwise", "filled_with_letters_of_its_own", "filled_in_symbols",
        "filled_without_a_font", "filled_with_a_font_in_a_state", "filled_within_brackets", "filled_in_part",
        "filled_in_disorder", "filled_with_curves", "filled_with_a_pattern", "filled_with_a_picture_before_a_comment",
        "filled_with_states")),
    *(Row(attack.replace("_", "-"), getattr(make, attack), "boxes-p2", REPORT, "value-picture-differ") for attack in (
        "box_redrawn", "button_repictured", "choice_shown_otherwise", "unlisted_widget_redrawn")),
    Row("field-leads-elsewhere", make.field_leads_elsewhere, "p2 p3", REPORT, "form"),
    Row("field-framed", make.field_framed, "p2 p3", REPORT, "form"),
    Row("field-in-a-layer", make.field_in_a_layer, "p2 p3", REPORT, "form"),
    Row("notes-reordered", make.notes_reordered, "boxes-p2", REPORT, "annotation-changed"),
    Row("note-opened", make.note_opened, SIGNED, REPORT, "annotation-added"),
    Row("field-taken-away", make.field_taken_away, f"{SIGNED} filled", MODIFIED, "field-removed"),
    Row("widget-taken-away", make.widget_taken_away, f"{SIGNED} filled", MODIFIED, "field-removed"),
    Row("field-only-printed", make.field_only_printed, f"{SIGNED} sealed", REPORT, "signature-field-added"),
    Row("seal-pictured", make.seal_pictured, SIGNED, MODIFIED),
    Row("hidden-field-shown-later", make.hidden_field_shown_later, f"{SIGNED} sealed", MODIFIED),
    Row("empty-field-grown-later", make.empty_field_grown_later, f"{SIGNED} sealed", MODIFIED),
    Row("filled-and-enlarged", make.filled_and_enlarged, "approval p2 p3", MODIFIED, "field-moved"),
    Row("filled-enlarging", make.filled_in_one_step_enlarged, "approval p2 p3", MODIFIED, "field-moved"),
    Row("filled-although-nothing-may", make.filled, "p1", MODIFIED, "field-filled"),
    Row("locked-field-filled", make.filled, "locked locked-p2", MODIFIED, "field-filled"),
    Row("filled-without-permission", make.filled, "approval", REPORT, "field-filled"),
    Row("number-changed", make.filled_again, "filled sealed", MODIFIED, "field-changed"),
    Row("picture-of-the-number-overwritten", make.filled_again_in_place, "filled sealed", MODIFIED),
    Row("number-hidden", make.number_hidden, "filled sealed", MODIFIED),
    Row("form-draws-anew", make.form_draws_anew, "filled sealed", REPORT),
    Row("number-of-our-own-changed", make.own_number_filled_again, "own", MODIFIED, "field-changed"),
    Row("font-of-our-own-overwritten", make.own_font_overwritten, "own", MODIFIED),
    Row("page-smuggled-as-proof", make.proof_smuggles_a_page, f"{SIGNED} sealed", MODIFIED, "page-content"),
    Row("permission-removed", make.permission_removed, "p1 p2 p3 sealed", MODIFIED, "permissions"),
    Row("permission-widened", make.permission_widened, "p1 p2 sealed", MODIFIED),
    Row("permission-of-another", make.permission_of_another, "p1 p2 sealed", MODIFIED, "permissions"),
    # -- structure --
    *(Row(f"cut-at-{share}", make.cut(share), "approval sealed", FAIL) for share in (0.3, 0.6, 0.9, 0.999)),
    Row("table-loops", make.table_leads_to_itself, "approval", FAIL),
]  # fmt: skip


def cases() -> list[object]:
    found = []
    for row in ROWS:
        for base in row.bases.split():
            name = f"{row.name}-{base}"
            found.append(pytest.param(row, base, id=name, marks=marked(name, row.name)))
    return found


@pytest.fixture
def check(world: World, trust: TrustMaterial):  # type: ignore[no-untyped-def]
    def verdict_on(
        pdf: bytes,
        *,
        at: datetime | None = None,
        revocation: RevocationData | None = None,
        trusted: TrustMaterial | None = None,
    ) -> Report:
        moment = at or world.now + timedelta(minutes=1)
        return verify_pdf(pdf, at=moment, trust=trusted or trust, revocation=revocation or world.revocation)

    return verdict_on


def said(report: Report) -> dict[str, set[str]]:
    """What a report says, by how grave it is: findings by severity, changes that are no harmless ones as warnings."""
    words: dict[str, set[str]] = {"failure": set(), "warning": set(), "note": set()}
    for finding in (*report.findings, *(f for s in report.signatures for f in s.findings)):
        if finding.code not in BESIDE:
            words[finding.severity].add(finding.code)
    for change in (change for s in report.signatures for change in s.changes):
        words["warning" if change.kind in ("addition", "forbidden") else "note"].add(change.what)
    return words


def assert_said(report: Report, expect: str, says: str | None) -> None:
    words = said(report)
    grave = words["failure"] | words["warning"]
    verdicts = [s.verdict for s in report.signatures]
    if expect == SHADOW:
        assert (report.verdict, words["failure"]) == (Verdict.VALID, set()), words
        return
    if expect == HONEST:
        assert (report.verdict, grave) == (Verdict.VALID, set()), words
        assert verdicts
        assert all(verdict is Verdict.VALID for verdict in verdicts)
        assert says is None or says in words["note"], words
        return
    assert report.verdict is not Verdict.VALID, words
    assert grave, words
    assert says is None or says in grave, words
    if expect == ATTACK:
        assert Verdict.VALID not in verdicts, words
    if expect == REVOKED:
        assert (report.verdict, report.sub_indication) == (Verdict.INVALID, "REVOKED"), words
    if expect == INDET:
        assert report.verdict is Verdict.UNKNOWN, words
        assert not words["failure"]


@pytest.mark.parametrize(("row", "base"), cases())
def test_a_touched_file(row: Row, base: str, world: World, check) -> None:  # type: ignore[no-untyped-def]
    pdf = row.attack(world.base(base))
    try:
        report = check(pdf)
    except SigningError:
        # refused, with a sentence: right for files that are broken, never for one that a reader shows
        assert row.expect == FAIL
        return
    assert_said(report, row.expect, row.says)


# -- what only somebody with a key can make --


@dataclass(frozen=True)
class Made:
    """A file made by a signer, what must be said of it, and how it is checked where that is special."""

    name: str
    pdf: Callable[[World], bytes]
    expect: str
    says: str | None = None
    revocation: Callable[[World], RevocationData] | None = None
    at: timedelta = timedelta(minutes=1)


def by(**words: object) -> Callable[[World], bytes]:
    """The letter signed by the leader, with a CMS that is wrong in one way."""
    return lambda w: w.sign(make.letter(), cms_words=words)


def with_other_certificate(**words: object) -> Callable[[World], bytes]:
    """The letter signed by somebody with another certificate of the pilot's authority."""

    def sign(w: World) -> bytes:
        plain = {key: value(w) if callable(value) else value for key, value in words.items()}
        return made.signed(make.letter(), w.holder(**plain), w.now)

    return sign


def with_range(numbers: Callable[[int, int, int], tuple[int, int, int, int]]) -> Callable[[World], bytes]:
    """The leader signs ranges that are not the whole file but the gap."""

    def sign(w: World) -> bytes:
        pdf = w.base("approval")
        _, start, end, rest = make.range_of(pdf)
        return made.resigned(make.with_range(pdf, numbers(start, end, rest)), w.leader)

    return sign


def overlapping(w: World) -> bytes:
    """The leader's range ends inside the seal's gap, over digits that every CMS begins with."""
    pdf = w.base("two")
    _, start, end, _ = make.range_of(pdf, 0)
    pdf = make.with_range(pdf, (0, start, end, make.gaps(pdf)[1][0] + 5 - end), 0)
    return made.resigned(made.resigned(pdf, w.leader, n=0), w.seal, n=1)


def of_the_leader(**words: object) -> Callable[[World], RevocationData]:
    """Lists that say something about the leader: `revoked` (a time before now), `age`, `life`, `by` another key."""

    def answers(w: World) -> RevocationData:
        when = words.get("revoked")
        revoked = {made.serial(w.leader.certificate): w.now - when} if isinstance(when, timedelta) else {}
        age = words.get("age", timedelta())
        issuer = w.issuing
        if words.get("forged"):
            issuer = made.impostor_of(w.authority.issuing_certificate, w.begin, w.end)
        listed = made.revocation_list(issuer, revoked, w.now - age, life=words.get("life", timedelta(days=1)))
        return RevocationData(crls=(listed, w.authority.root_crl(w.now)))

    return answers


def asked_about(who: str) -> Callable[[World], RevocationData]:
    """No list of the issuing authority, only an OCSP answer about one certificate."""

    def answers(w: World) -> RevocationData:
        answer = made.status_answer(w.authority, getattr(w, who).certificate, w.now)
        return RevocationData(crls=(w.authority.root_crl(w.now),), ocsps=(answer,))

    return answers


def stamped_by(**words: object) -> Callable[[World], Callable[[bytes], bytes]]:
    """A time-stamp authority under the pilot's root with a certificate of its own kind."""

    def authority(w: World) -> Callable[[bytes], bytes]:
        root = made.pilot_holder(w.authority, "root")
        lists = f"{w.authority.base_url}/crl/root.crl"
        ends = {"begin": w.begin, "end": w.end, "usage": ("digital_signature",), "uses": made.TIME_STAMPING}
        issuer = made.impostor_of(w.authority.certificate, w.begin, w.end) if words.get("stranger") else root
        plain = {key: value for key, value in words.items() if key != "stranger"}
        holder = made.certificate(issuer, made.new_key(), lists=lists, **{**ends, **plain})  # type: ignore[arg-type]
        return lambda data: made.token_by(holder, data, w.now)

    return authority


def stamped_too_early(w: World) -> Callable[[bytes], bytes]:
    """A trusted authority whose certificate begins after the moment that it tells."""
    return stamped_by(begin=w.now + MINUTE / 2)(w)


def stamp_in_the_seals_field(look: bytes) -> Callable[[World], bytes]:
    """Whoever can ask for a time stamp puts one into the seal's field, with a picture."""
    return lambda w: made.time_stamped(w.base("p2"), w.token, w.now, b"ConDau", new=None, look=look)


def timed_by(token: Callable[[World], Callable[[bytes], bytes]]) -> Callable[[World], bytes]:
    return lambda w: w.sign(make.letter(), cms_words={"token": token(w)})


def stamped_twice(w: World) -> bytes:
    return w.time_stamp(w.base("stamped"))


def stamps_swapped(w: World) -> bytes:
    pdf = stamped_twice(w)
    first, second = make.contents(pdf, 1), make.contents(pdf, 2)
    return make.filled_in(make.filled_in(pdf, second, 1), first, 2)


def stamp_shown_twice(w: World) -> bytes:
    pdf = make.with_new_field(w.base("stamped"), b"DauThoiGian2")
    number = make.signature_number(pdf, b"DauThoiGian1")
    return make.entering(make.number_of(pdf, b"DauThoiGian2"), b"/V %d 0 R" % number)(pdf)


def sneaky(base: str, holder: str = "stranger") -> Callable[[World], bytes]:
    """Sneaky signature: a new field over the text, signed with a key of the attacker."""

    def sign(w: World) -> bytes:
        box = b"60 520 520 720"
        return made.signed(w.base(base), getattr(w, holder), w.now, name=b"MoiThem", new=box, look=make.COVER)

    return sign


def by_a_false_issuer(w: World) -> bytes:
    """The issuer is a real certificate of the pilot that is no authority."""
    holder = made.certificate(w.leader, made.new_key(), begin=w.begin, end=w.end)
    return made.signed(make.letter(), holder, w.now)


def with_a_forged_list_in_the_proof(w: World) -> bytes:
    """Anybody may append a list of their own making that calls the leader revoked."""
    forger = made.impostor_of(w.authority.issuing_certificate, w.begin, w.end, w.leader.key)
    forged = made.revocation_list(forger, {made.serial(w.leader.certificate): w.begin}, w.now)
    return make.with_proof(w.base("approval"), forged, kind=b"CRLs")


def with_an_impostor_in_the_cms(w: World) -> bytes:
    chain = (w.stranger.chain[0], *w.leader.chain)
    return made.signed(make.letter(), Holder(w.leader.key, w.leader.certificate, chain), w.now)


def by_an_impostor(w: World) -> bytes:
    """An RSA key, as the pilot's own."""
    issuer = made.impostor_of(w.authority.issuing_certificate, w.begin, w.end, w.leader.key)
    return made.signed(make.letter(), made.certificate(issuer, made.new_key(), begin=w.begin, end=w.end), w.now)


DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
TLS = (made.ExtendedKeyUsageOID.SERVER_AUTH,)

MADE = [
    # -- honest --
    Made("sealed-under-p3", lambda w: w.put_seal(w.base("p3")), HONEST, "field-signed"),
    Made("stamped-twice", stamped_twice, HONEST, "timestamp-added"),
    *(Made(f"stamped-{b}", functools.partial(lambda b, w: w.time_stamp(w.base(b)), b), HONEST, "timestamp-added")
      for b in ("approval", "p1", "p3", "sealed", "timed")),
    Made("added-then-sealed", lambda w: w.put_seal(make.filled(w.base("approval"))), HONEST, "added-then-sealed"),
    Made("annotated-then-sealed", lambda w: w.put_seal(make.annotation_over_text(b"FreeText")(w.base("approval"))),
         HONEST, "added-then-sealed"),
    Made("other-key", with_other_certificate(), HONEST),
    Made("asked-by-ocsp", by(), HONEST, revocation=asked_about("leader")),
    Made("revoked-after-the-proven-time", timed_by(lambda w: w.token), HONEST,
         revocation=of_the_leader(revoked=-MINUTE / 2)),
    Made("sha512", by(digest="sha512"), HONEST),
    Made("stamped-by-another-authority", timed_by(stamped_by()), HONEST),
    Made("document-stamp-by-another-authority", lambda w: w.time_stamp(w.base("p2"), stamped_by()(w)), HONEST),
    Made("impostor-among-the-proof", lambda w: make.with_proof(w.base("approval"), w.stranger.chain[0]), HONEST),
    Made("forged-list-among-the-proof", with_a_forged_list_in_the_proof, HONEST),
    Made("forged-list-beside-the-right-one", by(), HONEST, revocation=lambda w: RevocationData(
        crls=(*of_the_leader(forged=True)(w).crls, *w.revocation.crls))),
    Made("impostor-among-the-certificates", with_an_impostor_in_the_cms, HONEST),
    # -- ranges --
    Made("key-twice-range", lambda w: w.sign(make.letter(), kind=KIND + b"/ByteRange[0 9 9 9]"), REPORT, "key-twice"),
    Made("key-twice-contents", lambda w: w.sign(make.letter(), kind=KIND + b"/Contents<00>"), REPORT, "key-twice"),
    Made("key-twice-contents-behind", lambda w: w.sign(make.letter(), entries=b"/Contents<00>"), REPORT, "key-twice"),
    Made("range-not-from-the-start", with_range(lambda a, b, c: (5, a - 5, b, c)), FAIL, "byte-range-malformed"),
    Made("range-past-the-end", with_range(lambda a, b, c: (0, a, b, c + 99)), FAIL, "byte-range-malformed"),
    Made("range-without-the-tail", with_range(lambda a, b, c: (0, a, b, c - 20)), FAIL, "range-not-revision"),
    Made("range-with-a-wider-gap", with_range(lambda a, b, c: (0, a - 20, b, c)), FAIL, "gap-not-signature"),
    Made("range-over-its-own-contents", with_range(lambda a, b, c: (0, a + 5, b, c)), FAIL, "gap-not-signature"),
    Made("ranges-overlap", overlapping, PARTIAL, "ranges-overlap"),
    # -- CMS --
    Made("two-signer-infos", by(infos=2), FAIL, "signer-infos"),
    Made("no-signer-infos", by(infos=0), FAIL),
    Made("empty-content-enclosed", by(enclosed=b""), INDET, "content-enclosed"),
    Made("other-content-enclosed", by(enclosed=b"x"), INDET, "content-enclosed"),
    Made("no-certificates", by(certificates=False), FAIL),
    Made("signature-algorithm-as-digest", by(told_digest="1.2.840.113549.1.1.11"), FAIL),
    Made("md5", by(digest="md5"), INDET, "weak-algorithm"),
    Made("sha1", by(digest="sha1"), INDET, "weak-algorithm"),
    Made("rsa-1024", with_other_certificate(key=lambda _: made.rsa.generate_private_key(65537, 1024)), INDET,
         "weak-algorithm"),
    Made("p-192", with_other_certificate(key=lambda _: made.ec.generate_private_key(made.ec.SECP192R1())), INDET,
         "weak-algorithm"),
    Made("wrong-message-digest", by(told=bytes(32)), FAIL, "content-changed"),
    Made("another-certificate-named", lambda w: by(named=w.seal.certificate)(w), PARTIAL),
    Made("no-certificate-named", by(named=None), PARTIAL, "certificate-not-named"),
    Made("attributes-not-in-order", by(scrambled=True), PARTIAL),
    Made("digests-disagree", by(signed_with="sha512"), PARTIAL, "algorithms-disagree"),
    # -- certificates --
    Made("expired-before-signing", with_other_certificate(end=lambda w: w.now - HOUR / 2), INDET),
    Made("expired-after-signing", by(), INDET, at=DAY * 4000),
    Made("not-yet-valid", with_other_certificate(begin=lambda w: w.now + DAY), INDET),
    Made("key-encipherment-only", with_other_certificate(usage=("key_encipherment",)), INDET),
    Made("digital-signature-only", with_other_certificate(usage=("digital_signature",)), INDET, "key-usage-wrong"),
    Made("for-a-web-server", with_other_certificate(uses=TLS), INDET, "key-usage-wrong"),
    Made("issuer-is-no-authority", by_a_false_issuer, INDET),
    Made("impostor-with-the-same-names", lambda w: made.signed(make.letter(), w.stranger, w.now), INDET,
         "not-determined"),
    Made("impostor-with-the-same-kind-of-key", by_an_impostor, INDET, "not-determined"),
    Made("revoked-without-proof", by(), INDET, revocation=of_the_leader(revoked=MINUTE)),
    Made("revoked-before-the-proven-time", timed_by(lambda w: w.token), REVOKED,
         revocation=of_the_leader(revoked=MINUTE)),
    Made("no-answer", by(), INDET, revocation=lambda _: RevocationData()),
    Made("stale-list", by(), INDET, revocation=of_the_leader(age=3 * HOUR, life=HOUR)),
    Made("list-by-the-wrong-key", by(), INDET, "not-determined", revocation=of_the_leader(forged=True)),
    Made("answer-about-another", by(), INDET, revocation=asked_about("seal")),
    # -- time stamps --
    Made("time-stamp-of-another-signature", timed_by(lambda w: lambda _: w.token(b"x")), PARTIAL),
    Made("time-stamp-without-usage", timed_by(stamped_by(uses=())), PARTIAL),
    Made("time-stamp-by-a-signer", timed_by(stamped_by(uses=(made.DOCUMENTS,))), PARTIAL),
    Made("time-stamp-by-an-impostor", timed_by(stamped_by(stranger=True)), PARTIAL),
    Made("time-stamp-without-certificate",
         timed_by(lambda w: lambda data: made.honest_token(w.authority, data, w.now, certificate=False)), PARTIAL),
    Made("time-stamp-from-tomorrow",
         timed_by(lambda w: lambda data: made.honest_token(w.authority, data, w.now + DAY)), PARTIAL),
    Made("time-stamp-before-the-certificate",
         timed_by(lambda w: lambda data: made.honest_token(w.authority, data, w.now - 3 * HOUR)), PARTIAL),
    Made("document-stamp-of-other-bytes", lambda w: w.time_stamp(w.base("p2"), lambda _: w.token(b"x")), PARTIAL),
    Made("document-stamp-without-usage", lambda w: w.time_stamp(w.base("p2"), stamped_by(uses=())(w)), PARTIAL),
    Made("document-stamp-by-an-impostor", lambda w: w.time_stamp(w.base("p2"), stamped_by(stranger=True)(w)), PARTIAL),
    Made("document-stamps-swapped", stamps_swapped, PARTIAL),
    Made("document-stamp-shown-twice", stamp_shown_twice, PARTIAL),
    Made("document-stamp-pictured-as-a-seal", stamp_in_the_seals_field(make.COVER), PARTIAL, "timestamp-added"),
    Made("document-stamp-before-its-authority", lambda w: w.time_stamp(w.base("p2"), stamped_too_early(w)), PARTIAL,
         "time-stamp-out-of-time"),
    Made("time-stamp-before-its-authority", timed_by(stamped_too_early), INDET, "time-stamp-out-of-time"),
    Made("field-taken-away-then-sealed", lambda w: w.put_seal(make.field_taken_away(w.base("approval"))), PARTIAL,
         "field-removed"),
    # -- further signatures --
    *(Made(f"sneaky-{base}", sneaky(base), MODIFIED) for base in ("approval", "p1", "p2", "p3", "sealed")),
    *(Made(f"sneaky-by-another-office-{base}", sneaky(base, "other_office"), MODIFIED)
      for base in ("approval", "p1", "p2", "p3", "sealed")),
    Made("annotated-then-sealed-by-another-office", lambda w: made.signed(
        make.annotation_over_text(b"FreeText")(w.base("approval")), w.other_office, w.now, name=b"ConDau"), MODIFIED),
    *(Made(f"sneaky-by-the-leader-{base}", sneaky(base, "leader"), MODIFIED) for base in ("p1", "p2", "sealed")),
    Made("sealed-by-a-stranger", lambda w: made.signed(w.base("p2"), w.stranger, w.now, name=b"ConDau"), PARTIAL),
    Made("sealed-although-nothing-may", lambda w: w.put_seal(w.base("p1")), MODIFIED, "field-signed"),
    Made("certified-a-second-time", lambda w: w.put_seal(w.base("p2"), permission=3), MODIFIED, "permissions"),
    Made("certified-after-an-approval", lambda w: w.put_seal(w.base("approval"), permission=2), MODIFIED),
    Made("content-changed-then-sealed", lambda w: w.put_seal(make.content_overwritten(w.base("p2"))), MODIFIED,
         "page-content"),
    Made("content-changed-then-sealed-approval", lambda w: w.put_seal(make.content_overwritten(w.base("approval"))),
         MODIFIED, "page-content"),
]  # fmt: skip


@pytest.mark.parametrize("one", [pytest.param(m, id=m.name, marks=marked(m.name)) for m in MADE])
def test_a_signers_file(one: Made, world: World, check) -> None:  # type: ignore[no-untyped-def]
    answers = one.revocation(world) if one.revocation else None
    report = check(one.pdf(world), at=world.now + one.at, revocation=answers)
    assert_said(report, one.expect, one.says)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.__name__, marks=marked("intact-although-followed"))
        for attack in (make.bytes_after_the_end, make.objects_without_table, make.objects_with_trailer_only)
    ],
)
def test_what_follows_the_end_is_not_called_a_change_of_the_signed_bytes(attack, world: World, check) -> None:  # type: ignore[no-untyped-def]
    assert "content-changed" not in said(check(attack(world.base("approval"))))["failure"]


def test_a_path_over_another_world_does_not_change_the_world(world: World, check, trust) -> None:  # type: ignore[no-untyped-def]
    """A root of another world vouches for the pilot's root: the nearest anchor decides, the letter stays a trial."""
    other = made.new_root("Goc khac", world.begin, world.end)
    crossed = made.crossed(world.authority.certificate, other, world.begin, world.end)
    both = TrustMaterial((Anchor(other.certificate, TrustWorld.VGCA), *trust.anchors), (crossed, *trust.intermediates))
    report = check(world.base("approval"), trusted=both)
    assert (report.verdict, report.signatures[0].world) == (Verdict.VALID, TrustWorld.PILOT)


@pytest.mark.parametrize(
    ("kind", "first"),
    [("rsa", True), ("rsa", False), pytest.param("ec", True, marks=marked("same-names-first")), ("ec", False)],
)
def test_an_anchor_with_the_same_names_and_another_key_disturbs_no_honest_letter(
    kind: str, first: bool, world: World, check, trust
) -> None:  # type: ignore[no-untyped-def]
    key = world.leader.key if kind == "rsa" else None
    other = made.impostor_of(world.authority.certificate, world.begin, world.end, key)
    anchors = (Anchor(other.certificate, TrustWorld.VGCA), *trust.anchors)
    both = TrustMaterial(anchors if first else anchors[::-1], trust.intermediates)
    report = check(world.base("approval"), trusted=both)
    assert (report.verdict, report.signatures[0].world) == (Verdict.VALID, TrustWorld.PILOT)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=marked("no-moment-proven"))
        for name in ("time-stamp-of-another-signature", "time-stamp-by-an-impostor", "time-stamp-without-usage")
    ],
)
def test_a_time_stamp_that_does_not_hold_proves_no_moment(name: str, world: World, check) -> None:  # type: ignore[no-untyped-def]
    pdf = next(one for one in MADE if one.name == name).pdf(world)
    assert check(pdf).signatures[0].proven_at is None


# -- prepared documents --


@pytest.mark.parametrize(
    "base", [pytest.param(b, marks=marked("prepared-warned")) for b in ("image", "overlay", "set", "twin", "off-page")]
)
def test_a_document_prepared_for_switching_is_warned_about(base: str, world: World, check) -> None:  # type: ignore[no-untyped-def]
    report = check(world.base(base))
    assert [f.code for f in report.findings if f.code.startswith("shadow-")]


# -- files that cost too much --


HEAVY = (
    make.deep_nesting, make.deep_dictionaries, make.many_revisions, make.many_signatures, make.container_bomb,
    make.metadata_bomb,
)  # fmt: skip
HEAVIER = (make.many_fields, make.many_objects, make.big_contents)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    one = Sandbox(workers=1, cpu_seconds=20, wall_seconds=120)
    yield one
    one.close()


@pytest.mark.parametrize(
    "attack",
    [
        *(pytest.param(a, id=a.__name__, marks=marked(a.__name__)) for a in HEAVY),
        *(pytest.param(a, id=a.__name__, marks=[pytest.mark.long, *marked(a.__name__)]) for a in HEAVIER),
    ],
)
def test_a_file_that_costs_too_much_gets_an_answer(attack, world: World, trust, sandbox: Sandbox) -> None:  # type: ignore[no-untyped-def]
    pdf = attack(world.base("approval"))
    try:
        report = sandbox.run(verify_pdf, pdf, at=world.now + MINUTE, trust=trust, revocation=world.revocation)
    except PdfTooComplex:
        return
    assert report.findings or report.signatures


# -- replay --


REPLAYED = ("own", "timed", "stamped", "sealed", "approval")


@pytest.mark.parametrize("base", REPLAYED)
def test_the_same_inputs_give_the_same_bytes_without_any_clock(base: str, world: World, check, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    pdf, at = world.base(base), world.now + MINUTE
    first = report_json(check(pdf, at=at))
    stop_clocks(monkeypatch)
    assert report_json(check(pdf, at=at)) == first


@pytest.mark.parametrize("days", [-400, -1, 1, 400, 4000])
def test_the_moment_that_is_handed_in_decides_not_the_clock(days: int, world: World, check, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    pdf, at = world.base("own"), world.now + timedelta(days=days)
    first = report_json(check(pdf, at=at))
    stop_clocks(monkeypatch)
    assert report_json(check(pdf, at=at)) == first


class AnyDatetime(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, datetime)


class NoClock(datetime, metaclass=AnyDatetime):
    @classmethod
    def now(cls, *_):  # type: ignore[no-untyped-def]
        raise AssertionError("somebody asked the machine for the time")

    utcnow = today = now


def stop_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever of the verifier and its libraries asks for the time fails."""
    whole = types.SimpleNamespace(**{**vars(datetime_module), "datetime": NoClock})
    for name, module in list(sys.modules.items()):
        if not name.startswith(("signing", "keys", "pyhanko", "asn1crypto")):
            continue
        known = vars(module).get("datetime")
        if known is datetime:
            monkeypatch.setattr(module, "datetime", NoClock)
        elif known is datetime_module:
            monkeypatch.setattr(module, "datetime", whole)
