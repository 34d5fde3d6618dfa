"""Run any of this room's work in a process of its own, with limits: a hostile PDF may kill that process, nothing else.

A warm server process, started with an empty environment, has imported the room and forks one child for each call.
Confined in the child: address space, CPU seconds, wall time, number of open files, no writing to files, no core dump,
no inherited file descriptor but the answering socket. Not confined: other system calls, reading files that the user
may read, and the network of the machine. The child holds no key, no database and no environment, but code that took it
over could open sockets: run the service without outgoing network of its own where that matters.
"""

import contextlib
import gc
import importlib
import io
import os
import pickle
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from signing.errors import NotAPdf, PdfTooComplex, SigningError

P = ParamSpec("P")
R = TypeVar("R")

_MIB = 1 << 20
_MOST_ANSWER = 512 * _MIB
_MOST_FILES = 32
_START_SECONDS = 60
_READY = b"r"
_PRELOADED = ("signing.prepare", "signing.sign", "signing.stamp", "signing.pictures", "signing._pyhanko.writing")
_PRELOADED_WHERE_PRESENT = ("signing._pyhanko.judging", "signing.verify")

_ADMITTED_MODULES = ("signing.model", "signing.errors", "keys.model")
_ADMITTED_NAMES = {
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("keys.errors", "Words"),
}
"""Beside these, values that need no name in a pickle: tuples, lists, dicts, str, bytes, numbers, None."""


class Sandbox:
    """Serves at most `workers` calls at a time, each in a fresh limited process; other callers wait.

    To be shared by threads. `memory_mb` bounds the address space of a process, `cpu_seconds` its computing,
    `wall_seconds` the waiting for it. The server process starts at once and warms up in the background.
    """

    def __init__(
        self, *, workers: int = 2, memory_mb: int = 1536, cpu_seconds: int = 60, wall_seconds: float = 60
    ) -> None:
        self._limits = (memory_mb, cpu_seconds, wall_seconds)
        self._free = threading.BoundedSemaphore(workers)
        self._lock = threading.Lock()
        self._closed = False
        self._server = _Server(self._limits)

    def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of a top-level function of this room, from a limited process.

        Errors of the room pass through. `PdfTooComplex` when the process went over a limit or died, `NotAPdf` when it
        failed in any other way. Arguments and results are frozen values of `signing.model` and `keys.model`, bytes,
        moments and plain containers; results come back through an unpickler that makes nothing else.
        """
        call = pickle.dumps((function, args, kwargs))
        with self._free:
            kind, value = _read_answer(self._ask(call))
        if kind == "value":
            return value  # type: ignore[no-any-return]
        if kind == "error" and isinstance(value, SigningError):
            raise value
        if kind == "limit":
            raise PdfTooComplex(what=str(value)[:40])
        raise NotAPdf() from RuntimeError(str(value)[:200])

    def close(self) -> None:
        """End the server process and every running call."""
        with self._lock:
            self._closed = True
            self._server.end()

    def _ask(self, call: bytes) -> bytes:
        """The child's raw answer; `PdfTooComplex` when there is none in time."""
        channel = self._new_child()
        deadline = time.monotonic() + self._limits[2]
        try:
            channel.settimeout(self._limits[2])
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                channel.sendall(call)
                channel.shutdown(socket.SHUT_WR)
            return _received(channel, deadline)
        except TimeoutError as error:
            raise PdfTooComplex(what="time") from error
        except OSError as error:
            raise PdfTooComplex(what="crash") from error
        finally:
            channel.close()

    def _new_child(self) -> socket.socket:
        """A channel to a fresh child; the server is started again when something ended it."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the sandbox is closed")
            try:
                return self._server.fork()
            except OSError:
                self._server.end()
                self._server = _Server(self._limits)
                return self._server.fork()


class _Server:
    """The parent's side of the server process."""

    def __init__(self, limits: tuple[int, int, float]) -> None:
        self._control, theirs = socket.socketpair()
        # not multiprocessing's fork server: that one imports the program's main module into every child
        program = f"from signing.sandbox import serve; serve({limits!r})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(filter(None, map(os.path.abspath, sys.path))), "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        self._ready = False

    def fork(self) -> socket.socket:
        """A channel to a new child. Raises OSError when the server is gone."""
        if not self._ready:
            self._control.settimeout(_START_SECONDS)
            if self._control.recv(1) != _READY:
                raise ConnectionResetError("the limited process did not start")
            self._ready = True
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [_READY], [theirs.fileno()])
        return ours

    def end(self) -> None:
        self._control.close()  # the server ends its children and itself when this side is closed
        if not self._ready:
            self._process.kill()  # still loading, or never asked: it has no child, and nobody need wait for it
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(limits: tuple[int, int, float]) -> NoReturn:
    """The server process: fork a child for every channel that arrives on descriptor 0, end children that are late."""
    for module in _PRELOADED:
        importlib.import_module(module)
    for module in _PRELOADED_WHERE_PRESENT:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # children share these pages as long as nobody counts in them
    memory_mb, cpu_seconds, wall_seconds = limits
    control = socket.socket(fileno=0)
    control.send(_READY)
    children: dict[int, float] = {}
    while True:
        if select.select([control], [], [], 0.05 if children else None)[0]:
            said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not said:
                _end_late(children, float("inf"))
                os._exit(0)
            child = os.fork()
            if child == 0:
                _serve_one_call(descriptors[0], memory_mb, cpu_seconds)
            os.close(descriptors[0])
            children[child] = time.monotonic() + wall_seconds
        _end_late(children, time.monotonic())


