"""The road by command line: every command is one call of the JSON API with the session that `congvan login` keeps."""

import json
import re
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx2
import typer

from api.cli.typed import typed
from api.client import Congvan, Json, Refused
from exchange.errors import TypeNotAllowed
from exchange.rules.attachments import media_type_of

Document = Annotated[str, typer.Argument(help="Mã văn bản (doc_…). / Document id.")]
Delivery = Annotated[str, typer.Argument(help="Mã nơi nhận (dlv_…). / Delivery id.")]
Reason = Annotated[str, typer.Option(help="Lý do. / Reason.")]
Pin = Annotated[str | None, typer.Option(help="Mã PIN; nên để chương trình hỏi. / Better typed when asked.")]

Otp = Annotated[
    str | None, typer.Option(help="Mã OTP; trống: chương trình yêu cầu gửi rồi hỏi. / Else sent and asked for.")
]

_session = Path(typer.get_app_dir("congvan")) / "session"


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    for name, command in _commands().items():
        app.command(name=name)(refusals_said(command))


def names() -> frozenset[str]:
    """What these commands are called."""
    return frozenset(_commands())


def _commands() -> dict[str, Callable[..., None]]:
    commands: tuple[Callable[..., None], ...] = (
        login, logout, me, draft, copy, attach, detach, attachments, submit, sign, return_, number, seal, batch, issue,
        cancel, documents, show, download, inbox, register, refuse, assign, start, complete, recipients, groups, group,
    )  # fmt: skip
    return {command.__name__.rstrip("_"): command for command in commands}


def login(
    address: Annotated[str, typer.Argument(help="Địa chỉ dịch vụ. / Address of the service.")],
    name: Annotated[str, typer.Argument(help="Tài khoản. / Account.")],
    password: Annotated[str | None, typer.Option(help="Nên để chương trình hỏi. / Better typed when asked.")] = None,
    code: Annotated[str | None, typer.Option(help="Mã xác thực hai bước. / Second-factor code.")] = None,
    language: Annotated[Literal["vi", "en"], typer.Option(help="Ngôn ngữ của các câu trả lời. / Of answers.")] = "vi",
) -> None:
    """Đăng nhập và giữ phiên làm việc. / Log in and keep the session."""
    _require_address(address)
    with Congvan.at(address, language=language) as client:
        client.log_in(name, typed(password, "Mật khẩu / Password"), code)
        _session.parent.mkdir(parents=True, exist_ok=True)
        _session.touch(mode=0o600)
        _session.write_text(f"{address}\n{client.token}\n{language}\n", "utf-8")
        _print(client.me())


def logout() -> None:
    """Đăng xuất. / Log out."""
    with client_of_session() as client:
        client.log_out()
    _session.unlink(missing_ok=True)


def me() -> None:
    """Tôi là ai. / Who I am."""
    with client_of_session() as client:
        _print(client.me())


def draft(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    signer: Annotated[str, typer.Option(help="Tài khoản của lãnh đạo ký. / Account of the leader who signs.")],
    kind: Annotated[str, typer.Option("--type", help="Loại văn bản. / Type.")] = "official_letter",
    subject: Annotated[str, typer.Option(help="Trích yếu; trống thì đọc từ trang đầu. / Subject.")] = "",
    urgency: Annotated[str, typer.Option(help="Độ khẩn. / Urgency.")] = "normal",
    secrecy: Annotated[str, typer.Option(help="Độ mật. / Secrecy.")] = "unclassified",
    not_classified: Annotated[bool, typer.Option(help="Dòng nghi mật không phải dấu mật. / No secrecy mark.")] = False,
) -> None:
    """Tải PDF lên và lưu bản nháp. / Upload a PDF and save a draft."""
    with client_of_session() as client:
        leader = next((p for p in client.leaders() if p["login"] == signer), None)
        if leader is None:
            raise typer.TyperException(f"Không có lãnh đạo {signer} trong đơn vị. / No such leader.")
        upload = client.upload(file.read_bytes(), file.name)
        _print(
            client.draft(
                upload["id"], signer=leader["id"], type=kind, subject=subject, urgency=urgency, secrecy=secrecy,
                not_classified=not_classified,
            )
        )  # fmt: skip


def attach(
    document: Document,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
    not_classified: Annotated[bool, typer.Option(help="Dòng nghi mật không phải dấu mật. / No secrecy mark.")] = False,
) -> None:
    """Đính kèm phụ lục (tệp riêng) vào bản nháp. / Attach separate files to a draft."""
    with client_of_session() as client:
        here = client.document(document)
        for file in files:
            upload = client.upload(file.read_bytes(), file.name, media_type=_media_type(file))
            here = client.attach(here, upload["id"], not_classified=not_classified)
        _print(here)


