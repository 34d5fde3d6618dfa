"""`kill -9` in the middle of a batch: each document is old or new, and the same batch again does the rest."""

import threading
from pathlib import Path

import httpx2
import pytest

from tests.story.conftest import Service

SAMPLE = Path(__file__).parents[2] / "api" / "samples" / "quyet-dinh.pdf"
COUNT, BEFORE_THE_KILL = 5, 2


@pytest.mark.long
def test_a_batch_that_was_killed_lost_nothing_and_goes_on_under_its_key(service: Service) -> None:
    leader, pin = service.person("lanhdao.huyen"), service.logins["lanhdao.huyen"].pin or ""
    with service.person("chuyenvien.huyen") as officer:
        signer = leader.me()["id"]
        uploads = [officer.upload(SAMPLE.read_bytes(), "quyet-dinh.pdf") for _ in range(COUNT)]
        documents = [officer.submit(officer.draft(one["id"], signer=signer, type="decision")) for one in uploads]

    lines, enough, cut = [], threading.Event(), threading.Event()

    def signing() -> None:
        try:
            for line in leader.batch("sign", documents, pin, key="killed"):
                lines.append(line)
                if len(lines) == BEFORE_THE_KILL:
                    enough.set()
        except httpx2.TransportError:
            cut.set()

    worker = threading.Thread(target=signing)
    worker.start()
    assert enough.wait(120)
    service.kill()
    assert cut.wait(60), "the batch was over before the kill"
    service.start()

    leader = service.person("lanhdao.huyen")
    told = {line["document"] for line in lines}
    for before in documents:
        now = leader.document(before["id"])
        moved = (now["state"], now["version"]) == ("signed", before["version"] + 1)
        untouched = (now["state"], now["version"]) == ("waiting_signature", before["version"])
        assert moved or (untouched and before["id"] not in told), now

    again = list(leader.batch("sign", documents, pin, key="killed"))
    assert again[:BEFORE_THE_KILL] == lines[:BEFORE_THE_KILL], "what was answered is answered the same"
    assert again[-1] == {"finished": True, "done": COUNT, "failed": 0}
    for document in documents:
        types = [event["type"] for event in leader.events(document["id"])]
        assert types.count("document.signed") == 1
        assert leader.report(document["id"])["verdict"] == "valid"
