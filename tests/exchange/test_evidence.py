"""A pack proves its claims offline; nothing done to it turns a claim that was not proven into a proven one.

The ledger, the log key's voucher and the time stamps are real ones of the pilot authority. Only the PDF's own check is
a stand-in here (`read_letter`): it is `signing`'s business and tested there.
"""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import PackUnreadable
from exchange.proof.archive import PackLimits, read_archive, write_archive
from exchange.proof.claims import Outcome
from exchange.proof.evidence import (
    MANIFEST,
    Consistency,
    LogKey,
    PackContents,
    PackedEvent,
    PackedRecipient,
    PackReport,
    build_pack,
    check_pack,
    vouch,
)
from exchange.proof.ledger import (
    append,
    audit_path,
    checkpoint_text,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    note_text,
    recipient_entry,
    root_of,
    sign_note,
    verifier_key,
)
from exchange.proof.lint import CODES, finding
from exchange.rules.model import Checkpoint
from keys.authority import PilotAuthority
from keys.model import RevocationData, TrustMaterial
from keys.signer import VaultSigner
from keys.timestamps import OnlineTsa
from signing.model import Indication, OfficeMatch, Report, TwoSignatures, Verdict

ORIGIN = "vidu.example/so-cai"
SENDER, RECEIVER, OTHER = "H99.05", "H99.05.11", "H99.05.12"
PDF = b"%PDF-1.7 15/QD-UBND 05/8/2026"
PDF_SHA256 = hashlib.sha256(PDF).hexdigest()


def read_letter(
    pdf: bytes,
    *,
    at: datetime,
    trust: TrustMaterial,
    revocation: RevocationData,
    office_code: str | None = None,
) -> Report:
    """What the real verifier would say of the letter above; any other bytes are an invalid one."""
    good = pdf.startswith(b"%PDF-1.7 ") and bool(trust.anchors)
    number, day = pdf.decode("latin-1").split(" ")[1:3] if good else (None, None)
    return Report(
        file_sha256=hashlib.sha256(pdf).hexdigest(),
        file_size=len(pdf),
        at=at,
        verdict=Verdict.VALID if good else Verdict.INVALID,
        indication=Indication.TOTAL_PASSED if good else None,
        sub_indication=None,
        two_signatures=TwoSignatures.COMPLETE,
        office_match=OfficeMatch.MATCH if office_code == SENDER else OfficeMatch.UNKNOWN,
        number=number,
        date=day,
        pages=1,
        signatures=(),
        findings=(),
        inputs_sha256="0" * 64,
    )


