"""Who a specification means on a day: offices, groups, branches of the tree, and who cannot be a recipient, and why."""

from datetime import date, timedelta

import pytest

from exchange.rules.directory import resolve, subordinates
from exchange.rules.model import Channel, Group, RecipientSpec
from tests.exchange.values import DAY, office

TREE = [
    office("H99"),
    office("H99.05", "H99"),
    office("H99.05.11", "H99.05"),
    office("H99.05.12", "H99.05"),
    office("H99.05.12.1", "H99.05.12"),
    office("H99.06", "H99"),
    office("H99.06.1", "H99.06"),
]
MORE = [
    office("dong", "H99.06", valid_to=DAY),
    office("chua-mo", "H99.06", valid_from=DAY + timedelta(days=1)),
    office("tam-ngung", "H99.06", paused=True),
    office("truc", "H99.06", kind="hub"),
    office("edxml", "H99.06", channel=Channel.EDXML),
]
DIRECTORY = {one.code: one for one in [*TREE, *MORE]}
GROUPS = {"grp_1": Group("grp_1", "H99.05", "Hai xã", ("H99.05.12", "H99.05.11"))}


def codes(*specs: RecipientSpec, on: date = DAY) -> list[str]:
    return [one.office for one in resolve(specs, DIRECTORY, GROUPS, on=on)]


def problems(*specs: RecipientSpec, on: date = DAY) -> dict[str, str | None]:
    return {one.office: one.problem for one in resolve(specs, DIRECTORY, GROUPS, on=on)}


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        (RecipientSpec(office="H99.05.11"), ["H99.05.11"]),
        (RecipientSpec(group="grp_1"), ["H99.05.11", "H99.05.12"]),
        (RecipientSpec(group="grp_1", excepting=("H99.05.11",)), ["H99.05.12"]),
        (RecipientSpec(under="H99.05"), ["H99.05.11", "H99.05.12"]),
        (RecipientSpec(under="H99.05", depth=2), ["H99.05.11", "H99.05.12", "H99.05.12.1"]),
        (RecipientSpec(under="H99.05", depth=None), ["H99.05.11", "H99.05.12", "H99.05.12.1"]),
        (RecipientSpec(under="H99", depth=1, excepting=("H99.06",)), ["H99.05"]),
        (RecipientSpec(under="H99.05", excepting=("H99.05.11", "H99.05.12")), []),
        (RecipientSpec(under="H99.05", depth=0), []),
        (RecipientSpec(under="H99.05.11"), []),
        (RecipientSpec(), []),
    ],
)
def test_a_line_means_these_offices(spec, meant):
    assert codes(spec) == meant


def test_a_branch_never_holds_the_office_it_hangs_under():
    assert "H99.05" not in codes(RecipientSpec(under="H99.05", depth=None))


def test_an_exception_takes_out_one_office_and_keeps_what_hangs_under_it():
    assert codes(RecipientSpec(under="H99.05", depth=None, excepting=("H99.05.12",))) == ["H99.05.11", "H99.05.12.1"]


def test_an_exception_holds_for_its_own_line_only():
    lines = RecipientSpec(under="H99.05", excepting=("H99.05.11",)), RecipientSpec(office="H99.05.11")
    assert codes(*lines) == ["H99.05.11", "H99.05.12"]


def test_an_office_meant_by_several_lines_is_one_recipient_and_the_list_is_sorted():
    lines = (
        RecipientSpec(office="H99.05.12"), RecipientSpec(group="grp_1"), RecipientSpec(under="H99.05"),
        RecipientSpec(office="H99.05.12"),
    )  # fmt: skip
    assert codes(*lines) == ["H99.05.11", "H99.05.12"]


def test_an_office_may_name_itself_as_a_recipient():
    assert problems(RecipientSpec(office="H99.05")) == {"H99.05": None}


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("H99.05.11", None),
        ("khong-co", "recipient-unknown"),
        ("", "recipient-unknown"),
        ("h99.05.11", "recipient-unknown"),  # codes are opaque: no guessing by case
        ("dong", "recipient-locked"),
        ("chua-mo", "recipient-locked"),
        ("tam-ngung", "recipient-paused"),
        ("truc", "recipient-is-hub"),
        ("edxml", "recipient-not-capable"),
    ],
)
def test_an_office_that_cannot_be_reached_is_named_with_its_problem(code, problem):
    assert problems(RecipientSpec(office=code)) == {code: problem}


def test_an_office_holds_from_its_first_day_up_to_the_day_it_ends():
    one = {"x": office("x", valid_from=date(2026, 1, 1), valid_to=date(2026, 7, 1))}
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)]
    told = [resolve([RecipientSpec(office="x")], one, {}, on=day)[0].problem for day in days]
    assert told == ["recipient-locked", None, None, "recipient-locked"]


def test_closed_offices_and_hubs_are_not_of_a_branch_but_a_paused_one_is_named():
    assert problems(RecipientSpec(under="H99.06")) == {
        "H99.06.1": None, "edxml": "recipient-not-capable", "tam-ngung": "recipient-paused",
    }  # fmt: skip


def test_an_unknown_branch_or_a_group_of_somebody_else_is_an_unknown_recipient():
    assert problems(RecipientSpec(under="H00")) == {"H00": "recipient-unknown"}
    assert problems(RecipientSpec(group="grp_of_another_office")) == {"grp_of_another_office": "recipient-unknown"}


@pytest.mark.parametrize("code", ["khong-co", "dong", "tam-ngung", "truc", "edxml"])
def test_a_problem_is_said_in_both_languages(code):
    (one,) = resolve([RecipientSpec(office=code)], DIRECTORY, GROUPS, on=DAY)
    assert one.detail_vi
    assert code in one.detail_vi
    assert one.detail_en
    assert code in one.detail_en


def test_offices_that_are_each_others_parents_do_not_hang_the_search():
    ring = [office("a", "c"), office("b", "a"), office("c", "b"), office("self", "self")]
    assert subordinates("a", ring, None) == {"b", "c"}
    assert subordinates("self", ring, None) == set()
