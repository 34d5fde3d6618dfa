"""The whole road by the JSON API: what `make demo` shows, held by a test on both databases."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from api.pilot.walk import Walk
from tests.story.conftest import Service


def test_the_whole_road_holds_step_by_step(service: Service) -> None:
    steps: list[str] = []
    walk = Walk(service.connect, service.logins, service.anchor, lambda step, words: steps.append(f"{step}: {words}"))
    document = walk.whole_road()
    assert document["state"] == "issued"
    assert [step.split(".")[0] for step in steps if step[0].isdigit()] == [str(n) for n in range(1, 13)]


def test_outside_programs_accept_the_sealed_pdf(
    service: Service, program: Callable[[str], str], tmp_path: Path
) -> None:
    document = Walk(service.connect, service.logins, service.anchor, lambda *_: None).whole_road()
    file = tmp_path / "sealed.pdf"
    with service.person("vanthu.huyen") as clerk:
        file.write_bytes(clerk.file(document["id"]))
    answer = subprocess.run([program("pdfsig"), "-nocert", file], capture_output=True, text=True, check=False).stdout
    assert answer.count("Signature is Valid") == 2, answer  # poppler cannot judge a document time stamp
    subprocess.run([program("qpdf"), "--check", file], check=True, capture_output=True)


def test_numbers_follow_each_other_without_a_hole(service: Service) -> None:
    walk = Walk(service.connect, service.logins, service.anchor, lambda *_: None)
    first, second = (walk.whole_road()["number"]["n"] for _ in range(2))
    assert second == first + 1
