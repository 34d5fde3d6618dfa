"""The feed over HTTP, and what anybody may ask of the ledger: proofs that a stranger can check by hashes alone."""

import base64
import hashlib
import threading

import pytest

from api import cases
from api.client import Json
from exchange.proof.ledger import (
    Tile,
    check_consistency,
    check_inclusion,
    leaf_hash,
    node_hash,
    note_text,
    open_note,
    read_checkpoint,
    read_tile_path,
    tile_path,
    verifier_key,
)
from exchange.proof.stamps import checked_time
from tests.fixtures.service import CLERK, COMMUNE_CLERK, OTHER_CLERK, ApiService, refusal

TIP = "/api/v1/ledger"


def settle(service: ApiService) -> None:
    while cases.sequence_once(service.parts):
        pass


def last_of(service: ApiService, login: str) -> str:
    """The cursor at the end of that person's feed."""
    after, more = None, True
    while more:
        got = service.person(login).feed(after, limit=500)
        after, more = got["cursor"], got["more"]
    assert after is not None
    return after


@pytest.fixture
def issued(api_service: ApiService) -> tuple[Json, str, str]:
    """A document just issued to a commune, and the cursors of both feeds before."""
    settle(api_service)
    before = last_of(api_service, CLERK), last_of(api_service, COMMUNE_CLERK)
    return api_service.document("issued"), *before


def test_sender_and_recipient_hear_of_an_issue_and_nobody_else_does(api_service: ApiService, issued):
    document, district, commune = issued
    others = last_of(api_service, OTHER_CLERK)
    settle(api_service)
    (arrived,) = api_service.person(COMMUNE_CLERK).feed(commune)["items"]
    assert (arrived["type"], arrived["state"], arrived["code"], arrived["phase"]) == (
        "delivery.consigned", "consigned", "01", "open",
    )  # fmt: skip
    assert arrived["subject"]["document"] == document["id"]
    told = [item["type"] for item in api_service.person(CLERK).feed(district)["items"]]
    assert told[-3:] == ["document.issued", "consignment.submitted", "delivery.consigned"]
    assert api_service.person(OTHER_CLERK).feed(others)["items"] == []
    assert refusal(lambda: api_service.person(OTHER_CLERK).event(arrived["event"])).status == 404
    assert refusal(lambda: api_service.person(OTHER_CLERK).proof(arrived["event"])).code == "not-found"


def test_a_long_poll_is_answered_as_soon_as_something_has_its_place(api_service: ApiService, issued):
    _, _, commune = issued
    got: list[Json] = []
    waiting = threading.Thread(target=lambda: got.append(api_service.person(COMMUNE_CLERK).feed(commune, wait=30)))
    waiting.start()
    settle(api_service)
    waiting.join(timeout=25)
    assert [item["type"] for item in got[0]["items"]] == ["delivery.consigned"]


def test_a_long_poll_with_nothing_new_ends_with_the_same_cursor(api_service: ApiService):
    settle(api_service)
    end = last_of(api_service, OTHER_CLERK)
    assert api_service.person(OTHER_CLERK).feed(end, wait=1) == {
        "office": "H99.05.02", "items": [], "cursor": end, "more": False,
    }  # fmt: skip


def test_an_event_is_proven_to_whoever_holds_its_bytes_and_the_logs_key(api_service: ApiService, issued):
    settle(api_service)
    cases.stamp_newest(api_service.parts)
    person = api_service.person(COMMUNE_CLERK)
    (item,) = person.feed(issued[2])["items"]
    body, proof = person.event(item["event"]), person.proof(item["event"])
    key = verifier_key(api_service.parts.origin, api_service.parts.log_key)
    read = read_checkpoint(open_note(proof["checkpoint"].encode(), key) or "")
    assert read is not None
    _, size, root = read
    path = [bytes.fromhex(one) for one in proof["path"]]
    assert check_inclusion(leaf_hash(body), proof["index"], size, path, root)
    assert not check_inclusion(leaf_hash(body + b" "), proof["index"], size, path, root)
    token = base64.b64decode(proof["stamp"])
    digest = hashlib.sha256(note_text(proof["checkpoint"].encode())).digest()
    roots = [anchor.der for anchor in api_service.parts.trust().anchors]
    assert checked_time(token, digest, roots) is not None
    assert api_service.http().get(f"{TIP}/checkpoints/{size}/stamp").content == token