class Hub:
    """A small service: records events, keeps the tree, makes checkpoints and packs."""

    def __init__(self, authority: PilotAuthority, stamp: Callable[[bytes], bytes], service: VaultSigner) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.authority, self.stamp, self.service = authority, stamp, service
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.bodies: list[bytes] = []
        self.checkpoints: list[Checkpoint] = []
        self.before: dict[str, str] = {}
        self.at = datetime.now(UTC) - timedelta(seconds=30)
        entries = [recipient_entry(office, office.encode() * 3) for office in (OTHER, RECEIVER, "H99.02")]
        self.entries, self.list_root = entries, merkle_root(entries).hex()

    def node(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def record(self, type_: str, *, delivery: str | None = None, office: str = RECEIVER, **more: object) -> None:
        body = {
            "v": 1,
            "id": f"evt_{len(self.bodies)}",
            "type": type_,
            "at": (self.at + timedelta(milliseconds=len(self.bodies))).isoformat(timespec="milliseconds"),
            "subject": {"document": "doc_1", "consignment": "con_1" if delivery else None, "delivery": delivery},
            "actor": {"office": SENDER, "role": "clerk", "id": "p_1"},
            "parties": {"sender": SENDER, "recipient": office if delivery else None},
            "files": [{"sha256": PDF_SHA256, "size": len(PDF)}],
            "reason": None,
            "data": {},
            "prev": self.before.get(delivery or ""),
            **more,
        }
        self.bodies.append(rfc8785.dumps(body))
        leaf = leaf_hash(self.bodies[-1])
        for level, index, value in append(len(self.bodies) - 1, [leaf], self.node):
            self.nodes[level, index] = value
        if delivery:
            self.before[delivery] = leaf.hex()

    def checkpoint(self, *, stamped: bool = True) -> None:
        size = len(self.bodies)
        root = root_of(size, self.node)
        note = sign_note(checkpoint_text(ORIGIN, size, root), ORIGIN, self.key)
        token = self.stamp(hashlib.sha256(note_text(note)).digest()) if stamped else None
        self.checkpoints.append(Checkpoint(size, root, note, self.at, token))

    def story(self, *, stamped: bool = True) -> None:
        """Numbered, issued, in two boxes; the receiver registers and completes, the other refuses."""
        self.record("clock.warned", subject={"document": "doc_other"})
        self.record("document.numbered", data={"n": 15, "written": "15/QD-UBND", "date": "2026-08-05", "series": "qd"})
        self.record("document.issued")
        listed = {"recipients_root": self.list_root, "recipients_count": 3}
        subject = {"document": "doc_1", "consignment": "con_1", "delivery": None}
        self.record("consignment.submitted", data=listed, subject=subject)
        self.record("delivery.consigned", delivery="dlv_1")
        self.record("delivery.consigned", delivery="dlv_2", office=OTHER)
        self.checkpoint(stamped=stamped)
        self.record("delivery.opened", delivery="dlv_1")
        registered = {"incoming_book": "den", "incoming_number": 128, "incoming_date": "2026-08-05"}
        self.record("delivery.registered", delivery="dlv_1", data=registered)
        self.record("delivery.refused", delivery="dlv_2", office=OTHER, reason="không đúng thẩm quyền", code="02")
        self.record("delivery.completed", delivery="dlv_1")
        self.checkpoint(stamped=stamped)

    def contents(self) -> PackContents:
        mine = [n for n, body in enumerate(self.bodies) if b'"doc_1"' in body]
        sizes = [checkpoint.size for checkpoint in self.checkpoints]
        return PackContents(
            document="doc_1",
            made_for=SENDER,
            made_at=self.at,
            events=tuple(
                PackedEvent(self.bodies[n], n, {s: inclusion_proof(n, s, self.node) for s in sizes if n < s})
                for n in mine
            ),
            checkpoints=tuple(self.checkpoints),
            consistency=tuple(
                Consistency(old, new, consistency_proof(old, new, self.node)) for old, new in pairwise(sizes)
            ),
            log_keys=(vouch(self.service, verifier_key(ORIGIN, self.key)),),
            pdf=PDF,
            recipients=tuple(PackedRecipient(self.entries[n], n, 3, audit_path(self.entries, n)) for n in range(2)),
            certificates=self.authority.chain,
        )


@pytest.fixture(scope="module")
def service(authority: PilotAuthority) -> VaultSigner:
    key = rsa.generate_private_key(65537, 2048)
    at = datetime.now(UTC) - timedelta(hours=1)
    return VaultSigner(key, authority.service("Công Văn", "Sổ cái", key.public_key(), at), authority.chain)


@pytest.fixture(scope="module")
def stamp(pilot_server, authority: PilotAuthority) -> Callable[[bytes], bytes]:
    return OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate]).stamp


@pytest.fixture
def hub(authority: PilotAuthority, stamp: Callable[[bytes], bytes], service: VaultSigner) -> Hub:
    return Hub(authority, stamp, service)


def check(hub: Hub, pack: bytes | PackContents, **more) -> PackReport:
    data = build_pack(pack) if isinstance(pack, PackContents) else pack
    return check_pack(data, [hub.authority.certificate], verify=read_letter, **more)


def outcomes(report: PackReport) -> dict[tuple[str, str | None], Outcome]:
    return {(claim.code, claim.delivery): claim.outcome for claim in report.claims}


def codes(report: PackReport) -> set[str]:
    return {one.code for one in report.findings}


