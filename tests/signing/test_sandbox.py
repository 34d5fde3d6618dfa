"""A call that misbehaves ends in a named error and harms nobody."""

import functools
import os
import pathlib
import pickle
import threading
import time

import pytest

from signing.errors import NotAPdf, PdfTooComplex
from signing.model import PreparedDocument
from signing.prepare import prepare_document
from signing.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox():
    made = Sandbox(wall_seconds=3, cpu_seconds=2)
    yield made
    made.close()


def test_results_and_errors_of_the_room_come_back(sandbox, letter):
    assert isinstance(sandbox.run(prepare_document, letter()), PreparedDocument)
    with pytest.raises(NotAPdf):
        sandbox.run(prepare_document, b"no pdf")


@pytest.mark.parametrize(
    ("function", "argument"),
    [(time.sleep, 20), (os._exit, 0), (bytearray, 8 << 30), (functools.partial(pow, 7), 10**9)],
    ids=["sleeps", "dies", "takes all memory", "computes for ever"],
)
def test_a_process_over_its_limits_is_too_complex(sandbox, function, argument):
    start = time.monotonic()
    with pytest.raises(PdfTooComplex):
        sandbox.run(function, argument)
    assert time.monotonic() - start < 6


def test_nothing_but_values_crosses_back(sandbox, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'ran'}",))

    with pytest.raises(NotAPdf):
        sandbox.run(functools.partial, os.system, "true")
    # `pickle.loads` in the child makes an object whose pickle names a function
    with pytest.raises(NotAPdf):
        sandbox.run(pickle.loads, pickle.dumps(os.getcwd))
    assert not (tmp_path / "ran").exists()


def test_a_process_can_write_no_file_and_sees_no_environment(sandbox, tmp_path):
    target = tmp_path / "written"
    with pytest.raises(NotAPdf):
        sandbox.run(pathlib.Path.write_bytes, target, b"x")
    assert not target.exists() or target.stat().st_size == 0
    assert sandbox.run(os.getenv, "HOME") is None
    assert sandbox.run(os.listdir, "/proc/self/fd")[:5] == ["0", "1", "2", "3", "4"]  # 4 is the listing itself


def test_calls_from_many_threads_all_get_their_own_answer(sandbox):
    answers = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: sandbox.run(pow, n, 2)})) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: n * n for n in range(20)}


def test_a_server_that_died_is_started_again(sandbox):
    sandbox._server._process.kill()
    sandbox._server._process.wait()
    assert sandbox.run(len, b"abc") == 3


def test_a_closed_sandbox_takes_no_call():
    made = Sandbox()
    made.close()
    with pytest.raises(RuntimeError):
        made.run(len, b"")