def copy(
    kind: Annotated[Literal["SY", "SL", "TrS"], typer.Argument(help="SY: sao y; SL: sao lục; TrS: trích sao.")],
    scan: Annotated[Path | None, typer.Option(help="Bản quét từ giấy. / Scan of paper.")] = None,
    document: Annotated[str | None, typer.Option(help="Văn bản đi đã phát hành. / Issued document.")] = None,
    delivery: Annotated[str | None, typer.Option(help="Văn bản đến. / Arrival.")] = None,
    pages: Annotated[list[int] | None, typer.Option(help="Trang; lặp lại được. / Page.")] = None,
    subject: Annotated[str, typer.Option(help="Trích yếu. / Subject.")] = "",
    place: Annotated[str | None, typer.Option(help="Địa danh. / Place.")] = None,
) -> None:
    """Lập bản sao: sao y, sao lục, trích sao. / Make a copy; then number, seal and issue it."""
    source: dict[str, Any] = {"document": document, "delivery": delivery, "pages": pages or None}
    with client_of_session() as client:
        if scan is not None:
            source["upload"] = client.upload(scan.read_bytes(), scan.name)["id"]
        _print(client.copy(kind, subject=subject, issue_place=place, **source))


def detach(
    document: Document, attachment: Annotated[str, typer.Argument(help="Mã phụ lục (att_…). / Attachment id.")]
) -> None:
    """Bỏ một phụ lục khỏi bản nháp. / Take an attachment off a draft."""
    _move(document, lambda c, d: c.detach(d, attachment))


def attachments(document: Document, folder: Annotated[Path, typer.Argument(help="Thư mục ghi ra. / Target.")]) -> None:
    """Tải các phụ lục về. / Download the attachments."""
    folder.mkdir(parents=True, exist_ok=True)
    with client_of_session() as client:
        for one in client.document(document)["attachments"]:
            target = folder / f"{one['n']:02d}-{_plain_name(one['name'])}"
            target.write_bytes(client.attachment(document, one["id"]))
            typer.echo(str(target))


def submit(
    document: Document,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Theo thứ tự: nhay:TÀI-KHOẢN (ký nháy) hoặc TÀI-KHOẢN (ký). / initial:ACCOUNT or ACCOUNT."),
    ] = None,
) -> None:
    """Trình ký. / Submit for signature."""
    _move(document, lambda c, d: c.submit(d, _signers(c, by) if by else None))


def sign(document: Document, pin: Pin = None, otp: Otp = None) -> None:
    """Ký nháy hoặc ký số khi đến lượt. / Initial or sign when it is your turn."""
    _move(document, lambda c, d: c.sign(d, **_typed_for(c, "sign", pin, otp)))


def return_(document: Document, reason: Reason) -> None:
    """Trả lại người soạn. / Return to the author."""
    _move(document, lambda c, d: c.give_back(d, reason))


def number(
    document: Document,
    series: Annotated[str, typer.Option(help="Sổ, ví dụ qd, cv. / Series.")],
    date: Annotated[str | None, typer.Option(help="YYYY-MM-DD")] = None,
) -> None:
    """Cấp số tiếp theo. / Take the next number."""
    _move(document, lambda c, d: c.number(d, series, date))


def seal(document: Document, pin: Pin = None, otp: Otp = None) -> None:
    """Đóng dấu số. / Seal."""
    _move(document, lambda c, d: c.seal(d, **_typed_for(c, "seal", pin, otp)))


def issue(
    document: Document,
    to: Annotated[list[str] | None, typer.Option(help="Mã đơn vị nhận; lặp lại được. / Office code.")] = None,
    group: Annotated[str | None, typer.Option(help="Nhóm đơn vị. / Group.")] = None,
    under: Annotated[str | None, typer.Option(help="Tất cả đơn vị trực thuộc. / All subordinates of.")] = None,
    excepting: Annotated[list[str] | None, typer.Option("--except", help="Trừ các đơn vị. / But these.")] = None,
    due: Annotated[str | None, typer.Option(help="Hạn xử lý YYYY-MM-DD. / Due.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Chỉ xem danh sách nhận. / Only show the recipients.")] = False,
) -> None:
    """Ban hành & Gửi. / Issue and send."""
    specs = _recipients(to, group, under, excepting)
    with client_of_session() as client:
        if dry_run:
            _print(client.resolve(specs))
        else:
            _print(client.issue(client.document(document), specs, due=due))


