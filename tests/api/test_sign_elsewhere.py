"""A key that is not here signs: prepare → the hash is signed elsewhere → finish; and all that may be wrong with it."""

import base64
import hashlib
from datetime import timedelta
from typing import Any

import pytest

from api import cases, elsewhere, keyring
from api.app import create_app
from api.client import Json
from api.wiring import Parts, build_parts
from exchange.rules.model import Role
from keys.errors import CertificateUnfit
from keys.model import Purpose
from tests.fixtures.service import (
    CLERK,
    COMMUNE_CLERK,
    COMMUNE_LEADER,
    LEADER,
    OFFICER,
    ApiService,
    add_person,
    at_once,
    refusal,
)
from tests.fixtures.tokens import MakeToken, Token, hash_of


@pytest.fixture(scope="module")
def leader_token(make_token: MakeToken) -> Token:
    return make_token(LEADER)


@pytest.fixture(scope="module")
def seal_token(make_token: MakeToken) -> Token:
    return make_token(CLERK, seal=True)


def standing(service: ApiService, document: Json) -> tuple[Any, ...]:
    """All that a refusal must leave as it was."""
    now = service.person(CLERK).document(document["id"])
    return now["state"], now["version"], now["revision"], now["pending_signature"]


def prepared_and_signed(service: ApiService, document: Json, token: Token, act: str = "sign") -> tuple[Json, bytes]:
    person = service.person(LEADER if act == "sign" else CLERK)
    prepared = person.prepare(document, act, token.certificate)
    return prepared, token.sign_hash(hash_of(prepared))


