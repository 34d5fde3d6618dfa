"""Brings documents and deliveries to any state through the real acts, with files that nobody opens.

What an act needs of a PDF is handed in as a value (`values.py`): rows, events and jobs are the real ones.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from api.wiring import Parts, Writing
from exchange.acts import attach, desk, issue, receive, send
from exchange.acts.signature import MadeSignature
from exchange.rules.model import Delivery, Document, Draft, RecipientSpec, Series
from signing.model import PreparedSignature, SignaturePurpose
from tests.exchange.values import (
    AT,
    CLERK,
    DAY,
    LEADER,
    LEADER_CERTIFICATE,
    OFFICE,
    OFFICER,
    OTHER,
    RECEIVER,
    SEAL_CERTIFICATE,
    arrival_report,
    file,
    led,
    office,
    reading,
    sealed,
    signed_file,
)

LEAD = replace(RECEIVER, id="p_lead")
RECIPIENTS = (OTHER, "H99.05.12", "H99.05.13")
ROAD = ("draft", "submit", "sign", "number", "seal", "issue")
DESK = ("register", "assign", "start", "complete")


class Walk:
    """One service, one district; each act is its own function of (writing, subject) so that a test may disturb it."""

    def __init__(self, parts: Parts, *, keeps_files: bool = False) -> None:
        self.parts, self._keeps_files = parts, keeps_files
        self._steps = count()
        with parts.write() as writing:
            writing.tx.store.add_office(office(OFFICE))
            for code in RECIPIENTS:
                writing.tx.store.add_office(office(code, OFFICE))
            writing.tx.store.add_series(Series("ser_qd", OFFICE, DAY.year, "qd", "Quyết định", "{n}/QĐ-UBND"))

    def at(self) -> datetime:
        """A moment after the one before."""
        return AT + timedelta(seconds=next(self._steps))

    def _bytes(self, content: bytes) -> bytes:
        """The content of a file; kept where a test is about what is kept."""
        if self._keeps_files:
            self.parts.blobs.put(content)
        return content

    # -- acts on documents --

    def draft(self, writing: Writing, _: None = None) -> Document:
        wanted = Draft("QĐ", "Về việc tiếp công dân", LEADER.id)
        prepared = issue.PreparedFile(file(content=self._bytes(b"%PDF-1.7")), reading())
        return issue.draft(writing.tx, OFFICER, wanted, "Nguyễn Văn An", prepared, at=self.at())[0]

    def edit(self, writing: Writing, here: Document) -> Document:
        wanted = Draft("CV", "Về việc khác", LEADER.id)
        prepared = issue.PreparedFile(file(content=self._bytes(b"another")), reading())
        return issue.edit(
            writing.tx, OFFICER, here.id, here.version, wanted, "Nguyễn Văn An", prepared, at=self.at()
        )[0]  # fmt: skip

    def attach(self, writing: Writing, here: Document) -> Document:
        sheet = replace(
            file("so-lieu.csv", self._bytes(f"sheet {here.id} {here.version}".encode())), media_type="text/csv"
        )
        return attach.attach(writing.tx, OFFICER, here.id, here.version, sheet, at=self.at())[0]

    def submit(self, writing: Writing, here: Document) -> Document:
        return issue.submit(writing.tx, OFFICER, here.id, here.version, at=self.at())[0]

    def sign(self, writing: Writing, here: Document) -> Document:
        signed = signed_file(led(), LEADER_CERTIFICATE, self._bytes(f"signed {here.id} {here.version}".encode()))
        return issue.sign(writing.tx, LEADER, here.id, here.version, signed, at=self.at())[0]

    def hold(self, writing: Writing, here: Document) -> Document:
        prepared = PreparedSignature(b"prepared", b"d" * 32, 1, 2, b"attributes")
        made = MadeSignature(SignaturePurpose.LEADER, file(), prepared, b"signature", LEADER_CERTIFICATE, (b"ca",))
        return issue.hold_signature(writing.tx, LEADER, here.id, here.version, made, "ab" * 32, at=self.at())

    def finish_held(self, writing: Writing, here: Document) -> Document:
        signed = signed_file(led(), LEADER_CERTIFICATE, f"held {here.id}".encode())
        assert here.pending_signature is not None
        after = issue.finish_held(writing.tx, here.pending_signature, signed, at=self.at())
        assert after is not None
        return after

    def number(self, writing: Writing, here: Document) -> Document:
        expected = issue.next_number(writing.tx.store, CLERK, "qd", DAY)
        filled = file(content=self._bytes(f"numbered {here.id} {here.version}".encode()))
        return issue.number(
            writing.tx, CLERK, here.id, here.version, "qd", DAY, filled, expected, at=self.at()
        )[0]  # fmt: skip

    def seal(self, writing: Writing, here: Document) -> Document:
        signed = signed_file(sealed(), SEAL_CERTIFICATE, self._bytes(f"sealed {here.id} {here.version}".encode()))
        return issue.seal(writing.tx, CLERK, here.id, here.version, signed, at=self.at())[0]

    def issue(self, writing: Writing, here: Document) -> Document:
        return self.send(writing, here, [RecipientSpec(under=OFFICE)])[0]

    def send(self, writing: Writing, here: Document, specs: Sequence[RecipientSpec]) -> tuple[Document, list[Delivery]]:
        after, _, deliveries, _ = send.issue(
            writing.tx, CLERK, here.id, here.version, specs, report=sealed(), on=DAY, at=self.at()
        )
        return after, deliveries

    def return_(self, writing: Writing, here: Document) -> Document:
        actor = LEADER if here.state == "waiting_signature" else CLERK
        return issue.return_(writing.tx, actor, here.id, here.version, "Thiếu phụ lục", at=self.at())[0]

    def cancel(self, writing: Writing, here: Document) -> Document:
        actor = CLERK if here.state in ("signed", "numbered", "sealed") else OFFICER
        return issue.cancel(writing.tx, actor, here.id, here.version, "Không cần nữa", at=self.at())[0]

    # -- acts on deliveries --

    def open(self, writing: Writing, here: Delivery) -> Delivery:
        return receive.opened(writing.tx, RECEIVER, here.id, at=self.at())[0]

    def register(self, writing: Writing, here: Delivery) -> Delivery:
        report = arrival_report()
        sent = receive.sent_file(writing.tx.store, here)
        stored = replace(report, file=sent.sha256, sha256=here.id[-32:] * 2)
        return receive.register(
            writing.tx, RECEIVER, here.id, here.version, sha256=sent.sha256, report=stored, incoming_date=DAY,
            at=self.at(),
        )[0]  # fmt: skip

    def assign(self, writing: Writing, here: Delivery) -> Delivery:
        return desk.assign(
            writing.tx, RECEIVER, here.id, here.version, lead=LEAD.id, instruction="Tham mưu", at=self.at()
        )[0]  # fmt: skip

    def start(self, writing: Writing, here: Delivery) -> Delivery:
        return desk.start(writing.tx, LEAD, here.id, here.version, at=self.at())[0]

    def complete(self, writing: Writing, here: Delivery) -> Delivery:
        return desk.complete(writing.tx, RECEIVER, here.id, here.version, at=self.at())[0]

    def refuse(self, writing: Writing, here: Delivery) -> Delivery:
        return receive.refuse(
            writing.tx, RECEIVER, here.id, here.version, reason_code="wrong-recipient", reason="Gửi nhầm", at=self.at()
        )[0]  # fmt: skip

    # -- ways --

    def do(self, act: str, here: Document | None = None) -> Document:
        """One act on a document in a transaction of its own."""
        with self.parts.write() as writing:
            done: Document = getattr(self, act)(writing, here)
            return done

    def do_delivery(self, act: str, here: Delivery) -> Delivery:
        """One act on a delivery in a transaction of its own."""
        with self.parts.write() as writing:
            done: Delivery = getattr(self, act)(writing, here)
            return done

    def after(self, *acts: str) -> Document:
        """A new document that went this way."""
        here = self.do("draft")
        for act in acts:
            here = self.do(act, here)
        return here

    def up_to(self, last: str) -> Document:
        """A new document on the straight road up to the act `last`."""
        return self.after(*ROAD[1 : ROAD.index(last) + 1])

    def arrival(self, *acts: str) -> Delivery:
        """A new arrival at `OTHER` that went this way."""
        document = self.up_to("seal")
        with self.parts.write() as writing:
            _, (here,) = self.send(writing, document, [RecipientSpec(office=OTHER)])
        for act in acts:
            here = self.do_delivery(act, here)
        return here
