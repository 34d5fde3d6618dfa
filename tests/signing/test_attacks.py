"""Every attack class of the signing page, made with keys of our own, and its honest twin that must be plainly valid.

What each attack is and where it comes from: `tests/vectors/attacks/SOURCES.md`. The words of the expectations are those
of the corpora: HONEST is plainly valid; MODIFIED, REPORT, ATTACK, FAIL and PARTIAL are never valid and say what is
wrong; INDET is unknown and never calls the file forged.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from keys.authority import PilotAuthority
from keys.model import RevocationData, TrustMaterial
from signing.errors import SigningError
from signing.model import Report, Verdict
from signing.verify import verify_pdf
from tests.fixtures.pilot import LEADER_NAME, OFFICE_CODE, OFFICE_NAME
from tests.vectors.attacks import credentials as made
from tests.vectors.attacks import make
from tests.vectors.attacks.credentials import Holder

HONEST, SHADOW, MODIFIED, REPORT, ATTACK, FAIL, PARTIAL, INDET = (
    "honest", "shadow", "modified", "report", "attack", "fail", "partial", "indet",
)  # fmt: skip

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
        return made.time_stamped(make.with_new_field(pdf, name), token or self.token, self.now, name)

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
    "packed": lambda w: w.sign(make.packed_letter()),
    "filled": lambda w: make.filled_with_date(w.base("p2")),
    "sealed": lambda w: w.put_seal(w.base("filled")),
    "two": lambda w: w.put_seal(w.base("approval")),
    "proof": lambda w: make.with_proof(w.base("approval"), w.authority.certificate),
    "stamped": lambda w: w.time_stamp(w.base("p2")),
    "timed": lambda w: w.sign(make.letter(), cms_words={"token": w.token}),
    "image": lambda w: w.sign(make.letter(make.SHADOW_IMAGE)),
    "overlay": lambda w: w.sign(make.letter(make.SHADOW_FORM)),
    "set": lambda w: w.sign(make.letter(make.SHADOW_SET)),
    "shown": lambda w: w.sign(make.letter(make.SHADOW_FIELD)),
    "off-page": lambda w: w.sign(make.letter(make.SHADOW_OFF_PAGE)),
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
    Row("untouched", lambda pdf: pdf, f"{SIGNED} locked packed sealed two timed stamped own", HONEST),
    Row("proof-added", lambda pdf: make.with_proof(pdf, b"0"), f"{SIGNED} sealed", HONEST, "long-term-data"),
    Row("filled-as-allowed", make.filled_with_date, "p2 p3", HONEST, "field-filled"),
    Row("another-field-filled", lambda pdf: make.filled(pdf, make.DATE, b"ngay 5"), "locked", REPORT, "field-filled"),
    Row("written-again", make.written_again, f"{SIGNED} sealed", HONEST, "written-again"),
    Row("unused-object", make.with_unused_object, f"{SIGNED} sealed", HONEST, "unused-object"),
    Row("freed-number", make.with_freed_number, f"{SIGNED} sealed", HONEST),
    Row("cr-line-ends", make.with_cr_line_ends, f"{SIGNED} sealed", HONEST),
    Row("new-metadata", make.with_new_metadata, "approval p2 p3 sealed", HONEST, "metadata"),
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
    Row("wrapped", make.wrapped, "approval", ATTACK),
    Row("gap-wider", make.more_in_the_gap, "approval p2", ATTACK),
    Row("gap-holds-an-entry", make.comment_in_the_gap, "approval p2 sealed", ATTACK),
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
    Row("second-generation", make.second_generation, f"{SIGNED} sealed", ATTACK, "generation"),
    Row("hybrid-elsewhere", make.hybrid_elsewhere, SIGNED, REPORT, "views-differ"),
    Row("hybrid-only-in-the-stream", make.hybrid_only_in_the_stream, SIGNED, MODIFIED, "page-content"),
    Row("container-overwritten", make.container_overwritten, "packed", ATTACK, "object-stream"),
    # -- shadow: prepared, then switched --
    Row("prepared", lambda pdf: pdf, "image overlay set shown off-page", SHADOW),
    Row("hide-image-freed", make.image_freed, "image", MODIFIED, "page-content"),
    Row("hide-image-pointed-at-nothing", make.image_pointed_at_nothing, "image", MODIFIED),
    Row("hide-form-emptied", make.form_emptied, "overlay", MODIFIED, "page-content"),
    Row("replace-picture-overwritten", make.shown_value_overwritten, "shown", MODIFIED),
    Row("replace-picture-exchanged", make.shown_value_exchanged, "shown", MODIFIED),
    Row("replace-field-shown", make.hidden_field_shown, "off-page", MODIFIED),
    Row("hide-and-replace-catalog", make.catalog_switched, "set", MODIFIED, "catalog"),
    Row("hide-and-replace-kids", make.kids_switched, "set", MODIFIED, "page-tree"),
    Row("hide-and-replace-entry", make.entry_switched, "set", MODIFIED, "page-content"),
    # -- permitted changes misused --
    *(
        Row(f"annotation-{kind.decode().lower()}", make.annotation_over_text(kind), f"{SIGNED} sealed", REPORT)
        for kind in (b"FreeText", b"Stamp", b"Redact", b"Link", b"Square", b"Popup", b"Watermark", b"Widget")
    ),
    Row("field-over-text", make.field_over_text, f"{SIGNED} sealed", REPORT, "field-added"),
    Row("second-widget-over-text", make.widget_of_a_field_over_text, SIGNED, REPORT),
    Row("filled-otherwise-than-shown", make.filled_otherwise_than_shown, "approval p2 p3", REPORT,
        "value-picture-differ"),
    Row("filled-and-enlarged", make.filled_and_enlarged, "approval p2 p3", MODIFIED, "field-moved"),
    Row("filled-enlarging", make.filled_in_one_step_enlarged, "approval p2 p3", MODIFIED, "field-moved"),
    Row("filled-although-nothing-may", make.filled, "p1", MODIFIED, "field-filled"),
    Row("locked-field-filled", make.filled, "locked", MODIFIED, "field-filled"),
    Row("filled-without-permission", make.filled, "approval", REPORT, "field-filled"),
    Row("number-changed", make.filled_again, "filled sealed", MODIFIED, "field-changed"),
    Row("picture-of-the-number-overwritten", make.filled_again_in_place, "filled sealed", MODIFIED),
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


def cases() -> Iterator[object]:
    for row in ROWS:
        for base in row.bases.split():
            name = f"{row.name}-{base}"
            known = OPEN.get(name) or OPEN.get(row.name)
            marks = [pytest.mark.xfail(strict=True, reason=known)] if known else []
            yield pytest.param(row, base, id=name, marks=marks)


OPEN: dict[str, str] = {}
"""Where the verifier is not yet as it should be, and why."""


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
    if expect in (HONEST, SHADOW):
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
