"""Uploads that nobody finishes are forgotten after a day, with their bytes; finished ones and young ones stay."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from api.cases import UPLOAD_LIVES, sweep_uploads
from api.migrations import upgrade
from api.settings import load_settings
from api.wiring import Parts, build_parts
from exchange.rules.model import Upload


@pytest.fixture
def parts(tmp_path: Path, database_url: str):
    made = build_parts(load_settings(data=tmp_path / "data", database_url=database_url))
    made.sandbox.close()  # no PDF is opened here
    upgrade(made.database.writer)
    yield made
    made.close()


def begin(parts: Parts, id_: str, age: timedelta, *, done: bool = False) -> None:
    begun = parts.now() - age
    upload = Upload(id_, "H99", "p_1", "a.pdf", 9, "0" * 64, "application/pdf", done, begun)
    with parts.write() as writing:
        writing.tx.store.add_upload(upload)
    if not done:
        parts.blobs.upload_append(id_, 0, b"half")


def test_only_what_was_begun_a_day_ago_and_never_finished_is_swept(parts, tmp_path):
    day, hour = UPLOAD_LIVES, timedelta(hours=1)
    begin(parts, "upl_old", day + hour)
    begin(parts, "upl_young", day - hour)
    begin(parts, "upl_whole", day + hour, done=True)
    stray = tmp_path / "data" / "files" / "uploads" / "0123.tmp"
    stray.write_bytes(b"of a killed writer")
    os.utime(stray, ((parts.now() - day - hour).timestamp(),) * 2)
    sweep_uploads(parts)
    sweep_uploads(parts)
    with parts.read() as reading:
        left = [id_ for id_ in ("upl_old", "upl_young", "upl_whole") if reading.exchange.upload(id_)]
    assert left == ["upl_young", "upl_whole"]
    assert [parts.blobs.upload_size(id_) for id_ in ("upl_old", "upl_young")] == [0, 4]
    assert not stray.exists()
