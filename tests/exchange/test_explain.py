"""Why is it still here: a line for the sender in every state that there is, in both languages, without loose ends."""

from datetime import UTC, date, datetime
from itertools import product

import pytest

from exchange.rules.explain import explain
from exchange.rules.model import DeliveryState, IncomingEntry
from tests.exchange.values import OFFICE, OTHER, delivery

S = DeliveryState
SINCE = datetime(2026, 12, 31, 17, 5, tzinfo=UTC)  # five past midnight of the new year in Vietnam
OPENED = datetime(2026, 12, 31, 18, 30, tzinfo=UTC)
ENTRY = IncomingEntry("inc_1", OTHER, "den", 2027, 128, date(2027, 1, 1), "dlv_1")
NAME = "UBND xã Ea Tul"

LINES = [
    # state, label, who acts, sentence
    (S.QUEUED, "Chưa gửi", OTHER, "Chờ chuyển tới UBND xã Ea Tul từ 00:05 01/01/2027."),
    (S.HANDED_OVER, "Đã gửi", OTHER, "Đã chuyển hệ thống của UBND xã Ea Tul lúc 00:05 01/01/2027; chưa có tin đã đến."),
    (S.FAILED, "Gửi lỗi", OFFICE, "Sai kênh. Cần sửa rồi bấm Gửi lại."),
    (S.CONSIGNED, "Đã đến chờ tiếp nhận", OTHER, "Văn thư UBND xã Ea Tul chưa tiếp nhận từ 00:05 01/01/2027."),
    (S.REGISTERED, "Đã tiếp nhận", OTHER, "Số đến 128, ngày 01/01/2027; đã tiếp nhận từ 00:05 01/01/2027."),
    (S.ASSIGNED, "Đã phân công", OTHER, "Số đến 128, ngày 01/01/2027; đã phân công từ 00:05 01/01/2027."),
    (S.PROCESSING, "Đã tiếp nhận đang xử lý", OTHER, "Số đến 128, ngày 01/01/2027; đang xử lý từ 00:05 01/01/2027."),
    (S.COMPLETED, "Đã hoàn thành", None, "Xong lúc 00:05 01/01/2027."),
    (S.REFUSED, "Bị trả lại", OFFICE, "UBND xã Ea Tul trả lại lúc 00:05 01/01/2027: Sai kênh."),
    (S.WITHDRAWN, "Đã thu hồi", None, "Xong lúc 00:05 01/01/2027."),
    (S.REDIRECTED, "Đã chuyển đơn vị khác", None, "Xong lúc 00:05 01/01/2027."),
    (S.REPLACED, "Đã được thay thế", None, "Xong lúc 00:05 01/01/2027."),
]
NUMBERED = {S.REGISTERED, S.ASSIGNED, S.PROCESSING, S.COMPLETED}


@pytest.mark.parametrize(("state", "label", "who", "sentence"), LINES)
def test_each_state_says_who_must_act_and_since_when(state, label, who, sentence):
    entry = ENTRY if state in NUMBERED else None
    why = explain(delivery(state, since=SINCE, incoming=entry, reason="Sai kênh."), NAME)
    assert (why.label, why.who, why.what, why.since) == (label, who, sentence, SINCE)


def test_no_state_is_left_out():
    assert {state for state, *_ in LINES} == set(S)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_state_with_and_without_every_fact_has_a_whole_sentence(language):
    for state, entry, reason, opened in product(S, (None, ENTRY), (None, "Sai {kênh}"), (None, OPENED)):
        here = delivery(state, since=SINCE, incoming=entry, reason=reason, opened_at=opened)
        why = explain(here, NAME, language)
        assert why.label
        assert why.what.endswith(".")
        assert "None" not in why.what
        assert "{" not in why.what.replace("Sai {kênh}", "")


def test_the_two_languages_differ_in_words_and_agree_in_everything_else():
    for state in S:
        here = delivery(state, since=SINCE, incoming=ENTRY, reason="x")
        vi, en = explain(here, NAME, "vi"), explain(here, NAME, "en")
        assert vi.label != en.label
        assert vi.what != en.what
        assert (vi.who, vi.since, vi.next, vi.next_at) == (en.who, en.since, en.next, en.next_at)


def test_the_sender_sees_that_it_was_opened():
    here = delivery(since=SINCE, opened_at=OPENED)
    assert explain(here, NAME).what.endswith("từ 00:05 01/01/2027, đã mở lúc 01:30 01/01/2027.")
    assert explain(here, NAME, "en").what.endswith("since 00:05 01/01/2027, opened at 01:30 01/01/2027.")


def test_whoever_must_act_is_told_what_to_do():
    acts = {state: explain(delivery(state), NAME).next for state in S}
    assert acts[S.CONSIGNED] == "register"
    assert acts[S.FAILED] == "resend"
    assert acts[S.REFUSED] == "mend"
    assert all(acts[state] is None for state in (S.COMPLETED, S.WITHDRAWN, S.REDIRECTED, S.REPLACED))
