"""Evidence packs: a zip that proves without us. Made from values handed in, checked offline against the user's anchors.

Layout: `META-INF/manifest.json`, `document/`, `events/`, `proofs/`, `checkpoints/`, `recipients/`, `reports/`,
`trust/`, `policy/`. What stands in `trust/` only helps to build chains: whom to believe, the user says.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Protocol

import rfc8785

from exchange.errors import PackUnreadable
from exchange.proof.archive import PackLimits, read_archive, write_archive
from exchange.proof.claims import Claim, Facts, ListedRecipient, ProvenEvent, judge, weakened
from exchange.proof.ledger import (
    VerifierKey,
    check_consistency,
    check_inclusion,
    leaf_hash,
    note_text,
    open_note,
    read_checkpoint,
    read_verifier_key,
)
from exchange.proof.lint import PackFinding, finding, lint
from exchange.proof.stamps import checked_time
from exchange.rules.model import Checkpoint
from keys.certificates import read_certificate, signed_by
from keys.errors import KeysError, Words
from keys.model import Anchor, Purpose, RevocationData, Signer, TrustMaterial, TrustWorld
from keys.trust import chain_of
from signing.errors import SigningError
from signing.model import Report

MANIFEST = "META-INF/manifest.json"
FORMAT = "congvan-evidence-pack-1"
LIMITS_OF_PROOF = Words(
    "Sổ cái chứng minh hệ thống đã ghi nhận điều gì, theo thứ tự nào, và không bị sửa từ lúc có dấu thời gian. "
    "Sổ cái không chứng minh rằng có người đã đọc hay hiểu, rằng trạng thái do hệ thống khác báo là đúng, "
    "hay rằng không có điều gì bị bỏ ghi trước dấu thời gian.",
    "The ledger proves what this service recorded, in which order, unchanged since the stamp. It does not prove that a "
    "person read or understood, that a foreign status is true, or that nothing was left unrecorded before the stamp.",
)
_VOUCHED = b"congvan log key\n"


class Verify(Protocol):
    """`signing.verify.verify_pdf`, handed in."""

    def __call__(
        self,
        pdf: bytes,
        *,
        at: datetime,
        trust: TrustMaterial,
        revocation: RevocationData,
        office_code: str | None = None,
    ) -> Report: ...


# -- what goes into a pack --


@dataclass(frozen=True, slots=True)
class LogKey:
    """A public log key (`key`: its C2SP text) and the service certificate whose signature vouches for it, if any."""

    key: str
    certificate: bytes | None = None
    chain: tuple[bytes, ...] = ()
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class PackedEvent:
    """Exact leaf bytes, index, and an audit path for each checkpoint of the pack that is named (tree size → path)."""

    body: bytes
    index: int
    paths: Mapping[int, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class PackedRecipient:
    """A line of the frozen list with its place and its path to the root in the event."""

    entry: bytes
    index: int
    size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The proof that the checkpoint of `new` leaves continues that of `old`."""

    old: int
    new: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PackContents:
    """All that a pack is made of. `made_for` is an office's code; `reports` are bodies of kept reports."""

    document: str
    made_for: str
    made_at: datetime
    events: tuple[PackedEvent, ...]
    checkpoints: tuple[Checkpoint, ...]
    consistency: tuple[Consistency, ...] = ()
    log_keys: tuple[LogKey, ...] = ()
    pdf: bytes | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()
    """Separate files sent with it, in order: ending of the name, bytes."""
    recipients: tuple[PackedRecipient, ...] = ()
    reports: tuple[bytes, ...] = ()
    certificates: tuple[bytes, ...] = ()
    revocation: RevocationData = field(default_factory=RevocationData)


def vouch(signer: Signer, key: VerifierKey) -> LogKey:
    """The log key with the word of a service's certificate for it: a signature over its C2SP text."""
    return LogKey(key.text, signer.certificate, signer.chain, signer.sign(_VOUCHED + key.text.encode()))