def _end_late(children: dict[int, float], now: float) -> None:
    for child, deadline in list(children.items()):
        if os.waitpid(child, os.WNOHANG)[0]:
            del children[child]
        elif deadline < now:
            os.kill(child, signal.SIGKILL)  # it was not waited for yet, so the number is still its own


def _serve_one_call(descriptor: int, memory_mb: int, cpu_seconds: int) -> NoReturn:
    """The whole life of a child."""
    gc.disable()  # it lives for one call, within a limit of memory
    try:
        channel = _confined(descriptor, memory_mb, cpu_seconds)
        channel.sendall(_answer(_received(channel, None)))
    finally:
        os._exit(0)  # a fresh process: nothing of it is worth tidying up, and the server's code is not to be run on


def _answer(call: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301 - from our own parent
        return pickle.dumps(("value", function(*args, **kwargs)))
    except SigningError as error:
        return pickle.dumps(("error", error))
    except MemoryError:
        return pickle.dumps(("limit", "memory"))
    except RecursionError:
        return pickle.dumps(("limit", "nesting"))
    except Exception as error:
        return pickle.dumps(("failure", f"{type(error).__name__}: {error}"))


def _confined(descriptor: int, memory_mb: int, cpu_seconds: int) -> socket.socket:
    """Give up everything but one channel, which becomes descriptor 3."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(descriptor, 3) if descriptor != 3 else None
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.closerange(4, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536))
    for limit, amount in (
        (resource.RLIMIT_AS, memory_mb * _MIB),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
    ):
        resource.setrlimit(limit, (amount, amount))
    return socket.socket(fileno=3)


def _received(channel: socket.socket, deadline: float | None) -> bytes:
    """All bytes until the other side stops writing. Raises TimeoutError; ConnectionResetError when none come."""
    received = io.BytesIO()
    while True:
        if deadline is not None:
            channel.settimeout(max(deadline - time.monotonic(), 0.001))
        part = channel.recv(_MIB)
        if not part:
            break
        received.write(part)
        if received.tell() > _MOST_ANSWER:
            raise ConnectionResetError("too long")
    if not received.tell():
        raise ConnectionResetError("no answer")
    return received.getvalue()


class _OnlyValues(pickle.Unpickler):
    """Makes this room's values and plain ones; a pickle that names anything else is not read."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ADMITTED_NAMES or (module, name) in (
            ("signing.errors", "_rebuild"),
            ("keys.errors", "Words"),
        ):
            return super().find_class(module, name)
        if module in _ADMITTED_MODULES and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} may not cross")


def _read_answer(answer: bytes) -> tuple[str, Any]:
    try:
        kind, value = _OnlyValues(io.BytesIO(answer)).load()
    except Exception as error:  # hostile bytes may fail in any way
        raise NotAPdf() from error
    return str(kind), value
