"""Who gets a document, and what its sender sees of them afterwards: real service, real files, both databases."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from api.client import Congvan, Json, Refused
from tests.story.conftest import Service

SAMPLE = Path(__file__).parents[2] / "api" / "samples" / "quyet-dinh.pdf"
DISTRICT, FIRST, SECOND, THIRD = "H99.05", "H99.05.01", "H99.05.02", "H99.05.03"
LEADER, SENDER = "lanhdao.huyen", "vanthu.huyen"


@pytest.fixture
def sender(service: Service) -> Iterator[Congvan]:
    with service.person(SENDER) as clerk:
        yield clerk


@pytest.fixture
def clerk_of(service: Service) -> Iterator[Callable[[str], Congvan]]:
    """`clerk_of(code)` is the clerk of that office in a session of its own."""
    opened: list[Congvan] = []

    def one(code: str) -> Congvan:
        login = next(p.login for p in service.logins.values() if p.office == code and p.login.startswith("vanthu."))
        opened.append(service.person(login))
        return opened[-1]

    yield one
    for client in opened:
        client.close()


@pytest.fixture
def sealed(service: Service, sender: Congvan) -> Callable[[], Json]:
    """`sealed()` is a fresh document that only waits to be issued."""

    def one() -> Json:
        pin = {login: service.logins[login].pin or "" for login in (LEADER, SENDER)}
        upload = sender.upload(SAMPLE.read_bytes(), SAMPLE.name)
        document = sender.submit(sender.draft(upload["id"], signer=sender.leaders()[0]["id"], type="decision"))
        with service.person(LEADER) as leader:
            document = leader.sign(document, pin[LEADER])
        return sender.seal(sender.number(document, "qd"), pin[SENDER])

    return one


def arrival(clerk: Congvan, consignment: Json) -> Json:
    """What a clerk has of a consignment in the inbox."""
    (found,) = [d for d in clerk.inbox() if d["consignment"] == consignment["id"]]
    return clerk.delivery(found["id"])


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """All acts at the same moment: what each gave, or the refusal it got."""
    gate = Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        gate.wait(10)
        try:
            return act()
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_a_dry_run_names_the_offices_that_a_choice_means_and_writes_nothing(sender: Congvan) -> None:
    group = sender.make_group("Hai xã đầu", [FIRST, SECOND])["id"]
    meant = {
        "chosen offices": ([{"office": SECOND}, {"office": FIRST}], [FIRST, SECOND]),
        "a saved group": ([{"group": group}], [FIRST, SECOND]),
        "all subordinates": ([{"under": DISTRICT, "depth": "all"}], [FIRST, SECOND, THIRD]),
        "all subordinates but one": ([{"under": DISTRICT, "except": [SECOND]}], [FIRST, THIRD]),
        "the same office three times": (
            [{"office": FIRST}, {"group": group}, {"under": DISTRICT}], [FIRST, SECOND, THIRD],
        ),
    }  # fmt: skip
    before = len(sender.documents("issued"))
    for what, (asked, codes) in meant.items():
        said = sender.resolve(asked)
        assert [row["office"] for row in said["items"]] == codes, what
        assert said["count"] == len(codes), what
        assert all(row["name"] and not row["problem"] for row in said["items"]), what
    assert len(sender.documents("issued")) == before


def test_each_recipient_gets_exactly_one_delivery_and_nobody_else_gets_any(
    sender: Congvan, sealed: Callable[[], Json], clerk_of: Callable[[str], Congvan]
) -> None:
    group = sender.make_group("Xã thứ hai", [SECOND])["id"]
    consignment = sender.issue(
        sealed(), [{"office": FIRST}, {"group": group}, {"under": DISTRICT, "except": [THIRD]}, {"office": FIRST}]
    )
    assert [d["office"] for d in consignment["deliveries"]] == [FIRST, SECOND]
    for code in (FIRST, SECOND):
        assert arrival(clerk_of(code), consignment)["report"]["verdict"] == "valid"
    assert consignment["id"] not in [d["consignment"] for d in clerk_of(THIRD).inbox()]


def test_a_wrong_recipient_refuses_the_whole_issue_unless_the_sender_wants_the_rest(
    sender: Congvan, sealed: Callable[[], Json]
) -> None:
    document = sealed()
    asked: list[Json] = [{"office": FIRST}, {"office": "H99.05.99"}]
    told = sender.resolve(asked)
    assert [(row["office"], (row["problem"] or {}).get("code")) for row in told["items"]] == [
        (FIRST, None), ("H99.05.99", "recipient-unknown"),
    ]  # fmt: skip
    with pytest.raises(Refused) as refused:
        sender.issue(document, asked)
    assert (refused.value.status, refused.value.code) == (422, "recipient-unknown")
    assert "H99.05.99" in refused.value.problem["detail"]
    unchanged = sender.document(document["id"])
    assert (unchanged["state"], unchanged["version"]) == ("sealed", document["version"])
    assert [d["office"] for d in sender.issue(document, asked, partial=True)["deliveries"]] == [FIRST]


def test_the_sender_sees_each_recipients_state_since_when_and_why(
    sender: Congvan, sealed: Callable[[], Json], clerk_of: Callable[[str], Congvan]
) -> None:
    consignment = sender.issue(sealed(), [{"under": DISTRICT}])
    first, second = clerk_of(FIRST), clerk_of(SECOND)
    taken = arrival(first, consignment)
    registered = first.register(taken, taken["file"]["sha256"])
    refused = second.refuse(arrival(second, consignment), "misdirected", "Gửi nhầm xã")
    seen = {row["office"]: row for row in sender.deliveries(consignment["id"])}
    assert {office: row["state"] for office, row in seen.items()} == {
        FIRST: "registered", SECOND: "refused", THIRD: "consigned",
    }  # fmt: skip
    assert seen[FIRST]["since"] == registered["since"] > consignment["submitted_at"]
    assert seen[SECOND]["since"] == refused["since"] > consignment["submitted_at"]
    assert seen[THIRD]["since"] == consignment["submitted_at"]
    assert seen[FIRST]["incoming"]["number"] == registered["incoming"]["number"]
    assert seen[SECOND]["reason"] == "Gửi nhầm xã"
    assert "Gửi nhầm xã" in seen[SECOND]["why"]["what"]
    assert all(row["why"]["since"] == row["since"] for row in seen.values())


def test_two_clerks_who_register_the_same_arrival_at_once_take_one_number(
    sender: Congvan, sealed: Callable[[], Json], clerk_of: Callable[[str], Congvan]
) -> None:
    consignment = sender.issue(sealed(), [{"office": FIRST}])
    clerks = [clerk_of(FIRST), clerk_of(FIRST)]
    here = arrival(clerks[0], consignment)
    sha256 = here["file"]["sha256"]
    answers = at_once(*(lambda c=c: c.register(here, sha256) for c in clerks))  # type: ignore[misc]
    won = [answer for answer in answers if not isinstance(answer, Refused)]
    lost = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(won) == 1
    # the slower one learns that the state is another now, before its number or in the same moment
    assert [one.code in ("state-changed", "wrong-state") for one in lost] == [True]
    number = won[0]["incoming"]["number"]
    assert clerks[0].delivery(here["id"])["incoming"]["number"] == number
    after = sender.issue(sealed(), [{"office": FIRST}])
    following = clerks[0].register(arrival(clerks[0], after), sha256_of(clerks[0], after))
    assert following["incoming"]["number"] == number + 1


def test_two_arrivals_registered_at_once_take_two_numbers_in_a_row(
    sender: Congvan, sealed: Callable[[], Json], clerk_of: Callable[[str], Congvan]
) -> None:
    consignments = [sender.issue(sealed(), [{"office": THIRD}]) for _ in range(2)]
    clerks = [clerk_of(THIRD), clerk_of(THIRD)]
    here = [arrival(clerk, consignment) for clerk, consignment in zip(clerks, consignments, strict=True)]
    before = max((d["incoming"]["number"] for d in clerks[0].inbox() if d["incoming"]), default=0)
    answers = at_once(
        lambda: clerks[0].register(here[0], here[0]["file"]["sha256"]),
        lambda: clerks[1].register(here[1], here[1]["file"]["sha256"]),
    )
    assert sorted(answer["incoming"]["number"] for answer in answers) == [before + 1, before + 2]


def test_an_arrival_is_moved_only_at_the_version_that_was_seen_and_refused_only_with_a_reason(
    sender: Congvan, sealed: Callable[[], Json], clerk_of: Callable[[str], Congvan]
) -> None:
    consignment = sender.issue(sealed(), [{"office": SECOND}])
    clerk = clerk_of(SECOND)
    here = arrival(clerk, consignment)
    sha256 = here["file"]["sha256"]
    refusals = {
        "state-changed": lambda: clerk.register(here | {"version": here["version"] + 1}, sha256),
        "digest-mismatch": lambda: clerk.register(here, "0" * 64),
        "reason-required": lambda: clerk.refuse(here, "other", " \n\t "),
    }
    for code, act in refusals.items():
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == code
    again = clerk.delivery(here["id"])
    assert (again["state"], again["version"], again["incoming"]) == ("consigned", here["version"], None)
    ended = clerk.refuse(here, "has_errors", "Thiếu phụ lục")
    assert ended["state"] == "refused"
    with pytest.raises(Refused) as refused:
        clerk.register(ended, sha256)
    assert refused.value.code == "already-final"


def sha256_of(clerk: Congvan, consignment: Json) -> str:
    """What the clerk holds of a consignment."""
    digest: str = arrival(clerk, consignment)["file"]["sha256"]
    return digest
