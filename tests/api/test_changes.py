"""The signed revision beside today's file, by page, API and command: what was filled in is green, the rest is red."""

import base64
import hashlib
import io
import re
from html import unescape
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops

from api.changes import PUBLIC_PAGES
from api.cli import run
from api.visiting import LIVES, VisitorFile, VisitorFiles
from signing.model import DATE_FIELD, NUMBER_FIELD, SEAL_FIELD
from tests.fixtures.service import AUDITOR, CLERK, COMMUNE_CLERK, OFFICER, OTHER_CLERK, ApiService, letter

RED, GREEN = (208, 0, 0), (0, 128, 64)
AMOUNT = (200, 560, 330, 584)
"""Where the amount of money stands on page 2, in points."""
A4_WIDTH, A4_HEIGHT = 595.28, 841.89
TITLE = "Đã thay đổi gì sau khi ký"


@pytest.fixture(scope="module")
def issued(api_service: ApiService) -> dict[str, Any]:
    """A letter of three pages that was signed, numbered, sealed and sent to the commune."""
    document = api_service.draft(letter(pages=3))
    for step in ("waiting_signature", "signed", "numbered", "sealed", "issued"):
        document = api_service.on(step, document)
    return document


@pytest.fixture(scope="module")
def pdf(api_service: ApiService, issued: dict[str, Any]) -> bytes:
    return api_service.person(CLERK).file(issued["id"])


@pytest.fixture(scope="module")
def forged(pdf: bytes) -> bytes:
    """The letter with another amount stuck over the one on page 2, in a later revision."""
    return stuck_over(pdf, page=1, box=AMOUNT)