def test_a_whole_story_is_proven_offline(hub: Hub):
    hub.story()
    report = check(hub, hub.contents())
    assert set(outcomes(report).values()) - {Outcome.PROVEN} == {Outcome.NOT_PROVEN}
    assert [claim.code for claim in report.claims if claim.outcome is Outcome.NOT_PROVEN] == ["registered"]
    assert outcomes(report)["registered", "dlv_2"] is Outcome.NOT_PROVEN
    words = {claim.words.en for claim in report.claims if claim.outcome is Outcome.PROVEN}
    assert "Issued by H99.05 under number 15/QD-UBND on 2026-08-05" in words
    assert "Addressed to H99.05.11" in words
    assert "In the box of H99.05.11" in words
    assert "Registered by H99.05.11 as 128 on 2026-08-05" in words
    assert "Refused by H99.05.12: không đúng thẩm quyền" in words
    assert "Completed by H99.05.11" in words
    assert any(sentence.startswith("Sent before ") for sentence in words)
    assert report.findings == ()
    assert report.services == ("Công Văn",)


def test_equal_contents_give_equal_bytes(hub: Hub):
    hub.story()
    assert build_pack(hub.contents()) == build_pack(hub.contents())


def test_sent_before_a_named_moment(hub: Hub):
    hub.story()
    pack = build_pack(hub.contents())
    later, earlier = hub.at + timedelta(hours=1), hub.at - timedelta(hours=1)
    between = hub.at + timedelta(seconds=2)
    assert outcomes(check(hub, pack, sent_before=later))["sent", None] is Outcome.PROVEN
    assert outcomes(check(hub, pack, sent_before=earlier))["sent", None] is Outcome.CONTRADICTED
    assert outcomes(check(hub, pack, sent_before=between))["sent", None] is Outcome.NOT_PROVEN


def test_an_event_dated_after_its_own_stamp_is_contradicted(hub: Hub):
    hub.at += timedelta(hours=2)
    hub.story()
    assert outcomes(check(hub, hub.contents()))["sent", None] is Outcome.CONTRADICTED


def test_without_a_stamp_the_time_is_pending_and_the_rest_stands(hub: Hub):
    hub.story(stamped=False)
    report = check(hub, hub.contents(), at=datetime.now(UTC))
    assert outcomes(report)["sent", None] is Outcome.NOT_PROVEN
    assert outcomes(report)["registered", "dlv_1"] is Outcome.PROVEN
    assert "time-pending" in codes(report)


def test_a_stranger_to_the_user_proves_nothing(hub: Hub):
    hub.story()
    other = PilotAuthority.create(datetime.now(UTC), key_size=2048)
    report = check_pack(build_pack(hub.contents()), [other.certificate], verify=read_letter)
    assert Outcome.PROVEN not in outcomes(report).values()
    assert "log-key-untrusted" in codes(report)


def test_the_log_key_itself_can_be_what_the_user_trusts(hub: Hub):
    hub.story(stamped=False)
    contents = replace(hub.contents(), log_keys=())
    anchors = [hub.authority.certificate, verifier_key(ORIGIN, hub.key).text.encode()]
    report = check_pack(build_pack(contents), anchors, verify=read_letter, at=datetime.now(UTC))
    assert outcomes(report)["registered", "dlv_1"] is Outcome.PROVEN
    assert Outcome.PROVEN not in outcomes(check(hub, contents)).values()


def test_a_clerk_cannot_vouch_for_a_ledger_of_their_own(hub: Hub, seal_key: VaultSigner, leader_key: VaultSigner):
    hub.story()
    key = verifier_key(ORIGIN, hub.key)
    for signer in (seal_key, leader_key):
        report = check(hub, replace(hub.contents(), log_keys=(vouch(signer, key),)))
        assert Outcome.PROVEN not in outcomes(report).values()
    foreign = LogKey(key.text, hub.service.certificate, hub.service.chain, seal_key.sign(b"anything"))
    assert "log-key-untrusted" in codes(check(hub, replace(hub.contents(), log_keys=(foreign,))))