def build_pack(contents: PackContents) -> bytes:
    """The pack as zip bytes; the same contents give the same bytes."""
    files = dict(_files_of(contents))
    files[MANIFEST] = _manifest(contents, files)
    return write_archive(files)


def _files_of(contents: PackContents) -> Iterable[tuple[str, bytes]]:
    if contents.pdf is not None:
        yield "document/document.pdf", contents.pdf
    for n, (ending, data) in enumerate(contents.attachments, 1):
        yield f"document/attachments/{n:03d}.{ending}", data
    for event in contents.events:
        name = f"{event.index:012d}.json"
        paths: list[Any] = [{"size": size, "path": _hexes(path)} for size, path in sorted(event.paths.items())]
        yield f"events/{name}", event.body
        yield f"proofs/{name}", rfc8785.dumps({"index": event.index, "paths": paths})
    for checkpoint in contents.checkpoints:
        yield f"checkpoints/{checkpoint.size:012d}.txt", checkpoint.note
        if checkpoint.stamp:
            yield f"checkpoints/{checkpoint.size:012d}.tsr", checkpoint.stamp
    steps: list[Any] = [{"old": step.old, "new": step.new, "path": _hexes(step.path)} for step in contents.consistency]
    yield "checkpoints/consistency.json", rfc8785.dumps(steps)
    for line in contents.recipients:
        yield f"recipients/{line.index:06d}.json", rfc8785.dumps(_recipient_json(line))
    for report in contents.reports:
        yield f"reports/{hashlib.sha256(report).hexdigest()}.json", report
    yield from _trust_files(contents)
    yield "policy/limits.txt", f"{LIMITS_OF_PROOF.vi}\n\n{LIMITS_OF_PROOF.en}\n".encode()


def _trust_files(contents: PackContents) -> Iterable[tuple[str, bytes]]:
    revocation = contents.revocation
    for ending, values in (
        ("cer", (*contents.certificates, *revocation.certificates)),
        ("crl", revocation.crls),
        ("ocsp", revocation.ocsps),
    ):
        for value in values:
            yield f"trust/{hashlib.sha256(value).hexdigest()}.{ending}", value
    yield "trust/log-keys.json", rfc8785.dumps([_log_key_json(key) for key in contents.log_keys])


def _recipient_json(line: PackedRecipient) -> dict[str, Any]:
    return {"entry": line.entry.decode(), "index": line.index, "size": line.size, "path": _hexes(line.path)}


def _log_key_json(key: LogKey) -> dict[str, Any]:
    return {
        "key": key.key,
        "certificate": _b64(key.certificate),
        "chain": [_b64(der) for der in key.chain],
        "signature": _b64(key.signature),
    }