def test_an_event_without_a_place_gets_one_when_its_party_asks_and_none_when_a_stranger_does(
    api_service: ApiService, issued
):
    document = issued[0]
    event = api_service.person(CLERK).events(document["id"])[-1]
    assert event["index"] is None
    assert refusal(lambda: api_service.person(OTHER_CLERK).proof(event["id"])).status == 404
    assert api_service.person(CLERK).events(document["id"])[-1]["index"] is None
    assert api_service.person(CLERK).proof(event["id"])["time"] in ("pending", "stamped")


def test_a_witness_follows_the_ledger_by_tiles_and_consistency_alone(api_service: ApiService, issued):
    settle(api_service)
    http = api_service.http()
    old = _checkpoint(api_service, http.get(f"{TIP}/checkpoint").content)
    api_service.document("waiting_signature")
    settle(api_service)
    new = _checkpoint(api_service, http.get(f"{TIP}/checkpoint").content)
    leaves = _leaves(http, new[0])
    assert _root(leaves) == new[1]
    assert _root(leaves[: old[0]]) == old[1]
    told = http.get(f"{TIP}/consistency", params={"from": old[0], "to": new[0]}).json()
    path = [bytes.fromhex(one) for one in told["path"]]
    assert check_consistency(old[0], new[0], path, old[1], new[1])
    assert not check_consistency(old[0], new[0], path, bytes(32), new[1])
    assert http.get(f"{TIP}/checkpoints/{old[0]}").content


def test_what_the_ledger_does_not_hold_is_not_found(api_service: ApiService, issued):
    settle(api_service)
    http = api_service.http()
    size = _checkpoint(api_service, http.get(f"{TIP}/checkpoint").content)[0]
    gone = [
        f"tile/0/{(size // 256) + 1:03d}", "tile/0/000.p/256", "tile/0/000.p/0", "tile/0/0", "tile/0/00٣",
        "tile/9/x000/000", "tile/0/000.p/01", "tile/64/000", "tile/0/../0", "tile/0/x999/x999/x999/999",
        f"consistency?from=0&to={size + 1}", "consistency?from=2&to=1", f"checkpoints/{2**70}",
        f"checkpoints/{size + 1}/stamp",
    ]  # fmt: skip
    assert {path: http.get(f"{TIP}/{path}").status_code for path in gone} == dict.fromkeys(gone, 404)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0, 256), "0/000"),
        (Tile(1, 999, 7), "1/999.p/7"),
        (Tile(0, 1234067, 256), "0/x001/x234/067"),
        (Tile(2, 1000, 1), "2/x001/000.p/1"),
    ],
)
def test_tiles_are_named_as_c2sp_names_them(tile: Tile, path: str):
    assert (tile_path(tile), read_tile_path(path)) == (path, tile)


def _checkpoint(service: ApiService, note: bytes) -> tuple[int, bytes]:
    read = read_checkpoint(open_note(note, verifier_key(service.parts.origin, service.parts.log_key)) or "")
    assert read is not None
    return read[1], read[2]


def _leaves(http, size: int) -> list[bytes]:
    """Every leaf hash, read as a mirror would."""
    data = b""
    for place in range(-(-size // 256)):
        width = min(256, size - place * 256)
        data += http.get(f"{TIP}/tile/{tile_path(Tile(0, place, width))}").content
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def _root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1 as it is written there, by halving."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(_root(leaves[:half]), _root(leaves[half:]))