def test_another_file_contradicts_the_issue(hub: Hub):
    hub.story()
    report = check(hub, replace(hub.contents(), pdf=PDF + b" "))
    assert outcomes(report)["issued", None] is Outcome.CONTRADICTED


@pytest.mark.parametrize(("written", "day"), [("16/QD-UBND", "2026-08-05"), ("15/QD-UBND", "2026-08-06")])
def test_a_file_with_another_number_or_day_contradicts_the_issue(hub: Hub, written: str, day: str):
    hub.record("document.numbered", data={"n": 15, "written": written, "date": day})
    hub.record("document.issued")
    hub.checkpoint()
    assert outcomes(check(hub, hub.contents()))["issued", None] is Outcome.CONTRADICTED


def test_two_registrations_are_contradicted(hub: Hub):
    hub.story()
    hub.record("delivery.registered", delivery="dlv_1", data={"incoming_number": 129, "incoming_date": "2026-08-06"})
    hub.checkpoint()
    report = check(hub, hub.contents())
    assert outcomes(report)["registered", "dlv_1"] is Outcome.CONTRADICTED
    assert {"repeated-event", "rank-fell"} <= codes(report)


def test_registration_after_an_end_is_contradicted(hub: Hub):
    hub.story()
    hub.record("delivery.registered", delivery="dlv_2", office=OTHER, data={"incoming_number": 5})
    hub.checkpoint()
    assert outcomes(check(hub, hub.contents()))["registered", "dlv_2"] is Outcome.CONTRADICTED


def test_a_pack_without_one_event_of_the_chain_proves_nothing_behind_the_gap(hub: Hub):
    hub.story()
    contents = hub.contents()
    events = tuple(event for event in contents.events if b"delivery.opened" not in event.body)
    found = outcomes(check(hub, replace(contents, events=events)))
    assert found["in_box", "dlv_1"] is Outcome.PROVEN
    assert found["registered", "dlv_1"] is found["completed", "dlv_1"] is Outcome.NOT_PROVEN


def test_a_recipient_of_another_list_is_contradicted(hub: Hub):
    hub.story()
    entry = recipient_entry(RECEIVER, b"x" * 16)
    forged = PackedRecipient(entry, 1, 3, audit_path(hub.entries, 1))
    report = check(hub, replace(hub.contents(), recipients=(forged,)))
    assert outcomes(report)["addressed", "dlv_1"] is Outcome.CONTRADICTED
    assert outcomes(report)["addressed", "dlv_2"] is Outcome.NOT_PROVEN


def test_a_rewritten_ledger_proves_nothing(hub: Hub):
    hub.story()
    contents = hub.contents()
    first = contents.checkpoints[0]
    note = sign_note(checkpoint_text(ORIGIN, first.size, bytes(32)), ORIGIN, hub.key)
    report = check(hub, replace(contents, checkpoints=(replace(first, note=note, stamp=None), contents.checkpoints[1])))
    assert Outcome.PROVEN not in outcomes(report).values()
    assert "checkpoints-inconsistent" in codes(report)


def test_a_stamp_over_something_else_is_refused(hub: Hub):
    hub.story()
    contents = hub.contents()
    first, last = contents.checkpoints
    report = check(hub, replace(contents, checkpoints=(replace(first, stamp=last.stamp), last)))
    assert "stamp-refused" in codes(report)
    assert outcomes(report)["sent", None] is Outcome.PROVEN  # the later stamp still stands above it


def test_events_of_another_document_do_not_count(hub: Hub):
    hub.story()
    report = check(hub, replace(hub.contents(), document="doc_2"))
    assert Outcome.PROVEN not in outcomes(report).values()
    assert "event-of-another" in codes(report)