def _manifest(contents: PackContents, files: Mapping[str, bytes]) -> bytes:
    listed: list[Any] = [
        {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    made_at = contents.made_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"format": FORMAT, "document": contents.document, "made_for": contents.made_for, "made_at": made_at}
    return rfc8785.dumps({**head, "files": listed})


# -- checking --


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a pack proves: `claims` one by one, never a bare "valid"; `findings` beside them.

    `services` are the names in the certificates that vouch for the log, `stamped` the latest outside time found,
    `report` the check of the PDF made anew, `limits` what no pack can prove.
    """

    claims: tuple[Claim, ...]
    findings: tuple[PackFinding, ...]
    document: str
    made_for: str
    services: tuple[str, ...]
    stamped: datetime | None
    report: Report | None
    limits: Words = LIMITS_OF_PROOF


@dataclass(slots=True)
class _Open:
    """A pack under check: its files, what the user trusts, and what was found so far."""

    files: dict[str, bytes]
    trust: TrustMaterial
    known_keys: tuple[VerifierKey, ...]
    findings: list[PackFinding]

    def below(self, folder: str, ending: str) -> list[tuple[str, bytes]]:
        return [
            (name, data)
            for name, data in sorted(self.files.items())
            if name.startswith(folder) and name.endswith(ending)
        ]

    def note(self, code: str, **gaps: str) -> None:
        self.findings.append(finding(code, **gaps))


@dataclass(frozen=True, slots=True)
class _Root:
    """A checkpoint that a trusted log signed, and the time an authority gave it."""

    size: int
    root: bytes
    stamped: datetime | None


def check_pack(
    pack: bytes,
    anchors: Sequence[bytes],
    *,
    verify: Verify,
    at: datetime | None = None,
    sent_before: datetime | None = None,
    limits: PackLimits | None = None,
) -> PackReport:
    """Say of each claim whether the pack proves it, from its bytes and `anchors` alone, without network.

    `anchors` are what the user trusts: certificates (DER), and log keys (C2SP text) that need no certificate then.
    `at` is the moment as of which the PDF is judged; without it, the latest outside time in the pack. `sent_before`
    asks whether it was sent before that moment. Raises `PackUnreadable` for what is not a pack within `limits`.
    """
    files = read_archive(pack, limits)
    manifest, damaged = _check_manifest(files)
    opened = _Open(files, _trust_of(files, anchors), _known_keys(anchors), [])
    for name in damaged:
        opened.note("file-altered", name=name)
    keys, services = _trusted_keys(opened, at)
    roots, whole = _roots(opened, keys)
    events = _events(opened, roots, manifest["document"])
    stamped = max((root.stamped for root in roots if root.stamped), default=None)
    pdf_sha256, report = _judge_pdf(opened, events, verify, at or stamped)
    attachments = tuple(hashlib.sha256(data).hexdigest() for _, data in opened.below("document/attachments/", ""))
    facts = Facts(tuple(events), tuple(_recipients(opened)), pdf_sha256, report, attachments)
    opened.findings.extend(lint(facts))
    claims = judge(facts, sent_before=sent_before)
    if damaged or not whole:
        claims = weakened(claims, _ALTERED if damaged else _SPLIT)
    found = tuple(dict.fromkeys(opened.findings))
    return PackReport(claims, found, manifest["document"], manifest["made_for"], services, stamped, report)


_ALTERED = Words("gói bị thay đổi sau khi lập", "the pack was altered after it was made")
_SPLIT = Words("các mốc sổ cái mâu thuẫn nhau", "the checkpoints of the ledger do not agree")


def _check_manifest(files: dict[str, bytes]) -> tuple[dict[str, str], list[str]]:
    """The manifest's head, and the names of files that are not as it says: these are taken out of `files`."""
    head = _json(files.get(MANIFEST, b""))
    try:
        if head["format"] != FORMAT:
            raise PackUnreadable(why=MANIFEST)
        listed = {str(entry["path"]): (entry["size"], entry["sha256"]) for entry in head["files"]}
        named = {name: str(head[name]) for name in ("document", "made_for")}
    except (KeyError, TypeError) as e:
        raise PackUnreadable(why=MANIFEST) from e
    present = {name: _size_and_hash(data) for name, data in files.items() if name != MANIFEST}
    damaged = sorted(name for name in {*listed, *present} if listed.get(name) != present.get(name))
    for name in damaged:
        files.pop(name, None)
    return named, damaged


def _size_and_hash(data: bytes) -> tuple[int, str]:
    return len(data), hashlib.sha256(data).hexdigest()


def _trust_of(files: Mapping[str, bytes], anchors: Sequence[bytes]) -> TrustMaterial:
    """The user's certificates as anchors; the pack's own only as helpers on the way to them."""
    mine = tuple(Anchor(der, _world(der)) for der in anchors if _is_certificate(der))
    helpers = tuple(data for name, data in sorted(files.items()) if name.startswith("trust/") and name.endswith(".cer"))
    return TrustMaterial(mine, tuple(der for der in helpers if _is_certificate(der)))


def _world(der: bytes) -> TrustWorld:
    return TrustWorld.PILOT if "THỬ NGHIỆM".encode() in der else TrustWorld.OFFICE


def _is_certificate(der: bytes) -> bool:
    try:
        read_certificate(der)
    except KeysError:
        return False
    return True


def _known_keys(anchors: Sequence[bytes]) -> tuple[VerifierKey, ...]:
    texts = (anchor.decode("utf-8", "replace") for anchor in anchors if not anchor.startswith(b"\x30\x82"))
    return tuple(key for text in texts if (key := read_verifier_key(text)))


# -- the log: its key, its roots --


def _trusted_keys(opened: _Open, at: datetime | None) -> tuple[list[VerifierKey], tuple[str, ...]]:
    """Log keys that the user knows or that a trusted service's certificate vouches for, and the services' names."""
    keys, services = list(opened.known_keys), []
    for entry in _list(opened, "trust/log-keys.json"):
        try:
            key = read_verifier_key(str(entry["key"]))
            certificate = _unb64(entry["certificate"])
            chain = tuple(_unb64(der) for der in entry["chain"])
            signature = _unb64(entry["signature"])
        except (KeyError, TypeError, ValueError):
            continue
        if key and (name := _voucher(opened, key, certificate, chain, signature, at)):
            keys.append(key)
            services.append(name)
    if not keys:
        opened.note("log-key-untrusted")
    return keys, tuple(dict.fromkeys(services))


def _voucher(
    opened: _Open, key: VerifierKey, certificate: bytes, chain: tuple[bytes, ...], signature: bytes, at: datetime | None
) -> str | None:
    """The name of the service that vouches for `key`, None when it is not a service that the user trusts.

    Only a certificate *for a service* may: any clerk's certificate under the same anchor could else vouch for a ledger.
    """
    helpers = tuple(der for der in chain if _is_certificate(der))
    trust = TrustMaterial(opened.trust.anchors, (*opened.trust.intermediates, *helpers))
    try:
        read = read_certificate(certificate)
        good = signed_by(certificate, _VOUCHED + key.text.encode(), signature) and bool(chain_of(certificate, trust))
    except KeysError:
        return None
    if not good or read.purpose is not Purpose.SERVICE:
        return None
    if at is not None and at < read.not_before:
        return None
    return read.common_name


def _roots(opened: _Open, keys: Sequence[VerifierKey]) -> tuple[list[_Root], bool]:
    """Checkpoints signed by a trusted log, by size, and whether each continues the one before it."""
    found: dict[int, _Root] = {}
    for name, note in opened.below("checkpoints/", ".txt"):
        read = next((read for key in keys if (read := _read_note(note, key))), None)
        if read is None:
            opened.note("checkpoint-refused", name=name)
            continue
        root = _Root(read[0], read[1], _stamp(opened, name, note))
        if root.size in found and found[root.size].root != root.root:
            opened.note("ledger-split", size=str(root.size))
            return [], False
        found[root.size] = root
    roots = [found[size] for size in sorted(found)]
    return roots, _all_consistent(opened, roots)


def _read_note(note: bytes, key: VerifierKey) -> tuple[int, bytes] | None:
    text = open_note(note, key)
    read = read_checkpoint(text) if text else None
    # a key speaks for the ledger of its own name only
    return (read[1], read[2]) if read and read[0] == key.name else None


def _stamp(opened: _Open, name: str, note: bytes) -> datetime | None:
    token = opened.files.get(name.removesuffix(".txt") + ".tsr")
    if token is None:
        opened.note("time-pending", name=name)
        return None
    anchors = [anchor.der for anchor in opened.trust.anchors]
    moment = checked_time(token, hashlib.sha256(note_text(note)).digest(), anchors, opened.trust.intermediates)
    if moment is None:
        opened.note("stamp-refused", name=name)
    return moment


def _all_consistent(opened: _Open, roots: Sequence[_Root]) -> bool:
    proofs = {}
    for step in _list(opened, "checkpoints/consistency.json"):
        path = _unhex_all(step.get("path")) if isinstance(step, dict) else None
        if path is not None:
            proofs[step.get("old"), step.get("new")] = path
    for old, new in pairwise(roots):
        path = proofs.get((old.size, new.size))
        if path is None or not check_consistency(old.size, new.size, path, old.root, new.root):
            opened.note("checkpoints-inconsistent", old=str(old.size), new=str(new.size))
            return False
    return True


# -- what hangs below the roots --


def _events(opened: _Open, roots: Sequence[_Root], document: str) -> list[ProvenEvent]:
    """Events of that document that stand in the tree, by index; each with the earliest outside time above it."""
    found: dict[int, ProvenEvent] = {}
    for name, body in opened.below("events/", ".json"):
        proof = _json(opened.files.get(name.replace("events/", "proofs/"), b""))
        event = _proven(body, proof, roots)
        if event is None:
            opened.note("event-not-in-ledger", name=name)
        elif event.subject("document") != document:
            opened.note("event-of-another", name=name)
        else:
            found[event.index] = event
    return [found[index] for index in sorted(found)]


def _proven(body: bytes, proof: Any, roots: Sequence[_Root]) -> ProvenEvent | None:
    leaf, event = leaf_hash(body), _json(body)
    if not isinstance(proof, dict) or not _is_event(event) or not isinstance(index := proof.get("index"), int):
        return None
    by_size = {root.size: root for root in roots}
    above = []
    for entry in proof.get("paths") or ():
        root = by_size.get(entry["size"]) if isinstance(entry, dict) and "size" in entry else None
        path = _unhex_all(entry.get("path")) if root else None
        if root and path is not None and check_inclusion(leaf, index, root.size, path, root.root):
            above.append(root)
    if not above:
        return None
    # a consistent later checkpoint holds whatever an earlier one holds, and its stamp is an upper bound too
    least = min(root.size for root in above)
    times = [root.stamped for root in roots if root.size >= least and root.stamped]
    return ProvenEvent(event, leaf.hex(), index, min(times, default=None))


def _is_event(event: Any) -> bool:
    try:
        return datetime.fromisoformat(event["at"]).tzinfo is not None and isinstance(event["subject"], dict)
    except (KeyError, TypeError, ValueError):
        return False


def _recipients(opened: _Open) -> Iterable[ListedRecipient]:
    for name, data in opened.below("recipients/", ".json"):
        try:
            line = _json(data)
            entry, path = str(line["entry"]).encode(), _unhex_all(line["path"])
            office = str(_json(entry)["office"])
            if path is not None:
                yield ListedRecipient(office, entry, int(line["index"]), int(line["size"]), path)
                continue
        except (KeyError, TypeError, ValueError):
            pass
        opened.note("recipient-unreadable", name=name)


def _judge_pdf(
    opened: _Open, events: Sequence[ProvenEvent], verify: Verify, at: datetime | None
) -> tuple[str | None, Report | None]:
    pdf = opened.files.get("document/document.pdf")
    if pdf is None:
        opened.note("document-absent")
        return None, None
    digest = hashlib.sha256(pdf).hexdigest()
    if at is None:
        opened.note("no-moment")
        return digest, None
    sender = next((event.party("sender") for event in events if event.type == "document.issued"), None)
    trust = opened.trust
    try:
        return digest, verify(pdf, at=at, trust=trust, revocation=_revocation(opened), office_code=sender)
    except SigningError as e:
        opened.note("document-unreadable", why=e.code)
        return digest, None


def _revocation(opened: _Open) -> RevocationData:
    crls, ocsps = (tuple(data for _, data in opened.below("trust/", ending)) for ending in (".crl", ".ocsp"))
    return RevocationData(crls, ocsps, opened.trust.intermediates)


# -- reading carefully --


def _json(data: bytes) -> Any:
    """The JSON value, or an empty object for what is none, or says one thing twice."""
    try:
        return json.loads(data, object_pairs_hook=_no_repeats)
    except (ValueError, RecursionError):
        return {}


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _list(opened: _Open, name: str) -> list[Any]:
    value = _json(opened.files.get(name, b"[]"))
    return value if isinstance(value, list) else []


def _hexes(path: Iterable[bytes]) -> list[str]:
    return [value.hex() for value in path]


def _unhex_all(values: Any) -> tuple[bytes, ...] | None:
    try:
        return tuple(bytes.fromhex(value) for value in values)
    except (TypeError, ValueError):
        return None


def _b64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _unb64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError) as e:
        raise ValueError("no base64") from e
