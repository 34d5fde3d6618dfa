"""The whole road once, by the JSON API, as people of the pilot walk it: the demo shows it, the tests insist on it.

A step that does not hold raises `StepFailed`; nothing is skipped and nothing is assumed.
"""

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx2

from api.client import Congvan, Json
from api.wiring import now
from exchange.proof.claims import Outcome
from exchange.proof.evidence import check_pack
from signing.verify import verify_pdf

SAMPLES = Path(__file__).parents[1] / "samples"
REASON = "Văn bản gửi nhầm đơn vị: nội dung thuộc xã khác (thử nghiệm)."


@dataclass(frozen=True, slots=True)
class Login:
    """How one person of the pilot gets in; `pin` opens the keys that the person may use, None for those without."""

    login: str
    name: str
    office: str
    password: str
    pin: str | None


class StepFailed(Exception):
    """A step of the road did not hold; the text says which and what was seen."""


Say = Callable[[str, str], None]
"""Called with the name of each step and what it gave."""


@dataclass(slots=True)
class Walk:
    """One walk: `connect()` gives a fresh HTTP client of the service, `logins` the people by login name."""

    connect: Callable[[], httpx2.Client]
    logins: Mapping[str, Login]
    anchor: bytes
    """Root certificate (DER) of the pilot, for checking the pack as a stranger would."""
    say: Say

    def person(self, login: str) -> Congvan:
        """That person, logged in."""
        client = Congvan(self.connect())
        client.log_in(login, self.logins[login].password)
        return client

    def whole_road(self) -> Json:
        """Upload, sign, number, seal, send, register, refuse, work, verify, prove; returns the issued document."""
        document = self._until_sealed(SAMPLES / "quyet-dinh.pdf")
        consignment = self._send(document)
        self._receive(consignment)
        document = self._see_states(document["id"], consignment)
        self._verify(document["id"])
        self._prove(document["id"])
        return document

    def _until_sealed(self, sample: Path) -> Json:
        leader = self.logins["lanhdao.huyen"]
        with self.person("chuyenvien.huyen") as officer:
            upload = officer.upload(sample.read_bytes(), sample.name)
            signer = next(p for p in officer.leaders() if p["login"] == leader.login)
            document = officer.draft(upload["id"], signer=signer["id"], type="decision")
            self._expect(document, "draft", "1. Tải lên, chuẩn bị các ô / upload, fields", document["subject"])
            document = officer.submit(document)
            self._expect(document, "waiting_signature", "2. Trình ký / submit", leader.name)
        with self.person(leader.login) as signing:
            document = signing.sign(document, _pin(leader))
            self._expect(document, "signed", "3. Lãnh đạo ký / leader signs", leader.name)
        with self.person("vanthu.huyen") as clerk:
            document = clerk.number(document, "qd")
            self._expect(document, "numbered", "4. Cấp số / number", document["number"]["written"])
            document = clerk.seal(document, _pin(self.logins["vanthu.huyen"]))
            self._expect(document, "sealed", "5. Đóng dấu / seal", "chữ ký số cơ quan / organisation, PAdES B-LTA")
        return document

    def _send(self, document: Json) -> Json:
        with self.person("vanthu.huyen") as clerk:
            consignment = clerk.issue(document, [{"under": document["office"], "depth": 1}])
        count = consignment["recipients"]["count"]
        self._require(
            count == len(consignment["deliveries"]) and count > 0, "6. Ban hành & Gửi / issue", f"{count} nơi nhận"
        )
        return consignment

    def _receive(self, consignment: Json) -> None:
        first, second = (d["office"] for d in consignment["deliveries"][:2])
        with self.person(self._clerk_of(first)) as clerk:
            delivery = clerk.delivery(clerk.inbox("consigned")[0]["id"])
            self._require(
                delivery["report"]["verdict"] == "valid", "7. Hộp văn bản đến / inbox", f"{first}: chữ ký hợp lệ"
            )
            pdf, told = clerk.delivery_file(delivery["id"]), delivery["file"]
            self._require(
                sha256(pdf).hexdigest() == told["sha256"], "   Tệp nhận về / file", f"{len(pdf)} byte, đúng mã băm"
            )
            delivery = clerk.register(delivery, told["sha256"])
            self._expect(delivery, "registered", "8. Tiếp nhận / register", f"số đến {delivery['incoming']['number']}")
            officer = next(p for p in clerk.people() if "officer" in p["roles"])
            delivery = clerk.assign(delivery, officer["id"], instruction="Nghiên cứu, tham mưu thực hiện.")
            self._expect(delivery, "assigned", "   Phân công / assign", officer["name"])
        with self.person(self._officer_of(first)) as officer_client:
            delivery = officer_client.complete(officer_client.start(delivery))
            self._expect(delivery, "completed", "   Hoàn thành / complete", first)
        with self.person(self._clerk_of(second)) as clerk:
            delivery = clerk.refuse(clerk.delivery(clerk.inbox("consigned")[0]["id"]), "misdirected", REASON)
            self._expect(delivery, "refused", "9. Trả lại / refuse", f"{second}: {REASON}")

    def _see_states(self, document: str, consignment: Json) -> Json:
        with self.person("vanthu.huyen") as clerk:
            rows = clerk.deliveries(consignment["id"])
            seen = {
                state: sum(row["state"] == state for row in rows) for state in ("completed", "refused", "consigned")
            }
            held = seen["completed"] == 1 and seen["refused"] == 1 and sum(seen.values()) == len(rows)
            words = f"1 hoàn thành, 1 trả lại, {seen['consigned']} chờ tiếp nhận"
            self._require(held and all(row["why"]["what"] for row in rows), "10. Theo dõi gửi – nhận / follow", words)
            return clerk.document(document)

    def _verify(self, document: str) -> None:
        with self.person("vanthu.huyen") as clerk:
            pdf = clerk.file(document)
        with Congvan(self.connect()) as stranger:
            report = stranger.verify(pdf)
            broken = stranger.verify(_tampered(pdf))
        self._require(report["verdict"] == "valid", "11. Xác thực / verify", "hợp lệ (chứng thư thử nghiệm)")
        self._require(broken["verdict"] == "invalid", "    bản bị sửa một byte / one byte changed", "không hợp lệ")

    def _prove(self, document: str) -> None:
        with self.person("vanthu.huyen") as clerk:
            pack = clerk.evidence_pack(document)
        report = check_pack(pack, [self.anchor], verify=verify_pdf, at=now())
        proven = sum(claim.outcome is Outcome.PROVEN for claim in report.claims)
        names = zipfile.ZipFile(io.BytesIO(pack)).namelist()
        contradicted = any(claim.outcome is Outcome.CONTRADICTED for claim in report.claims)
        words = f"{proven} điều được chứng minh, {len(names)} tệp trong gói"
        self._require(proven > 0 and not contradicted, "12. Gói bằng chứng / evidence pack", words)

    def _clerk_of(self, office: str) -> str:
        return next(p.login for p in self.logins.values() if p.office == office and p.login.startswith("vanthu."))

    def _officer_of(self, office: str) -> str:
        return next(p.login for p in self.logins.values() if p.office == office and p.login.startswith("chuyenvien."))

    def _expect(self, thing: Json, state: str, step: str, words: str) -> None:
        self._require(thing["state"] == state, step, words if thing["state"] == state else f"đang là {thing['state']}")

    def _require(self, held: bool, step: str, words: str) -> None:
        if not held:
            raise StepFailed(f"{step}: {words}")
        self.say(step, words)


def _pin(login: Login) -> str:
    if login.pin is None:
        raise StepFailed(f"{login.login} has no PIN")
    return login.pin


def _tampered(pdf: bytes) -> bytes:
    """The same file with one byte of its first page's content changed, length kept."""
    at = pdf.index(b"stream\n") + len(b"stream\n") + 8
    return pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
