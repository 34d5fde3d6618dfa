"""A Decree-30 letter, and the way from an upload to a sealed file, for the tests of this room."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from keys.authority import PilotAuthority
from keys.model import RevocationData, Signer
from keys.timestamps import OnlineTsa
from signing.model import LEADER_FIELD, SEAL_FIELD, SignaturePurpose, SignIntent
from signing.prepare import prepare_document
from signing.sign import (
    check_prepared,
    finish_signature,
    finish_timestamp,
    prepare_signature,
    prepare_timestamp,
    unsigned_token_digest,
)
from signing.stamp import draw_seal_image, draw_signature_image, fill_number_date

FONTS = Path(__file__).parents[2] / "signing" / "fonts"
NOTATION = "/QĐ-UBND"
NUMBER = "15/QĐ-UBND"
DAY = date(2026, 3, 5)
PLACE = "Cư M'gar"

LEFT, RIGHT = 180, 410


def draw_letter(
    *,
    rotate: int = 0,
    number: str = "Số:          /QĐ-UBND",
    day: str = "Cư M'gar, ngày       tháng      năm 2026",
    mark: str | None = None,
    pages: int = 1,
    kind: str | None = "QUYẾT ĐỊNH",
) -> bytes:
    """A letter of a district, as a word processor sets it; `rotate` turns the page, the view stays upright."""
    pdfmetrics.registerFont(TTFont("Serif", FONTS / "LiberationSerif-Regular.ttf"))
    pdfmetrics.registerFont(TTFont("SerifI", FONTS / "LiberationSerif-Italic.ttf"))
    out = io.BytesIO()
    width, height = A4
    canvas = Canvas(out, pagesize=A4, invariant=True)
    for page in range(pages):
        _turn(canvas, rotate, width, height)
        if page == 0:
            _draw_head(canvas, number, day, mark, kind)
        canvas.setFont("Serif", 13)
        for line in range(8):
            canvas.drawString(
                85, 590 - 20 * line, f"Điều {line + 1}. Ban hành kèm theo Quyết định này quy chế của đơn vị."
            )
        if page == pages - 1:
            _draw_foot(canvas)
        canvas.setPageRotation(rotate)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _turn(canvas: Canvas, rotate: int, width: float, height: float) -> None:
    """So that the text is upright after the reader turned the page clockwise by `rotate`."""
    turns = {90: (0, 1, -1, 0, height, 0), 180: (-1, 0, 0, -1, width, height), 270: (0, -1, 1, 0, 0, width)}
    if rotate:
        canvas.transform(*turns[rotate])


def _draw_head(canvas: Canvas, number: str, day: str, mark: str | None, kind: str | None) -> None:
    canvas.setFont("Serif", 13)
    canvas.drawCentredString(LEFT, 780, "ỦY BAN NHÂN DÂN")
    canvas.drawCentredString(LEFT, 764, "HUYỆN CƯ M'GAR")
    canvas.drawCentredString(RIGHT, 780, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM")
    canvas.drawCentredString(RIGHT, 764, "Độc lập - Tự do - Hạnh phúc")
    canvas.drawCentredString(LEFT, 735, number)
    if mark:
        canvas.drawCentredString(120, 712, mark)
    if kind:
        canvas.drawCentredString(300, 690, kind)
        canvas.drawCentredString(300, 670, "Về việc ban hành Quy chế tiếp công dân")
    else:
        canvas.setFont("Serif", 12)
        canvas.drawCentredString(LEFT, 715, "V/v mời họp giao ban")
    canvas.setFont("SerifI", 13)
    canvas.drawCentredString(RIGHT, 735, day)


def _draw_foot(canvas: Canvas) -> None:
    canvas.setFont("Serif", 11)
    canvas.drawString(85, 300, "Nơi nhận:")
    canvas.drawString(85, 286, "- Như Điều 3;")
    canvas.setFont("Serif", 13)
    canvas.drawCentredString(430, 300, "TM. ỦY BAN NHÂN DÂN")
    canvas.drawCentredString(430, 284, "CHỦ TỊCH")
    canvas.drawCentredString(430, 190, "Nguyễn Văn An")


@dataclass(frozen=True)
class Desk:
    """Signs as the product does: prepare, check, key, TSA, finish."""

    tsa: OnlineTsa
    revocation: RevocationData
    leader: Signer
    seal: Signer

    def sign(self, pdf: bytes, purpose: SignaturePurpose) -> bytes:
        leads = purpose is SignaturePurpose.LEADER
        key = self.leader if leads else self.seal
        image = draw_signature_image("Nguyễn Văn An") if leads else draw_seal_image("UBND huyện Cư M'gar")
        field = LEADER_FIELD if leads else SEAL_FIELD
        name = "Nguyễn Văn An" if leads else "Ủy ban nhân dân huyện Cư M'gar"
        intent = SignIntent(purpose, field, image, name, datetime.now(UTC).replace(microsecond=0))
        prepared = prepare_signature(pdf, intent, key.certificate, key.chain)
        check_prepared(prepared, key.certificate, extends=pdf)
        signature = key.sign(prepared.attributes)
        return finish_signature(
            prepared,
            signature=signature,
            certificate=key.certificate,
            chain=key.chain,
            token=self.tsa.stamp(unsigned_token_digest(signature)),
            revocation=self.revocation,
        )

    def stamp(self, pdf: bytes) -> bytes:
        prepared = prepare_timestamp(pdf)
        return finish_timestamp(prepared, token=self.tsa.stamp(prepared.digest))

    def issue(self, letter: bytes) -> dict[str, bytes]:
        """Every revision on the way, by the step that made it."""
        steps = {"prepared": prepare_document(letter).pdf}
        steps["led"] = self.sign(steps["prepared"], SignaturePurpose.LEADER)
        steps["numbered"] = fill_number_date(steps["led"], number=NUMBER, date=DAY, place_name=PLACE)
        steps["sealed"] = self.sign(steps["numbered"], SignaturePurpose.SEAL)
        steps["stamped"] = self.stamp(steps["sealed"])
        return steps


@pytest.fixture(scope="session")
def letter() -> Callable[..., bytes]:
    """`letter(rotate=90, …)` draws a Decree-30 letter."""
    return draw_letter


@pytest.fixture(scope="session")
def desk(pilot_server, authority: PilotAuthority, leader_key: Signer, seal_key: Signer) -> Desk:
    at = datetime.now(UTC)
    tsa = OnlineTsa(authority.tsa_url, pilot_server.fetch, [authority.certificate])
    return Desk(tsa, RevocationData(crls=(authority.crl(at), authority.root_crl(at))), leader_key, seal_key)


@pytest.fixture(scope="session")
def steps(desk: Desk) -> dict[str, bytes]:
    """One letter on its whole way, made once."""
    return desk.issue(draw_letter())


@pytest.fixture(scope="session")
def scan() -> bytes:
    """A page that is one picture, as a scanner makes it."""
    out = io.BytesIO()
    Image.new("RGB", (1240, 1754), "white").save(out, "PDF", resolution=150)
    return out.getvalue()