def batch(
    act: Annotated[Literal["sign", "seal"], typer.Argument(help="sign: ký; seal: đóng dấu.")],
    documents: Annotated[list[str] | None, typer.Argument(help="Mã các văn bản; trống: tất cả đang chờ tôi.")] = None,
    pin: Pin = None,
    otp: Otp = None,
) -> None:
    """Ký hoặc đóng dấu nhiều văn bản bằng một lần nhập PIN. / Sign or seal many documents with one PIN.

    Kết quả từng văn bản hiện ngay khi xong; lỗi ở một văn bản không dừng các văn bản khác.
    """
    with client_of_session() as client:
        chosen = [client.document(one) for one in documents or []]
        if not documents:
            chosen = client.waiting() if act == "sign" else client.documents("numbered")
        if not chosen:
            typer.echo("Không có văn bản nào đang chờ. / Nothing waits.")
            return
        subjects = {one["id"]: one["subject"] for one in chosen}
        failed = 0
        for line in client.batch(act, chosen, **_typed_for(client, act, pin, otp)):
            if line.get("finished"):
                failed = line["failed"]
                typer.echo(f"{line['done']} xong, {failed} không được. / {line['done']} done, {failed} failed.")
                continue
            problem = line["problem"]
            said = f"{problem['title']} [{problem['code']}]" if problem else line["state"]
            typer.echo(f"{line['n'] + 1}/{len(chosen)}  {line['document']}  {subjects[line['document']]}: {said}")
    if failed:
        sys.exit(1)


def cancel(document: Document, reason: Reason) -> None:
    """Hủy văn bản. / Cancel."""
    _move(document, lambda c, d: c.cancel(d, reason))


def documents(state: Annotated[str | None, typer.Option(help="Trạng thái. / State.")] = None) -> None:
    """Văn bản đi. / Outgoing documents."""
    with client_of_session() as client:
        for d in client.documents(state):
            written = d["number"]["written"] if d["number"] else "–"
            typer.echo(f"{d['id']}  {d['state']:<18} {written:<16} {d['subject']}")


def show(document: Document) -> None:
    """Một văn bản. / One document."""
    with client_of_session() as client:
        _print(client.document(document))


def download(document: Document, to: Annotated[Path, typer.Argument(help="Tệp ghi ra. / Target.")]) -> None:
    """Tải PDF về. / Download the PDF."""
    with client_of_session() as client:
        to.write_bytes(client.file(document))


def recipients(consignment: Annotated[str, typer.Argument(help="con_…")]) -> None:
    """Theo dõi gửi – nhận. / Follow the recipients."""
    with client_of_session() as client:
        for row in client.deliveries(consignment):
            typer.echo(f"{row['office']:<12} {row['why']['label']:<24} {row['why']['what']}")


def groups() -> None:
    """Nhóm đơn vị của đơn vị mình. / Saved groups of recipients."""
    with client_of_session() as client:
        for saved in client.groups():
            typer.echo(f"{saved['id']}  {saved['name']}: {', '.join(saved['members'])}")


def group(
    name: Annotated[str, typer.Argument(help="Tên nhóm. / Name.")],
    members: Annotated[list[str], typer.Argument(help="Mã các đơn vị. / Office codes.")],
) -> None:
    """Lưu một nhóm đơn vị. / Save a group of recipients."""
    with client_of_session() as client:
        _print(client.make_group(name, members))


def inbox(state: Annotated[str | None, typer.Option(help="Trạng thái. / State.")] = None) -> None:
    """Văn bản đến. / Incoming."""
    with client_of_session() as client:
        for d in client.inbox(state):
            typer.echo(f"{d['id']}  {d['state']:<12} {d['document']['written'] or '–':<16} {d['document']['subject']}")


def register(delivery: Delivery, date: Annotated[str | None, typer.Option(help="YYYY-MM-DD")] = None) -> None:
    """Tiếp nhận. / Register."""
    with client_of_session() as client:
        seen = client.delivery(delivery)
        _print(client.register(seen, seen["file"]["sha256"], date))


def refuse(
    delivery: Delivery,
    reason: Reason,
    code: Annotated[str, typer.Option(help="misdirected, has_errors, not_competent, …")] = "other",
) -> None:
    """Trả lại nơi gửi. / Refuse."""
    _work(delivery, lambda c, d: c.refuse(d, code, reason))


