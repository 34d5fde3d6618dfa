"""The road in a real browser: leader, clerks of both sides and a visitor, by the pages alone."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from api import keyring
from api.settings import Settings
from api.wiring import Parts, build_parts
from keys.authority import PilotAuthority
from keys.model import Purpose
from tests.fixtures.needs import INSTALL, absent
from tests.fixtures.tokens import KEY, Token
from tests.story.conftest import MakeService, Service
from tests.vgca.fake import FakeVgca
from tests.vgca.writing import Style

pytestmark = pytest.mark.browser
DISTRICT = "H99.05"
SAMPLE = Path(__file__).parents[2] / "api" / "samples" / "quyet-dinh.pdf"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the machine's own where there is one, else Playwright's."""
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"], headless=True
            )
        except Error:
            absent("chromium", INSTALL["chromium"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeVgca]:
    """The signing program at the desks of all."""
    running = FakeVgca(None)
    yield running
    running.close()


@pytest.fixture(scope="module")
def district(make_service: MakeService, fake: FakeVgca) -> Iterator[Service]:
    """A district whose pages look for the program where the fake is."""
    os.environ["CONGVAN_DESK_PROGRAM"] = fake.address
    try:
        yield make_service(kind="sqlite", offices=4)
    finally:
        del os.environ["CONGVAN_DESK_PROGRAM"]


@pytest.fixture
def enter(browser: Browser, district: Service):  # type: ignore[no-untyped-def]
    """`enter("vanthu.huyen")` is a page on which that person is logged in; `enter(None)` a visitor's."""
    contexts = []

    def person(login: str | None, language: str = "vi-VN", *, desk: bool = False) -> Page:
        context = browser.new_context(
            locale=language, base_url=district.address, viewport={"width": 1366, "height": 768},
            ignore_https_errors=desk,  # it trusts the certificate of the program at the desk, as a machine that has one
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
        if login:
            page.goto("/login")
            page.get_by_label("Tài khoản").fill(login)
            page.get_by_label("Mật khẩu").fill(district.logins[login].password)
            page.get_by_role("button", name="Đăng nhập").click()
            expect(page.get_by_role("heading", name="Bàn làm việc")).to_be_visible()
        return page

    yield person
    for context in contexts:
        context.close()


def act(page: Page, name: str) -> None:
    """Press the button inside the form of an act."""
    page.locator("#next-act form").get_by_role("button", name=name, exact=True).click()


def test_a_document_goes_from_draft_to_two_registers_and_is_verified_by_a_visitor(enter, district: Service) -> None:  # type: ignore[no-untyped-def]
    officer = enter("chuyenvien.huyen")
    officer.get_by_role("link", name="Soạn văn bản").click()
    officer.get_by_label("Tệp PDF chưa ký").set_input_files(SAMPLE)
    officer.get_by_label("Loại văn bản").select_option("decision")
    officer.get_by_role("button", name="Lưu bản nháp").click()
    expect(officer.locator("#state")).to_have_text("Dự thảo")
    expect(officer.locator(".place-box")).to_have_count(4)
    act(officer, "Trình ký")
    expect(officer.locator("#state")).to_have_text("Trình ký")
    address = re.sub(r"^.*?(/documents/\w+).*$", r"\1", officer.url)

    leader = enter("lanhdao.huyen")
    leader.get_by_role("link", name="Chờ ký").click()
    leader.goto(address)
    leader.get_by_label("Mã PIN").fill(district.logins["lanhdao.huyen"].pin)
    act(leader, "Ký số")
    expect(leader.locator("#state")).to_have_attribute("data-state", "signed")

    clerk = enter("vanthu.huyen")
    clerk.goto(address)
    act(clerk, "Cấp số")
    expect(clerk.locator("#state")).to_have_attribute("data-state", "numbered")
    clerk.get_by_label("Mã PIN").fill(district.logins["vanthu.huyen"].pin)
    act(clerk, "Đóng dấu (ký số cơ quan)")
    expect(clerk.locator("#state")).to_have_attribute("data-state", "sealed")
    clerk.get_by_role("button", name="Xem danh sách nhận").click()
    expect(clerk.locator("#resolved")).to_contain_text("3 nơi nhận")
    arrivals = enter("vanthu.cudliemnong")
    arrivals.goto("/incoming")
    expect(arrivals.get_by_text("Chưa có văn bản đến")).to_be_visible()
    act(clerk, "Ban hành & Gửi")
    expect(clerk.locator("#state")).to_have_attribute("data-state", "issued")
    expect(clerk.locator("#recipients tbody tr")).to_have_count(3)

    arrivals.locator("tbody a").first.click(timeout=15_000)
    expect(arrivals.locator("[data-verdict=valid]").first).to_be_visible()
    act(arrivals, "Tiếp nhận")
    expect(arrivals.locator("#incoming-number")).to_have_text("Số đến 1")

    refusing = enter("vanthu.cumgar")
    refusing.goto("/incoming")
    refusing.locator("tbody a").first.click()
    refusing.locator("#act-refuse summary").click()
    refusing.locator("#act-refuse").get_by_label("Lý do", exact=True).fill("Gửi nhầm xã")
    act(refusing, "Trả lại nơi gửi")
    expect(refusing.locator("#state")).to_have_attribute("data-state", "refused")

    expect(clerk.locator("#recipients")).to_contain_text("Gửi nhầm xã", timeout=15_000)
    expect(clerk.locator("#recipients")).to_contain_text("Số đến 1")

    with district.person("vanthu.huyen") as api:
        pdf = api.file(address.rsplit("/", 1)[1])
    visitor = enter(None)
    visitor.goto("/verify")
    visitor.get_by_label("Tệp PDF").set_input_files({"name": "qd.pdf", "mimeType": "application/pdf", "buffer": pdf})
    visitor.get_by_role("button", name="Kiểm tra").click()
    expect(visitor.locator("#result [data-verdict=valid]").first).to_be_visible()
    expect(visitor.locator("#result")).to_contain_text("chứng thư thử nghiệm")
    with visitor.context.expect_page() as opened:
        visitor.get_by_role("link", name="Đã thay đổi gì sau khi ký").first.click()
    changed = opened.value
    expect(changed.locator("[data-area=allowed]")).to_have_count(3)
    expect(changed.locator("[data-area=other]")).to_have_count(0)
    for side in ("then", "now"):
        assert changed.locator(f"[data-side={side}] img").evaluate("one => one.naturalWidth") == 800, "it is shown"
    with changed.expect_download() as taken:
        changed.get_by_role("link", name="Tải bản đã ký").click()
    assert pdf.startswith(Path(taken.value.path()).read_bytes())


def test_a_letter_gets_its_series_goes_to_the_office_picked_and_says_when_due(enter, district: Service) -> None:  # type: ignore[no-untyped-def]
    with district.person("chuyenvien.huyen") as officer:
        upload = officer.upload(SAMPLE.with_name("cong-van.pdf").read_bytes(), "cong-van.pdf")
        letter = officer.submit(officer.draft(upload["id"], signer=officer.leaders()[0]["id"]))
    with district.person("lanhdao.huyen") as leader:
        leader.sign(letter, district.logins["lanhdao.huyen"].pin)
    clerk = enter("vanthu.huyen")
    clerk.goto(f"/documents/{letter['id']}")
    expect(clerk.get_by_label("Sổ", exact=True)).to_have_value("cv")
    act(clerk, "Cấp số")
    clerk.get_by_label("Mã PIN").fill(district.logins["vanthu.huyen"].pin)
    act(clerk, "Đóng dấu (ký số cơ quan)")

    clerk.locator("#chosen").select_option(label=clerk.locator("#chosen option", has_text="Dliê").inner_text())
    expect(clerk.locator("#to-chosen")).to_be_checked()
    clerk.get_by_role("button", name="Xem danh sách nhận").click()
    expect(clerk.locator("#resolved")).to_contain_text("1 nơi nhận")
    clerk.locator("#except").select_option(index=0)
    expect(clerk.locator("#to-all")).to_be_checked()
    clerk.locator("#to-chosen").check()
    clerk.get_by_label("Hạn xử lý").fill("2099-12-31")
    act(clerk, "Ban hành & Gửi")
    expect(clerk.locator("#recipients tbody tr")).to_have_count(1)
    expect(clerk.locator("#due-day")).to_contain_text("31/12/2099")
    with district.person("vanthu.cudliemnong") as recipient:
        (came,) = [one for one in recipient.inbox() if one["document"]["id"] == letter["id"]]
        assert recipient.delivery(came["id"])["due"] == "2099-12-31"
    arrival = enter("vanthu.cudliemnong")
    arrival.goto(f"/deliveries/{came['id']}")
    expect(arrival.get_by_text("Hạn xử lý 31/12/2099")).to_be_visible()


def files(*names: str) -> list[dict[str, object]]:
    """An unsigned letter for each name that ends in .pdf, for others nonsense."""
    return [
        {"name": name, "mimeType": "application/pdf", "buffer": SAMPLE.read_bytes() if name[-3:] == "pdf" else b"no"}
        for name in names
    ]


def test_a_visitor_chooses_and_drops_files_and_each_has_its_answer(enter) -> None:  # type: ignore[no-untyped-def]
    page = enter(None)
    page.goto("/verify")
    expect(page.get_by_text("kéo thả")).to_be_visible()
    page.get_by_label("Tệp PDF").set_input_files(files("một.pdf", "hai.txt"))
    page.get_by_role("button", name="Kiểm tra").click()
    answers = page.locator("#result [data-checked]")
    expect(answers).to_have_count(2, timeout=30_000)
    expect(answers.nth(0)).to_contain_text("Chưa ký số")
    expect(answers.nth(0)).to_contain_text("một.pdf")
    expect(answers.nth(1).locator("[data-code=not-a-pdf]")).to_be_visible()
    expect(page.get_by_role("button", name="Kiểm tra")).to_be_enabled()

    page.evaluate(
        """() => {
          const dropped = new DataTransfer();
          dropped.items.add(new File(["no"], "ba.pdf"));
          dropped.items.add(new File([new Uint8Array(60 * 1048576)], "lớn.pdf"));
          const how = { dataTransfer: dropped, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", how));
        }"""
    )
    expect(answers).to_have_count(3, timeout=30_000)
    expect(answers.nth(2)).to_contain_text("ba.pdf")
    expect(page.locator("#result")).to_contain_text("lớn hơn giới hạn 50 MB")

    with page.expect_download() as taken:
        answers.nth(0).get_by_role("button", name="PDF").click()
    assert taken.value.suggested_filename == "bao-cao-một.pdf"


def test_checking_works_without_any_script(browser: Browser, district: Service) -> None:
    context = browser.new_context(locale="vi-VN", base_url=district.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/verify")
    page.get_by_label("Tệp PDF").set_input_files(files("một.pdf", "hai.txt"))
    page.get_by_role("button", name="Kiểm tra").click()
    expect(page.locator("#result [data-checked]")).to_have_count(2)
    expect(page.get_by_text("kéo thả")).to_be_hidden()
    context.close()


def test_an_english_reader_gets_english_and_may_switch(enter) -> None:  # type: ignore[no-untyped-def]
    page = enter(None, "en-GB")
    page.goto("/verify")
    expect(page.get_by_role("heading", name="Verify a document")).to_be_visible()
    page.get_by_role("button", name="Tiếng Việt").click()
    expect(page.get_by_role("heading", name="Xác thực văn bản")).to_be_visible()


def test_a_wrong_file_is_refused_beside_its_field_in_the_readers_language(enter) -> None:  # type: ignore[no-untyped-def]
    page = enter("chuyenvien.huyen")
    page.goto("/documents/new")
    page.get_by_label("Tệp PDF chưa ký").set_input_files(
        {"name": "thu.pdf", "mimeType": "application/pdf", "buffer": b"not a pdf at all"}
    )
    page.get_by_role("button", name="Lưu bản nháp").click()
    expect(page.get_by_role("alert")).to_contain_text("không phải PDF")
    expect(page.get_by_role("alert")).to_have_attribute("data-code", "not-a-pdf")


def test_a_leader_signs_several_documents_with_one_pin_and_sees_each_result(enter, district: Service) -> None:  # type: ignore[no-untyped-def]
    with district.person("chuyenvien.huyen") as officer:
        signer = next(one["id"] for one in officer.leaders() if one["login"] == "lanhdao.huyen")
        uploads = [officer.upload(SAMPLE.read_bytes(), "quyet-dinh.pdf") for _ in range(3)]
        drafts = [officer.draft(one["id"], signer=signer, subject=f"Cùng ký {n}") for n, one in enumerate(uploads)]
        waiting = [officer.submit(draft) for draft in drafts]
        leader = enter("lanhdao.huyen")
        leader.goto("/documents?state=waiting_signature")
        leader.get_by_role("link", name="Ký nhiều văn bản").click()
        for document in waiting:
            leader.locator(f"tr[data-document={document['id']}] input").check()
        officer.give_back(waiting[1], "Rút lại trong lúc lãnh đạo đang xem")
    leader.get_by_label("Mã PIN").fill(district.logins["lanhdao.huyen"].pin)
    leader.get_by_role("button", name="Ký nhiều văn bản (3)").click()
    expect(leader.locator("#batch-said")).to_have_text("2 văn bản xong, 1 văn bản không được.", timeout=30_000)
    cells = [leader.locator(f"tr[data-document={document['id']}] [data-result]") for document in waiting]
    for cell, words in zip(cells, ("Lãnh đạo đã ký", "wrong-state", "Lãnh đạo đã ký"), strict=True):
        expect(cell).to_contain_text(words)


# -- with a key at the desk: the fake of the local program signs --


@pytest.fixture(scope="module")
def parts(district: Service) -> Iterator[Parts]:
    """The same installation, as its own commands see it."""
    port = (district.folder / "pilot" / "port").read_text().strip()
    made = build_parts(
        Settings(data=district.folder, database_url=district.database_url, outgoing_allowed=[f"127.0.0.1:{port}"])
    )
    yield made
    made.close()


def token(district: Service, parts: Parts, login: str, act_name: str) -> Token:
    """A token at that person's desk, whose certificate was recorded."""
    issuer = PilotAuthority.from_bytes((district.folder / "pilot" / "authority.json").read_bytes())
    name, at = district.logins[login].name, parts.now()
    with parts.read() as reading:
        office = reading.exchange.office(DISTRICT)
    assert office is not None
    if act_name == "seal":
        der = issuer.organisation(office.name, DISTRICT, KEY.public_key(), at)
    else:
        der = issuer.person(name, office.name, DISTRICT, "Chủ tịch", KEY.public_key(), at)
    purpose = Purpose.ORGANISATION if act_name == "seal" else Purpose.PERSON
    keyring.bring_in_desk(parts, keyring.For(login, DISTRICT, purpose), [der])
    return Token(der, KEY)


def waiting(district: Service) -> str:
    """The address of a new document that waits for the leader."""
    with district.person("chuyenvien.huyen") as officer:
        upload = officer.upload(SAMPLE.read_bytes(), "quyet-dinh.pdf")
        document = officer.draft(upload["id"], signer=officer.leaders()[0]["id"], type="decision")
        return f"/documents/{officer.submit(document)['id']}"


def press(page: Page, name: str) -> None:
    """Open the way by token, and press one of its buttons."""
    if page.locator("#act-desk").get_attribute("open") is None:
        page.locator("#act-desk summary").click()
    page.locator("#act-desk").get_by_role("button", name=name, exact=True).click()


PROGRAM, TOKEN = "Ký trong VGCA Sign Service", "Ký bằng USB token, vị trí đặt sẵn"


def test_leader_and_clerk_sign_in_their_program_and_the_document_goes_out(enter, district, parts, fake) -> None:  # type: ignore[no-untyped-def]
    address = waiting(district)
    leader = enter("lanhdao.huyen", desk=True)
    policies = []
    leader.on(
        "response", lambda r: policies.append(r.headers.get("content-security-policy")) if address in r.url else None
    )
    leader.goto(address)
    assert f"connect-src 'self' {fake.address};" in policies[0], "that page speaks to the program and to nobody else"

    fake.close()
    press(leader, PROGRAM)
    expect(leader.locator("[data-status]")).to_have_attribute("data-word", "not_running", timeout=15_000)
    expect(leader.locator("[data-status]")).to_contain_text("Hãy mở chương trình")
    fake.start()

    fake.token = token(district, parts, "vanthu.huyen", "sign")
    for outcome, word, told in (
        ("cancel_close", "closed", "đã đóng hoặc đã hủy"),
        ("wrong_pin", "said", "Sai mã PIN"),
        ("ok", "refused", "không phải người được trình ký"),
        ("reply_ok_no_upload", "nothing_came", "chưa nhận được tệp ký"),
    ):
        fake.next(outcome)
        press(leader, PROGRAM)
        expect(leader.locator("[data-status]")).to_have_attribute("data-word", word, timeout=30_000)
        expect(leader.locator("[data-status]")).to_contain_text(told)
    leader.reload()
    expect(leader.locator("#state")).to_have_attribute("data-state", "waiting_signature")

    fake.token = token(district, parts, "lanhdao.huyen", "sign")
    fake.next("upload_ok_reply_lost")
    press(leader, PROGRAM)
    expect(leader.locator("#state")).to_have_attribute("data-state", "signed", timeout=30_000)

    clerk = enter("vanthu.huyen", desk=True)
    clerk.goto(address)
    act(clerk, "Cấp số")
    expect(clerk.locator("#state")).to_have_attribute("data-state", "numbered")
    fake.token = token(district, parts, "vanthu.huyen", "seal")
    fake.next(style=Style(signatures=3))
    press(clerk, PROGRAM)
    expect(clerk.locator("#state")).to_have_attribute("data-state", "sealed", timeout=30_000)
    expect(clerk.locator("[data-verdict=valid]").first).to_be_visible()
    act(clerk, "Ban hành & Gửi")
    expect(clerk.locator("#state")).to_have_attribute("data-state", "issued")


def test_the_token_signs_a_hash_and_the_signature_stands_in_its_prepared_field(enter, district, parts, fake) -> None:  # type: ignore[no-untyped-def]
    address = waiting(district)
    fake.token = token(district, parts, "lanhdao.huyen", "sign")
    leader = enter("lanhdao.huyen", desk=True)
    leader.goto(address)
    press(leader, "Ký bằng Web eID")
    expect(leader.locator("[data-status]")).to_have_attribute("data-word", "no_extension", timeout=15_000)
    fake.next("wrong_pin", op="SignMsg")
    press(leader, TOKEN)
    expect(leader.locator("[data-status]")).to_contain_text("Sai mã PIN", timeout=30_000)
    fake.next(op="SignMsg", variant={"lines": True})
    press(leader, TOKEN)
    expect(leader.locator("#state")).to_have_attribute("data-state", "signed", timeout=30_000)
    with district.person("lanhdao.huyen") as api:
        report = api.report(re.sub(r".*/", "", address))
    assert report["verdict"] == "valid"


def test_program_and_token_mark_the_attachments_and_then_seal_and_a_mark_that_is_there_is_not_asked_for_again(
    enter, district, parts, fake
) -> None:  # type: ignore[no-untyped-def]
    with district.person("chuyenvien.huyen") as officer:
        draft = officer.draft(
            officer.upload(SAMPLE.read_bytes(), "quyet-dinh.pdf")["id"], signer=officer.leaders()[0]["id"],
            type="decision",
        )  # fmt: skip
        for name in ("phu-luc-1.pdf", "phu-luc-2.pdf"):
            draft = officer.attach(draft, officer.upload(SAMPLE.read_bytes(), name)["id"], not_classified=True)
        submitted = officer.submit(draft)
    with district.person("lanhdao.huyen") as leader:
        signed = leader.sign(submitted, district.logins["lanhdao.huyen"].pin)
    with district.person("vanthu.huyen") as api:
        numbered = api.number(signed, "qd")
    clerk = enter("vanthu.huyen", desk=True)
    clerk.goto(f"/documents/{numbered['id']}")
    fake.token = token(district, parts, "vanthu.huyen", "seal")
    fake.next(op="SignAppendix")
    fake.next("wrong_pin", op="SignAppendix")
    press(clerk, PROGRAM)
    expect(clerk.locator("[data-status]")).to_contain_text("Sai mã PIN", timeout=30_000)
    with district.person("vanthu.huyen") as api:
        assert [one["sealed"] for one in api.document(numbered["id"])["attachments"]] == [True, False]
    press(clerk, TOKEN)
    expect(clerk.locator("#state")).to_have_attribute("data-state", "sealed", timeout=30_000)
    with district.person("vanthu.huyen") as api:
        assert [one["sealed"] for one in api.document(numbered["id"])["attachments"]] == [True, True]
