"""Several people sign one document in order, each in a field made before the first signature (exchange page §3.2)."""

import io
import itertools
from typing import Any

import pikepdf
import pytest

from api.client import Json
from tests.fixtures.letters import draw_letter
from tests.fixtures.service import CLERK, COMMUNE_LEADER, LEADER, OFFICER, ApiService, at_once, refusal

HEAD, DEPUTY = "chanhvanphong.huyen", "phochutich.huyen"
ORDER = ((HEAD, "initial"), (DEPUTY, "sign"), (LEADER, "sign"))


def wish(service: ApiService, *lines: tuple[str, str]) -> list[Json]:
    return [{"person": service.account(login), "part": part} for login, part in lines]


def waiting(service: ApiService, *lines: tuple[str, str]) -> Json:
    """A document that waits for those people."""
    draft = service.draft(draw_letter())
    return service.person(OFFICER).submit(draft, wish(service, *lines))


def sign(service: ApiService, login: str, document: Json, **more: Any) -> Json:
    return service.person(login).sign(document, service.pin(login), **more)


@pytest.fixture(scope="module")
def signed(api_service: ApiService) -> Json:
    """A document that was initialled, signed by the deputy, signed by the leader."""
    document = waiting(api_service, *ORDER)
    for login, _ in ORDER:
        document = sign(api_service, login, document)
    return document


def test_each_hand_has_its_event_and_only_the_last_signature_moves_the_document(api_service, signed):
    events = [e["type"] for e in api_service.person(CLERK).events(signed["id"])]
    assert signed["state"] == "signed"
    assert events[-4:] == [
        "document.submitted_for_signature", "document.initialled", "document.partly_signed", "document.signed",
    ]  # fmt: skip
    assert [one["done"] for one in signed["signers"]] == [True, True, True]


def test_the_first_signature_certifies_form_filling_whoever_makes_it_and_the_others_approve(api_service, signed):
    with pikepdf.open(io.BytesIO(api_service.person(CLERK).file(signed["id"]))) as pdf:
        fields = {str(f.T): f for f in pdf.Root.AcroForm.Fields}
        assert [one["field"] for one in signed["signers"]] == ["KyNhay1", "ChuKyLanhDao2", "ChuKyLanhDao"]
        assert fields["KyNhay1"].V.Reference[0].TransformParams.P == 2
        for name in ("ChuKyLanhDao2", "ChuKyLanhDao"):
            assert "/Reference" not in fields[name].V
        assert "/V" not in fields["ConDau"]


def test_every_field_was_there_before_the_first_signature(api_service, signed):
    person = api_service.person(CLERK)
    revisions = [person.file(signed["id"], n) for n in range(2, signed["revision"]["n"] + 1)]
    for earlier, later in itertools.pairwise(revisions):
        assert later.startswith(earlier)
    with pikepdf.open(io.BytesIO(revisions[0])) as pdf:
        names = {str(f.T) for f in pdf.Root.AcroForm.Fields}
    assert names == {"so_ky_hieu", "ngay_thang", "KyNhay1", "ChuKyLanhDao2", "ChuKyLanhDao", "ConDau"}


def test_it_goes_on_to_number_and_seal_and_is_valid_to_a_stranger(api_service, signed):
    clerk = api_service.person(CLERK)
    sealed = clerk.seal(clerk.number(signed, "qd"), api_service.pin(CLERK))
    report = clerk.verify(clerk.file(sealed["id"]))
    assert (report["verdict"], report["two_signatures"]) == ("valid", "complete")
    kinds = [one["verdict"] for one in report["signatures"] if one["kind"] == "signature"]
    assert kinds == ["valid"] * 4


def test_who_comes_too_early_or_twice_is_told_for_whom_it_waits(api_service):
    document = waiting(api_service, *ORDER)
    for login in (DEPUTY, LEADER):
        refused = refusal(lambda login=login: sign(api_service, login, document))
        assert (refused.code, refused.status) == ("not-your-turn", 409)
        assert "Phạm Thu Lan" in refused.problem["detail"]
    after = sign(api_service, HEAD, document)
    assert (after["state"], after["version"]) == ("waiting_signature", document["version"] + 1)
    refused = refusal(lambda: sign(api_service, HEAD, after))
    assert refused.code == "not-your-turn"
    assert "Trần Đức Thảo" in refused.problem["detail"]