def later(service: ApiService, monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let time pass for the service."""
    now = service.parts.now
    monkeypatch.setattr(Parts, "now", lambda _: now() + by)


# -- it works --


def test_leader_and_seal_sign_with_tokens_and_the_file_is_as_good_as_one_signed_here(
    api_service, leader_token, seal_token
):
    document = api_service.document("waiting_signature")
    leader, clerk = api_service.person(LEADER), api_service.person(CLERK)
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    assert hashlib.sha256(base64.b64decode(prepared["attributes"])).digest() == hash_of(prepared)
    assert base64.b64decode(prepared["hash"]) == hash_of(prepared)
    signed = leader.finish(document, "sign", prepared["signing"], signature)
    assert signed["state"] == "signed"
    numbered = clerk.number(signed, "qd")
    prepared, signature = prepared_and_signed(api_service, numbered, seal_token, "seal")
    sealed = clerk.finish(numbered, "seal", prepared["signing"], signature)
    assert sealed["state"] == "sealed"
    told = api_service.http().post("/api/v1/verify", files={"file": ("a.pdf", clerk.file(document["id"]))}).json()
    assert (told["verdict"], told["two_signatures"]) == ("valid", "complete")
    assert [one["level"] for one in told["signatures"]] == ["B-LTA", "B-LTA", "timestamp"]
    clerk.issue(sealed, [{"office": "H99.05.01"}])


def test_a_card_that_gives_r_and_s_side_by_side_signs_too(api_service, make_token):
    token = make_token(LEADER, curve=True)
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, token)
    assert api_service.person(LEADER).finish(document, "sign", prepared["signing"], signature)["state"] == "signed"


def test_a_preparation_survives_a_restart_of_the_service(api_service, leader_token):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    again = build_parts(api_service.parts.settings)
    try:
        restarted = ApiService(again, create_app(again), api_service.logins, api_service.authority)
        done = restarted.person(LEADER).finish(document, "sign", prepared["signing"], signature)
    finally:
        again.close()
    assert done["state"] == "signed"


def test_the_same_finish_again_gets_the_same_answer_and_another_signature_is_refused(api_service, leader_token):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    leader = api_service.person(LEADER)
    first = leader.finish(document, "sign", prepared["signing"], signature)
    api_service.person(CLERK).number(first, "qd")
    assert leader.finish(document, "sign", prepared["signing"], signature) == first
    before = standing(api_service, document)
    refused = refusal(lambda: leader.finish(document, "sign", prepared["signing"], signature[::-1]))
    assert (refused.code, refused.status) == ("signing-finished", 409)
    assert standing(api_service, document) == before


def test_a_finish_sent_many_times_at_once_signs_once(api_service, leader_token):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    people = [api_service.person(LEADER) for _ in range(4)]
    told = at_once(*(lambda p=p: p.finish(document, "sign", prepared["signing"], signature) for p in people))
    assert all(one == told[0] for one in told)
    types = [e["type"] for e in people[0].events(document["id"])]
    assert types.count("document.signed") == 1


# -- an authority is away --


def test_a_signature_made_while_the_tsa_is_away_is_kept_and_finished_by_the_job(api_service, leader_token):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    api_service.authority.stop()
    try:
        held = api_service.person(LEADER).finish(document, "sign", prepared["signing"], signature)
    finally:
        api_service.authority.start()
    assert (held["state"], held["pending_signature"]) == ("waiting_signature", True)
    cases.finish_signature(api_service.parts, {"session": prepared["signing"]})
    assert standing(api_service, document)[0] == "signed"


def test_nothing_is_prepared_while_revocation_cannot_be_asked(api_service, make_token):
    token = make_token(LEADER)
    document = api_service.document("waiting_signature")
    before = standing(api_service, document)
    api_service.authority.stop()
    try:
        refused = refusal(lambda: api_service.person(LEADER).prepare(document, "sign", token.certificate))
    finally:
        api_service.authority.start()
    assert (refused.code, refused.problem["retryable"]) == ("revocation-unavailable", True)
    assert standing(api_service, document) == before


# -- the wrong certificate, at prepare --


def refused_at_prepare(service: ApiService, certificate: bytes, act: str = "sign") -> str:
    document = service.standing("waiting_signature" if act == "sign" else "numbered")
    before = standing(service, document)
    person = service.person(LEADER if act == "sign" else CLERK)
    with service.nothing_left():
        refused = refusal(lambda: person.prepare(document, act, certificate))
    assert standing(service, document) == before
    return str(refused.code)


def test_the_certificate_of_another_person_or_office_is_refused(api_service, make_token):
    assert refused_at_prepare(api_service, make_token(COMMUNE_LEADER).certificate) == "signer-not-authorised"
    assert refused_at_prepare(api_service, make_token(LEADER, recorded=False).certificate) == "signer-not-authorised"
    assert refused_at_prepare(api_service, make_token(CLERK, seal=True).certificate) == "signer-not-authorised"
    assert refused_at_prepare(api_service, make_token(COMMUNE_CLERK, seal=True).certificate, "seal") == (
        "seal-wrong-office"
    )
    assert refused_at_prepare(api_service, make_token(CLERK).certificate, "seal") == "seal-wrong-office"


def test_a_token_is_recorded_by_its_certificate_and_accepted_until_that_ends(api_service, make_token):
    token = make_token(LEADER, recorded=False)
    whose = keyring.For(LEADER, "H99.05", Purpose.PERSON)
    keyring.bring_in_desk(api_service.parts, whose, [token.certificate])
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, token)
    assert keyring.end_desk(api_service.parts, LEADER, token.certificate)
    assert not keyring.end_desk(api_service.parts, LEADER, token.certificate)
    assert refused_at_prepare(api_service, token.certificate) == "signer-not-authorised"
    finish = api_service.person(LEADER).finish
    assert refusal(lambda: finish(document, "sign", prepared["signing"], signature)).code == "signer-not-authorised"
    with pytest.raises(CertificateUnfit):
        keyring.bring_in_desk(api_service.parts, whose, [make_token(COMMUNE_LEADER).certificate])


def test_a_certificate_out_of_its_time_is_refused(api_service, make_token):
    at = api_service.parts.now()
    over = make_token(LEADER, began=at - timedelta(days=10), days=5)
    not_yet = make_token(LEADER, began=at + timedelta(days=1))
    assert refused_at_prepare(api_service, over.certificate) == "certificate-expired"
    assert refused_at_prepare(api_service, not_yet.certificate) == "certificate-expired"


def test_a_revoked_certificate_is_refused(api_service, make_token):
    token = make_token(LEADER)
    api_service.authority.authority.revoke(token.serial, api_service.parts.now() - timedelta(seconds=1))
    assert refused_at_prepare(api_service, token.certificate) == "signer-revoked"


def test_a_certificate_revoked_between_prepare_and_finish_signs_nothing(api_service, make_token):
    token = make_token(LEADER)
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, token)
    before = standing(api_service, document)
    api_service.authority.authority.revoke(token.serial, api_service.parts.now() - timedelta(seconds=1))
    api_service.parts.revocation._source._kept.clear()
    refused = refusal(lambda: api_service.person(LEADER).finish(document, "sign", prepared["signing"], signature))
    assert refused.code == "signer-revoked"
    assert standing(api_service, document) == before


def test_a_certificate_that_is_not_for_signing_or_that_nobody_vouches_for_is_refused(api_service, make_token):
    assert refused_at_prepare(api_service, make_token(LEADER, kind="service").certificate) == (
        "certificate-not-for-signing"
    )
    assert refused_at_prepare(api_service, make_token(LEADER, kind="stranger").certificate) == "certificate-untrusted"


def test_what_is_no_certificate_is_refused(api_service):
    assert refused_at_prepare(api_service, b"no certificate") == "certificate-unreadable"


# -- a preparation is bound --


def test_a_signature_with_another_key_is_refused_and_the_right_one_may_still_come(
    api_service, leader_token, make_token
):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    before, leader = standing(api_service, document), api_service.person(LEADER)
    for wrong in (make_token(LEADER, curve=True).sign_hash(hash_of(prepared)), signature[:-1] + b"\0", b"x"):
        assert (
            refusal(lambda w=wrong: leader.finish(document, "sign", prepared["signing"], w)).code == "signature-wrong"
        )
    assert standing(api_service, document) == before
    assert leader.finish(document, "sign", prepared["signing"], signature)["state"] == "signed"


def test_a_preparation_is_nobody_elses_and_for_nothing_else(api_service, leader_token):
    document, other = api_service.document("waiting_signature"), api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    tries = [
        lambda: api_service.person(CLERK).finish(document, "sign", prepared["signing"], signature),
        lambda: api_service.person(COMMUNE_LEADER).finish(document, "sign", prepared["signing"], signature),
        lambda: api_service.person(LEADER).finish(other, "sign", prepared["signing"], signature),
        lambda: api_service.person(LEADER).finish(document, "seal", prepared["signing"], signature),
        lambda: api_service.person(LEADER).finish(document, "sign", "sgn_0", signature),
    ]
    assert {refusal(one).code for one in tries} == {"not-found"}


def test_a_preparation_ends_with_its_time_and_is_forgotten_later(api_service, leader_token, monkeypatch):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    before, leader = standing(api_service, document), api_service.person(LEADER)
    later(api_service, monkeypatch, timedelta(minutes=21))
    late = refusal(lambda: leader.finish(document, "sign", prepared["signing"], signature))
    assert (late.code, late.status) == ("signing-expired", 409)
    assert standing(api_service, document) == before
    with api_service.parts.read() as reading:
        kept = reading.exchange.session(prepared["signing"])
    assert api_service.parts.blobs.has(kept.prepared)
    later(api_service, monkeypatch, timedelta(hours=2))
    elsewhere.sweep(api_service.parts)
    assert not api_service.parts.blobs.has(kept.prepared)
    with api_service.parts.read() as reading:
        assert reading.exchange.session(prepared["signing"]) is None


def test_what_was_prepared_and_finished_is_forgotten_too_and_the_same_finish_still_gets_its_answer(
    api_service, leader_token, monkeypatch
):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    leader = api_service.person(LEADER)
    answer = leader.finish(document, "sign", prepared["signing"], signature)
    with api_service.parts.read() as reading:
        file = reading.exchange.session(prepared["signing"]).prepared
    assert api_service.parts.blobs.has(file)
    later(api_service, monkeypatch, timedelta(hours=2))
    elsewhere.sweep(api_service.parts)
    assert not api_service.parts.blobs.has(file)
    monkeypatch.undo()
    assert leader.finish(document, "sign", prepared["signing"], signature) == answer


def test_a_document_that_moved_on_is_not_signed_by_an_old_preparation(api_service, leader_token):
    document = api_service.document("waiting_signature")
    prepared, signature = prepared_and_signed(api_service, document, leader_token)
    leader, officer = api_service.person(LEADER), api_service.person(OFFICER)
    returned = leader.give_back(document, "Thử")
    opened = officer.submit(officer.edit(returned, subject="Đã sửa"))
    before = standing(api_service, document)
    refused = refusal(lambda: leader.finish(document, "sign", prepared["signing"], signature))
    assert (refused.code, refused.status) == ("state-changed", 412)
    assert standing(api_service, document) == before
    assert opened["state"] == "waiting_signature"


def test_of_two_clerks_who_seal_at_once_one_does_and_the_other_learns_it(api_service, seal_token, make_token):
    login = f"vanthu2.{api_service.parts.now().timestamp():.0f}"
    account = add_person(api_service, login, "H99.05", Role.CLERK)
    second = make_token(login, seal=True)
    document = api_service.document("numbered")
    first, clerk = api_service.person(CLERK), api_service.person(login)
    mine = first.prepare(document, "seal", seal_token.certificate)
    theirs = clerk.prepare(document, "seal", second.certificate)
    told = at_once(
        lambda: first.finish(document, "seal", mine["signing"], seal_token.sign_hash(hash_of(mine))),
        lambda: clerk.finish(document, "seal", theirs["signing"], second.sign_hash(hash_of(theirs))),
    )
    done = [one for one in told if isinstance(one, dict)]
    (refused,) = [one for one in told if not isinstance(one, dict)]
    assert account
    assert done[0]["state"] == "sealed"
    assert refused.code in ("state-changed", "wrong-state")
    assert [e["type"] for e in first.events(document["id"])].count("document.sealed") == 1


def test_prepare_needs_the_role_the_state_and_the_version(api_service, leader_token):
    waiting = api_service.standing("waiting_signature")
    prepare = [
        (CLERK, waiting, "sign", "not-allowed"),
        (LEADER, waiting, "seal", "not-allowed"),
        (LEADER, {**waiting, "version": waiting["version"] - 1}, "sign", "state-changed"),
        (LEADER, api_service.standing("signed"), "sign", "wrong-state"),
        (COMMUNE_LEADER, waiting, "sign", "not-found"),
    ]
    for login, document, act, code in prepare:
        told = refusal(lambda p=login, d=document, a=act: api_service.person(p).prepare(d, a, leader_token.certificate))
        assert told.code == code, (login, act)