def repacked(pack: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The pack with one file changed and a manifest that agrees: what a forger would do."""
    files = read_archive(pack)
    files[name] = change(files[name])
    manifest = json.loads(files[MANIFEST])
    for entry in manifest["files"]:
        data = files[entry["path"]]
        entry.update(size=len(data), sha256=hashlib.sha256(data).hexdigest())
    files[MANIFEST] = rfc8785.dumps(manifest)
    return write_archive(files)


def weak_pack(hub: Hub) -> bytes:
    """A pack in which nearly every claim misses something."""
    hub.story(stamped=False)
    contents = hub.contents()
    events = tuple(event for event in contents.events if b"delivery.opened" not in event.body)
    return build_pack(replace(contents, events=events, recipients=()))


@pytest.mark.parametrize("strong", [True, False])
def test_no_flipped_byte_proves_more(hub: Hub, strong: bool):
    if strong:
        hub.story()
    pack = build_pack(hub.contents()) if strong else weak_pack(hub)
    proven = {key for key, outcome in outcomes(check(hub, pack)).items() if outcome is Outcome.PROVEN}
    dice = random.Random(6962)
    for _ in range(400):
        at = dice.randrange(len(pack))
        changed = pack[:at] + bytes([pack[at] ^ 1 << dice.randrange(8)]) + pack[at + 1 :]
        try:
            report = check(hub, changed)
        except PackUnreadable:
            continue
        assert {key for key, outcome in outcomes(report).items() if outcome is Outcome.PROVEN} <= proven


@pytest.mark.parametrize("strong", [True, False])
def test_no_flipped_byte_under_a_fitting_manifest_proves_more(hub: Hub, strong: bool):
    if strong:
        hub.story()
    pack = build_pack(hub.contents()) if strong else weak_pack(hub)
    before = check(hub, pack)
    proven = {claim for claim in before.claims if claim.outcome is Outcome.PROVEN}
    facts = {(claim.code, claim.words, claim.delivery) for claim in proven}
    dice = random.Random(3161)
    names = [name for name in read_archive(pack) if name != MANIFEST]
    for _ in range(300):

        def flip(data: bytes) -> bytes:
            at = dice.randrange(len(data))
            return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]

        report = check(hub, repacked(pack, dice.choice(names), flip))
        for claim in report.claims:
            if claim.outcome is Outcome.PROVEN and claim.code != "sent":
                assert (claim.code, claim.words, claim.delivery) in facts
            elif claim.outcome is Outcome.PROVEN:
                assert any(other.code == "sent" for other in proven)


def zipped(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    "pack",
    [
        b"",
        b"PK",
        b"%PDF-1.7",
        b"#!/bin/sh\n" + zipped((MANIFEST, b"{}")),
        zipped((MANIFEST, b"{}")),
        zipped((MANIFEST, b"[]")),
        zipped(("../evil", b"")),
        zipped(("/etc/passwd", b"")),
        zipped(("a\\b", b"")),
        zipped(("a/", b"")),
        zipped(("A", b""), ("a", b"")),
        zipped(("other", b"")),
    ],
)
def test_what_is_no_pack_is_unreadable(pack: bytes):
    with pytest.raises(PackUnreadable):
        check_pack(pack, [], verify=read_letter)


def test_a_pack_beyond_its_bounds_is_unreadable():
    bomb = zipped(("a", bytes(1_000_000)))
    for limits in (PackLimits(total=999_999), PackLimits(one=999_999), PackLimits(entries=0)):
        with pytest.raises(PackUnreadable):
            read_archive(bomb, limits)


def test_a_zip_that_lies_about_its_sizes_is_unreadable():
    bomb = bytearray(zipped(("a", bytes(1_000_000))))
    central = bomb.rindex(b"PK\x01\x02")
    bomb[central + 24 : central + 28] = (10).to_bytes(4, "little")
    with pytest.raises(PackUnreadable):
        read_archive(bytes(bomb))


def test_every_finding_has_both_languages():
    gaps = dict.fromkeys(("name", "size", "old", "new", "why", "type"), "x")
    for code in CODES:
        words = finding(code, **gaps).words
        assert words.vi
        assert words.en
        assert words.vi != words.en