def test_who_is_not_named_signs_nothing(api_service):
    document = waiting(api_service, (LEADER, "sign"))
    for login in (DEPUTY, CLERK):
        refused = refusal(lambda login=login: sign(api_service, login, document))
        assert (refused.code, refused.status) == ("not-allowed", 403)


def test_two_clicks_at_once_make_one_signature(api_service):
    document = waiting(api_service, *ORDER)
    first, second = at_once(*(lambda: sign(api_service, HEAD, document) for _ in range(2)))
    refused = next(one for one in (first, second) if not isinstance(one, dict))
    assert refused.code in ("state-changed", "not-your-turn")
    assert sum(e["type"] == "document.initialled" for e in api_service.person(CLERK).events(document["id"])) == 1


def test_a_repeat_with_the_same_key_gets_the_same_answer(api_service):
    document = waiting(api_service, *ORDER)
    first = sign(api_service, HEAD, document, key="nhay-1")
    assert sign(api_service, HEAD, document, key="nhay-1") == first


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (((HEAD, "initial"),), "signing-order-invalid"),
        (((LEADER, "sign"), (HEAD, "initial")), "signing-order-invalid"),
        (((DEPUTY, "sign"),), "signing-order-invalid"),
        (((DEPUTY, "initial"), (DEPUTY, "sign"), (LEADER, "sign")), "signing-order-invalid"),
        (((HEAD, "sign"), (LEADER, "sign")), "signer-unknown"),
        (((COMMUNE_LEADER, "initial"), (LEADER, "sign")), "person-unknown"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_leaves_the_draft_as_it_was(api_service, lines, code):
    draft = api_service.draft()
    with api_service.nothing_left():
        refused = refusal(lambda: api_service.person(OFFICER).submit(draft, wish(api_service, *lines)))
    assert (refused.code, refused.status) == (code, 422)
    assert api_service.person(OFFICER).document(draft["id"])["state"] == "draft"


def test_one_who_is_to_initial_may_send_it_back_and_the_order_begins_anew(api_service):
    document = waiting(api_service, *ORDER)
    partly = sign(api_service, DEPUTY, sign(api_service, HEAD, document))
    refused = refusal(lambda: api_service.person(HEAD).give_back(partly, "Thử"))
    assert refused.code == "not-allowed"
    back = api_service.person(LEADER).give_back(partly, "Sai căn cứ")
    again = api_service.person(OFFICER).submit(api_service.person(OFFICER).edit(back, subject="Đã sửa"))
    assert [one["done"] for one in again["signers"]] == [False, False, False]
    assert sign(api_service, HEAD, again)["signers"][0]["done"]


def test_the_places_of_the_others_are_found_free_or_asked_and_can_be_moved(api_service):
    officer = api_service.person(OFFICER)
    draft = officer.edit(api_service.draft(draw_letter()), signers=wish(api_service, *ORDER))
    places = draft["places"]
    assert set(places) == {"number", "date", "signature", "seal", "KyNhay1", "ChuKyLanhDao2"}
    assert places["KyNhay1"]["confidence"] >= 0.6
    moved = {"page": 0, "box": [100, 100, 160, 130]}
    four = {name: places[name] for name in ("number", "date", "signature", "seal")}
    others = {"KyNhay1": moved, "ChuKyLanhDao2": places["ChuKyLanhDao2"]}
    again = officer.edit(draft, places={**four, "others": others})
    assert again["places"]["KyNhay1"]["box"] == moved["box"]
    assert [one["field"] for one in again["signers"]] == ["KyNhay1", "ChuKyLanhDao2", "ChuKyLanhDao"]


def test_the_desk_counts_what_waits_for_this_very_person(api_service):
    def counted(login: str) -> int:
        with api_service.parts.read() as reading:
            return reading.exchange.waiting_for_signer("H99.05", api_service.account(login))

    before = {login: counted(login) for login, _ in ORDER}
    document = waiting(api_service, *ORDER)
    assert {login: counted(login) - before[login] for login, _ in ORDER} == {HEAD: 1, DEPUTY: 0, LEADER: 0}
    sign(api_service, HEAD, document)
    assert {login: counted(login) - before[login] for login, _ in ORDER} == {HEAD: 0, DEPUTY: 1, LEADER: 0}