def stuck_over(pdf: bytes, *, page: int, box: tuple[int, int, int, int]) -> bytes:
    """`pdf` and a further revision with an annotation that covers a box of a page."""
    x1, y1, x2, y2 = box
    with pikepdf.open(io.BytesIO(pdf)) as document:
        target = document.pages[page].obj
        size, root = int(document.trailer.Size), document.Root.objgen[0]
        kept = b"".join(b"%d 0 R " % one.objgen[0] for one in target.get("/Annots", []))
        target.Annots = pikepdf.Array()
        body = target.unparse(resolved=True).replace(b"/Annots [ ]", b"/Annots [ %s%d 0 R ]" % (kept, size))
        assert b"%d 0 R ]" % size in body
        number = target.objgen[0]
    look = b"0.6 g 0 0 %d %d re f" % (x2 - x1, y2 - y1)
    objects = {
        number: body,
        size: b"<</Type/Annot/Subtype/Stamp/F 4/Rect[%d %d %d %d]/AP<</N %d 0 R>>>>" % (*box, size + 1),
        size + 1: b"<</Type/XObject/Subtype/Form/BBox[0 0 %d %d]/Length %d>>\nstream\n%s\nendstream"
        % (x2 - x1, y2 - y1, len(look), look),
    }
    before = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    written, table = pdf + b"\n", b""
    for one, told in sorted(objects.items()):
        table += b"%d 1\n%010d 00000 n \n" % (one, len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (one, told)
    end = b"trailer\n<</Size %d/Root %d 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
    return written + b"xref\n" + table + end % (size + 2, root, before, len(written))


def check(http: Any, data: bytes, name: str = "Quyết định.pdf", **headers: str) -> str:
    """The page that a visitor gets about a file."""
    answer = http.post("/verify", files={"file": (name, data)}, headers=headers)
    assert answer.status_code == 200, answer.text[:300]
    return str(answer.text)


def links(text: str) -> list[str]:
    """The addresses of the pages about what changed, signature by signature."""
    return re.findall(r'href="([^"]*/signatures/\d+)"', text)


def shown(text: str) -> dict[str, Image.Image]:
    """The pictures of a page, by side."""
    found = re.findall(r'data-side="(\w+)".*?src="data:image/png;base64,([^"]+)"', text, re.DOTALL)
    return {side: Image.open(io.BytesIO(base64.b64decode(data))) for side, data in found}


def areas(text: str) -> list[str]:
    return re.findall(r'data-area="(\w+)"', text)


def around(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The smallest box around all that has a colour."""
    whole = Image.new("RGB", picture.size, colour)
    red, green, blue = ImageChops.difference(picture.convert("RGB"), whole).split()
    different = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return different.point(lambda value: 0 if value else 255).getbbox()


def lies_around(picture: Image.Image, box: tuple[int, int, int, int]) -> bool:
    """Whether all that is red is a frame around that box (in points), with its number at the left."""
    found, (left, top, right, bottom) = around(picture, RED), pixels(box, picture)
    assert found is not None
    return left - 30 <= found[0] < left and found[1:] == pytest.approx((top, right, bottom), abs=6)


def pixels(box: tuple[int, int, int, int], picture: Image.Image) -> tuple[float, ...]:
    """A box in points of an upright A4 page as pixels of its picture."""
    scale = picture.width / A4_WIDTH
    x1, y1, x2, y2 = box
    return (x1 * scale, (A4_HEIGHT - y2) * scale, x2 * scale, (A4_HEIGHT - y1) * scale)


# -- a visitor's page --


def test_an_annotation_over_the_amount_is_boxed_red_where_it_lies_on_its_page(api_service, forged):
    visitor = api_service.http()
    leader, *_ = links(check(visitor, forged))

    told = visitor.get(leader, params={"page": 2})
    assert told.status_code == 200
    assert (areas(told.text), 'data-page="2"' in told.text) == (["other"], True)
    for picture in shown(told.text).values():
        assert lies_around(picture, AMOUNT)
        assert around(picture, GREEN) is None


def test_number_date_and_seal_of_an_honest_letter_are_green_and_nothing_is_red(api_service, pdf):
    visitor = api_service.http()
    leader = links(check(visitor, pdf))[0]
    for page, names in ((1, ["1 · Số", "2 · Ngày"]), (3, ["1 · Con dấu"])):
        told = visitor.get(leader, params={"page": page}).text
        assert TITLE in told
        assert re.findall(r'data-area="allowed">([^<]+)<', told) == names
        assert areas(told) == ["allowed"] * len(names)
        for picture in shown(told).values():
            assert around(picture, GREEN) is not None
            assert around(picture, RED) is None


def test_a_forged_letter_shows_the_filling_and_the_forgery_apart(api_service, forged):
    visitor = api_service.http()
    leader, seal = links(check(visitor, forged))[:2]

    first = visitor.get(leader).text
    assert (areas(first), 'data-page="1"' in first, f'href="{leader}?page=2"' in first) == (["allowed"] * 2, True, True)
    after_seal = visitor.get(seal).text
    assert (areas(after_seal), 'data-page="2"' in after_seal) == (["other"], True)
    assert "thêm ghi chú hoặc hình đè lên trang" in unescape(after_seal)


def test_the_signed_revision_is_given_to_the_visitor_as_it_was_signed(api_service, pdf, forged):
    visitor = api_service.http()
    for link in links(check(visitor, forged))[:2]:
        answer = visitor.get(f"{link}/file")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert forged.startswith(answer.content)
        assert len(answer.content) < len(pdf)
        assert "%E1%BB%8Bnh-ban-da-ky-" in answer.headers["content-disposition"]


def test_a_file_with_nothing_after_its_signature_is_not_kept_and_says_so(api_service, forged):
    visitor = api_service.http()
    signed = visitor.get(f"{links(check(visitor, forged))[0]}/file").content
    before = len(list(folder(api_service).iterdir()))
    text = check(api_service.http(), signed)
    assert (links(text), len(list(folder(api_service).iterdir()))) == ([], before)
    assert "Bản đã ký chính là tệp này" in text


def test_only_the_browser_that_sent_a_file_finds_it_and_only_for_some_minutes(api_service, pdf, monkeypatch):
    visitor, other = api_service.http(), api_service.http()
    link = links(check(visitor, pdf))[0]
    check(other, pdf)
    assert "HttpOnly" in visitor.post("/verify", files={"file": ("a.pdf", pdf)}).headers["set-cookie"]

    for address in (link, f"{link}/file"):
        assert visitor.get(address).status_code == 200
        refused = other.get(address)
        assert (refused.status_code, 'data-code="checked-file-gone"' in refused.text) == (404, True)
        assert api_service.http().get(address).status_code == 404
    assert visitor.get(link.replace("/files/", "/files/x")).status_code == 404

    later = api_service.parts.now() + LIVES * 1.01
    monkeypatch.setattr(type(api_service.parts), "now", lambda _: later)
    assert visitor.get(link).status_code == 404
    check(api_service.http(), pdf)
    assert len(list(folder(api_service).iterdir())) == 1, "what has lived its time goes with the next"


@pytest.mark.parametrize("address", ["0", "99", "1?page=4", "1?page=-1", "1?page=2"])
def test_a_signature_or_page_with_nothing_to_show_is_not_found(api_service, pdf, address):
    visitor = api_service.http()
    base = links(check(visitor, pdf))[0].removesuffix("1")
    assert visitor.get(base + address).status_code == 404


def test_of_a_long_file_a_visitor_is_told_which_pages_nobody_compared(api_service):
    forged = stuck_over(signed_of(api_service, letter(pages=PUBLIC_PAGES + 2)), page=PUBLIC_PAGES + 1, box=AMOUNT)
    visitor = api_service.http()
    told = visitor.get(links(check(visitor, forged))[0]).text
    assert 'id="not-compared"' in told
    assert "2 trang cuối chưa được so sánh" in told


def test_what_cannot_be_drawn_within_the_limits_still_has_its_signed_file(api_service, pdf, monkeypatch):
    service = api_service.quick()
    try:
        visitor = service.http()
        link = links(check(visitor, stuck_over(pdf, page=2, box=AMOUNT)))[0]
        service.parts.sandbox._limits = (1024, 3, 0.001)  # no drawing is that fast
        told = visitor.get(link)
        assert (told.status_code, 'data-code="pdf-too-complex"' in told.text) == (200, True)
        assert visitor.get(f"{link}/file").status_code == 200
    finally:
        service.parts.sandbox.close()


def signed_of(service: ApiService, data: bytes) -> bytes:
    document = service.on("signed", service.on("waiting_signature", service.draft(data)))
    return service.person(OFFICER).file(document["id"])


def folder(service: ApiService) -> Path:
    return service.parts.settings.data / "visiting"


# -- what is kept of visitors' files --


def test_visitors_files_never_take_more_room_than_they_may(tmp_path, api_service):
    files, at = VisitorFiles(tmp_path / "v", most_files=3, most_bytes=5000), api_service.parts.now()
    file = VisitorFile("a.pdf", b"{}", bytes(1000))
    ids = [files.keep("browser", file, at=at + LIVES * n / 10) for n in range(5)]
    found = []
    for id_ in ids:
        try:
            found.append(files.find("browser", str(id_), at=at + LIVES / 2) == file)
        except Exception as error:
            found.append(getattr(error, "code", error))
    assert found == ["checked-file-gone", "checked-file-gone", True, True, True]
    assert files.keep("browser", VisitorFile("b.pdf", b"{}", bytes(3900)), at=at + LIVES / 2) is not None
    assert sum(one.stat().st_size for one in (tmp_path / "v").iterdir()) <= 5000
    assert files.keep("browser", VisitorFile("c.pdf", b"{}", bytes(5000)), at=at + LIVES / 2) is None
    assert {oct(one.stat().st_mode)[-3:] for one in (tmp_path / "v").iterdir()} == {"600"}


# -- stored files --


def addresses(service: ApiService, issued: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Who reads the letter, and where: the sender and the recipient."""
    return [
        (CLERK, COMMUNE_CLERK, f"/documents/{issued['id']}"),
        (COMMUNE_CLERK, CLERK, f"/deliveries/{service.arrival(issued)['id']}"),
    ]


def test_both_sides_see_and_take_the_signed_revision_and_nobody_else_does(api_service, issued, pdf):
    for reader, stranger, address in addresses(api_service, issued):
        browser = api_service.browser(reader).http
        leader, *_ = links(browser.get(address).text)
        assert leader == f"{address}/signatures/1"
        told = browser.get(leader).text
        assert (areas(told), around(shown(told)["now"], RED)) == (["allowed"] * 2, None)
        assert pdf.startswith(browser.get(f"{leader}/file").content)
        for other in (stranger, OTHER_CLERK):
            for path in (leader, f"{leader}/file"):
                assert api_service.browser(other).http.get(path).status_code == 404, (other, path)


def test_a_program_reads_where_what_changed_and_gets_pictures_and_the_signed_file(api_service, issued, pdf):
    for reader, stranger, address in addresses(api_service, issued):
        person = api_service.person(reader)
        told = person.request("GET", f"{address}/signatures/1/changes").json()
        assert told["file_sha256"] == hashlib.sha256(pdf).hexdigest()
        found = told["differences"]
        assert [(one["page"], one["kind"], len(one["areas"])) for one in found] == [
            (0, "changed", 2),
            (2, "changed", 1),
        ]
        assert told["not_compared"] == 0
        parts = [part for one in found for part in one["areas"]]
        assert [(one["field"], one["kind"]) for one in parts] == [
            (NUMBER_FIELD, "allowed"), (DATE_FIELD, "allowed"), (SEAL_FIELD, "allowed"),
        ]  # fmt: skip
        places = [issued["places"][name]["box"] for name in ("number", "date", "seal")]
        assert all(inside(one["box"], place) for one, place in zip(parts, places, strict=True))
        assert any(one["field"] == NUMBER_FIELD and "điền ô" in one["sentence"] for one in told["changes"])
        signed = person.request("GET", f"{address}/signatures/1/file").content
        assert (pdf.startswith(signed), len(signed)) == (True, told["signed_bytes"])
        for side in ("then", "now"):
            png = person.request("GET", f"{address}/signatures/1/pages/0.png?side={side}").content
            assert around(Image.open(io.BytesIO(png)), GREEN) is not None
        for path in ("changes", "file", "pages/0.png"):
            for other in (stranger, OTHER_CLERK):
                token = api_service.person(other).token
                answer = api_service.http().get(
                    f"/api/v1{address}/signatures/1/{path}", headers={"Authorization": f"Bearer {token}"}
                )
                assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), (other, path)


def inside(box: list[float], place: list[float]) -> bool:
    """Whether a box lies within a place on the page, but for the width of a line."""
    return box == pytest.approx([max(box[n], place[n]) if n < 2 else min(box[n], place[n]) for n in range(4)], abs=3)


def test_an_auditor_of_the_office_reads_what_changed(api_service, issued):
    address = f"/documents/{issued['id']}/signatures/1"
    assert api_service.browser(AUDITOR).http.get(address).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("signatures/9/changes", 404, "not-found"), ("signatures/0/file", 404, "not-found"),
        ("signatures/1/pages/7.png", 422, "place-invalid"), ("signatures/1/pages/0.png?side=left", 400, "malformed"),
        ("signatures/x/changes", 400, "malformed"),
    ],
)  # fmt: skip
def test_what_no_signature_or_page_has_is_an_error_of_its_own(api_service, issued, path, status, code):
    token = api_service.person(CLERK).token
    answer = api_service.http().get(
        f"/api/v1/documents/{issued['id']}/{path}", headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_document_that_nobody_signed_has_no_signatures(api_service):
    draft = api_service.standing("draft")
    browser = api_service.browser(CLERK).http
    assert browser.get(f"/documents/{draft['id']}/signatures/1").status_code == 404
    assert links(browser.get(f"/documents/{draft['id']}").text) == []


def test_the_verdict_beside_an_arrival_is_used_again_while_all_it_was_made_from_is_the_same(api_service, issued):
    root = api_service.authority.authority.certificate
    arrival = api_service.arrival(issued)
    person = api_service.person(COMMUNE_CLERK)
    reports = lambda: api_service.kept().rows["exchange_reports"]  # noqa: E731

    assert person.delivery(arrival["id"])["report"]["verdict"] == "valid"
    before = reports()
    assert before > 0, "it is kept as evidence"
    person.delivery(arrival["id"])
    assert reports() == before
    with api_service.parts.read() as reading:
        kept = [one for one in reading.keys.material().anchors if one.der == root]
    with api_service.parts.write() as writing:
        assert writing.keys.remove_anchor(hashlib.sha256(root).hexdigest())
    try:
        assert person.delivery(arrival["id"])["report"]["verdict"] == "unknown", "the root is trusted no more"
        assert reports() == before + 1
    finally:
        with api_service.parts.write() as writing:
            writing.keys.add_anchor(root, kept[0].world, api_service.parts.now())


# -- the command --


@pytest.fixture
def command(api_service, tmp_path, monkeypatch, capfd):
    """`congvan verify …` on files in an empty folder: exit status and what it complained of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONGVAN_OUTGOING_ALLOWED", raising=False)
    root = api_service.parts.settings.pilot / "root.cer"

    def call(*words: object) -> tuple[int, str]:
        capfd.readouterr()
        status = run(["verify", *map(str, words), "--trust", str(root), "--pilot"])
        return status, capfd.readouterr().err

    return call


def test_the_command_writes_the_signed_revision_and_pictures_of_what_changed(command, pdf, forged):
    Path("qd.pdf").write_bytes(forged)
    status, _ = command("qd.pdf", "--signed-revision", "ConDau=ra/seal.pdf", "--pictures", "ra/hinh")

    assert status == 1, "the verdict stays the answer"
    sealed = Path("ra/seal.pdf").read_bytes()
    assert (forged.startswith(sealed), len(sealed) < len(pdf)) == (True, True)
    written = sorted(one.name for one in Path("ra/hinh").iterdir())
    assert {f"{name}-{side}.png" for name in ("1-ChuKyLanhDao-p001", "1-ChuKyLanhDao-p002", "2-ConDau-p002")
            for side in ("then", "now")} <= set(written)  # fmt: skip
    now = Image.open("ra/hinh/2-ConDau-p002-now.png")
    assert lies_around(now, AMOUNT)
    assert around(Image.open("ra/hinh/1-ChuKyLanhDao-p001-now.png"), RED) is None


def test_a_field_that_nobody_signed_is_said_and_nothing_is_written(command, pdf):
    Path("qd.pdf").write_bytes(pdf)
    status, said = command("qd.pdf", "--signed-revision", "so_ky_hieu=a.pdf")
    assert (status, "[signed-revision-missing]" in said, Path("a.pdf").exists()) == (3, True, False)


def test_targets_that_would_overwrite_each_other_are_wrong_usage(command, pdf):
    for name in ("a.pdf", "b.pdf"):
        Path(name).write_bytes(pdf)
    for words in (
        ["--pictures", "x"], ["--signed-revision", "ConDau=x.pdf"], ["--signed-revision", "x.pdf"],
        ["--signed-revision", "A={name}.x", "--signed-revision", "B={name}.x"],
    ):  # fmt: skip
        assert command("a.pdf", "b.pdf", *words)[0] == 64, words
    for target in ("a.pdf", "{name}.pdf"):
        assert command("a.pdf", "b.pdf", "--signed-revision", f"ConDau={target}")[0] == 64
    assert command("a.pdf", "--signed-revision", "ConDau=./a.pdf")[0] == 64
    assert sorted(one.name for one in Path().iterdir()) == ["a.pdf", "b.pdf"]
    assert {one.read_bytes() for one in Path().iterdir()} == {pdf}
    assert command("a.pdf", "b.pdf", "--signed-revision", "ConDau={name}-ky.pdf")[0] == 0
    assert Path("b-ky.pdf").read_bytes() == Path("a-ky.pdf").read_bytes()