def assign(
    delivery: Delivery,
    lead: Annotated[str, typer.Option(help="Tài khoản người chủ trì. / Account of the one in charge.")],
    instruction: Annotated[str | None, typer.Option(help="Bút phê. / Instruction.")] = None,
) -> None:
    """Phân công. / Assign."""
    with client_of_session() as client:
        person = next((p for p in client.people() if p["login"] == lead), None)
        if person is None:
            raise typer.TyperException(f"Không có tài khoản {lead} trong đơn vị. / No such account.")
        _print(client.assign(client.delivery(delivery), person["id"], instruction=instruction))


def start(delivery: Delivery) -> None:
    """Bắt đầu xử lý. / Start."""
    _work(delivery, lambda c, d: c.start(d))


def complete(delivery: Delivery) -> None:
    """Hoàn thành. / Complete."""
    _work(delivery, lambda c, d: c.complete(d))


def _typed_for(client: Congvan, act: str, pin: str | None, otp: str | None) -> dict[str, Any]:
    """What the caller's key takes: its PIN, and a code that the remote service is asked to send first."""
    key = next((one for one in client.signing_keys() if one["act"] == act), {"pin": True, "otp": None})
    given = typed(pin, "Mã PIN / PIN") if key["pin"] or pin is not None else ""
    if otp is None and key["otp"] is not None:
        if key["otp"] == "sent":
            client.send_code(act)
        otp = typed(None, "Mã OTP / One-time code")
    return {"pin": given, "otp": otp}


def _media_type(file: Path) -> str:
    try:
        return media_type_of(file.name)
    except TypeNotAllowed as refused:
        raise typer.TyperException(f"{file.name}: {refused.sentence('vi')} / {refused.sentence('en')}") from refused


def _plain_name(name: str) -> str:
    """A given name as a file name of this machine: no path, no sign that a file system minds."""
    return re.sub(r"[^\w.() -]", "_", name)[-120:]


def _signers(client: Congvan, lines: list[str]) -> list[Json]:
    people = {person["login"]: person["id"] for person in client.people()}
    signers = []
    for line in lines:
        part, _, login = line.rpartition(":")
        if login not in people:
            raise typer.TyperException(f"Không có tài khoản {login} trong đơn vị. / No such account.")
        if part not in ("", "sign", "initial", "nhay"):
            raise typer.TyperException(f"{line}: nhay:{login} / initial:{login} / {login}")
        signers.append({"person": people[login], "part": "initial" if part in ("initial", "nhay") else "sign"})
    return signers


def _recipients(
    to: list[str] | None, group: str | None, under: str | None, excepting: list[str] | None
) -> list[dict[str, Any]]:
    specs: list[dict[str, Any]] = [{"office": code} for code in to or []]
    if group:
        specs.append({"group": group})
    if under:
        specs.append({"under": under, "depth": 1, "except": excepting or []})
    return specs


def client_of_session() -> Congvan:
    """The service and session that `congvan login` kept; a message for the user when there is none."""
    kept = _session.read_text("utf-8").split() if _session.is_file() else []
    if len(kept) != 3:
        raise typer.TyperException("Chưa đăng nhập: congvan login ĐỊA-CHỈ TÀI-KHOẢN. / Log in first.")
    address, token, language = kept
    return Congvan.at(address, token=token, language=language)


def _require_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise typer.BadParameter(f"{address}: cần http://… hoặc https://… / an address begins with http:// or https://")


def _move(document: str, act: Callable[[Congvan, Json], Json]) -> None:
    with client_of_session() as client:
        moved = act(client, client.document(document))
        _print(moved)
    if moved["pending_signature"]:
        typer.echo(
            "Chữ ký đã giữ lại, đang chờ dấu thời gian. / The signature is kept and waits for its time.", err=True
        )


def _work(delivery: str, act: Callable[[Congvan, Json], Json]) -> None:
    with client_of_session() as client:
        _print(act(client, client.delivery(delivery)))


def _print(value: Json) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def refusals_said(command: Callable[..., None]) -> Callable[..., None]:
    """A refusal is one sentence and exit status 1, never a stack trace."""

    @wraps(command)
    def said(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except Refused as refused:
            what = f"{refused.problem.get('detail') or refused.problem.get('title')} [{refused.code}]"
        except httpx2.TransportError as error:
            what = f"Không liên lạc được với dịch vụ: {error}. / The service cannot be reached."
        except OSError as error:
            what = f"{error.filename}: {error.strerror}"
        else:
            return
        typer.echo(what, err=True)
        sys.exit(1)

    return said
