"""Run any of this room's work in a process of its own, with limits: a hostile PDF may kill that process and nothing
else.

Confined: address space, CPU seconds, wall time, number of open files, no file writing (a write to any file fails), no
core dump, every inherited file descriptor but the answering pipe closed, environment emptied. A fresh process serves
one call. Not confined: system calls and the network of the machine. The child holds no secret, no database and no key,
but code that took it over could open sockets; run the service in a container or unit without outgoing network where
that matters.
"""

import io
import multiprocessing
import os
import pickle
import resource
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from signing.errors import NotAPdf, PdfTooComplex, SigningError

P = ParamSpec("P")
R = TypeVar("R")

_MIB = 1 << 20
_MOST_ANSWER = 512 * _MIB
_MOST_FILES = 32
_PRELOADED = [
    "signing.prepare",
    "signing.sign",
    "signing.stamp",
    "signing.pictures",
    "signing._pyhanko.writing",
    "signing.verify",
]
"""Imported once by the fork server, so that a call pays only for a fork."""

_ADMITTED_MODULES = ("signing.model", "signing.errors", "keys.model")
_ADMITTED_NAMES = {
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
}
"""`datetime` values and harmless containers. Other values (tuples, dicts, str, bytes, numbers) need no name in a
pickle.
"""


class Sandbox:
    """At most `workers` calls at a time, each in a fresh limited process; the other callers wait. Safe to share by
    threads.

    `memory_mb` bounds the address space of a process, `cpu_seconds` its computing, `wall_seconds` the waiting for it.
    """

    def __init__(
        self, *, workers: int = 2, memory_mb: int = 1536, cpu_seconds: int = 60, wall_seconds: float = 60
    ) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._free = threading.BoundedSemaphore(workers)
        self._limits = (memory_mb, cpu_seconds)
        self._wall = wall_seconds
        self._closed = False

    def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a top-level function of this room, from a limited process.

        Errors of the room pass through. `PdfTooComplex` when the process went over a limit or died, `NotAPdf` when it
        failed in any other way. Arguments and results are frozen values, bytes and plain containers; results come back
        through an unpickler that makes nothing else.
        """
        if self._closed:
            raise RuntimeError("the sandbox is closed")
        call = pickle.dumps((function, args, kwargs))
        with self._free:
            kind, value = _read_answer(self._ask(call))
        if kind == "value":
            return value  # type: ignore[no-any-return]
        if kind == "error" and isinstance(value, SigningError):
            raise value
        if kind == "limit":
            raise PdfTooComplex(what=str(value)[:40])
        raise NotAPdf()

    def close(self) -> None:
        """Take no more calls. Running ones end by themselves or by their limits."""
        self._closed = True

    def _ask(self, call: bytes) -> bytes:
        """The child's raw answer; `PdfTooComplex` when there is none in time."""
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve_one_call, args=(theirs, self._limits), daemon=True)
        deadline = time.monotonic() + self._wall
        try:
            process.start()
            theirs.close()
            sender = threading.Thread(target=_send, args=(ours, call), daemon=True)
            sender.start()
            if not ours.poll(max(deadline - time.monotonic(), 0)):
                raise PdfTooComplex(what="time")
            return ours.recv_bytes(_MOST_ANSWER)
        except (EOFError, OSError) as error:
            raise PdfTooComplex(what="memory or time") from error
        finally:
            process.kill()
            process.join()
            process.close()
            ours.close()


def _send(connection: Connection, call: bytes) -> None:
    try:
        connection.send_bytes(call)
    except OSError:
        return  # the child died while reading; the caller sees the missing answer


def _serve_one_call(connection: Connection, limits: tuple[int, int]) -> None:
    """The whole life of a child."""
    _confine(connection.fileno(), *limits)
    try:
        function, args, kwargs = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our own parent
        answer: tuple[str, Any] = ("value", function(*args, **kwargs))
    except SigningError as error:
        answer = ("error", error)
    except (MemoryError, RecursionError) as error:
        answer = ("limit", "memory" if isinstance(error, MemoryError) else "nesting")
    except Exception as error:
        answer = ("failure", type(error).__name__)
    connection.send_bytes(pickle.dumps(answer))
    connection.close()
    os._exit(0)  # a fresh process: nothing of it is worth tidying up


def _confine(keep: int, memory_mb: int, cpu_seconds: int) -> None:
    os.environ.clear()
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    os.closerange(3, keep)
    os.closerange(keep + 1, min(highest, 4096))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for limit, amount in (
        (resource.RLIMIT_AS, memory_mb * _MIB),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, max(_MOST_FILES, keep + 1)),
    ):
        resource.setrlimit(limit, (amount, amount))


class _OnlyValues(pickle.Unpickler):
    """Makes this room's values and plain ones; a pickle that names anything else is not read."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _ADMITTED_MODULES and "." not in name:
            found = super().find_class(module, name)
            if (isinstance(found, type) and found.__module__ == module) or (module, name) == (
                "signing.errors",
                "_rebuild",
            ):
                return found
        if (module, name) in _ADMITTED_NAMES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} may not cross")


def _read_answer(answer: bytes) -> tuple[str, Any]:
    try:
        kind, value = _OnlyValues(io.BytesIO(answer)).load()
    except Exception as error:  # hostile bytes may fail in any way
        raise NotAPdf() from error
    return str(kind), value
