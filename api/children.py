"""Programs that the service starts beside itself (worker, pilot authority), and that never outlive it.

A child reads from a pipe that only its parent holds open: when the parent is gone, even by `kill -9`, the pipe ends and
the child ends itself.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import structlog

SOONEST_RESTART_SECONDS = 0.5
LATEST_RESTART_SECONDS = 30.0

log = structlog.get_logger("congvan.children")


class Child:
    """A running `congvan` command; `stop()` ends it in good order, the parent's death ends it at once."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "api.cli", *arguments], stdin=subprocess.PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        """True while it runs."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._process.wait()

    def stop(self, seconds: float = 15) -> None:
        """End it, by force when it takes longer than `seconds`; harmless when it has ended already."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Kept:
    """A command that runs until `stop()`: whenever it ends by itself, even by `kill -9`, it is started again.

    The waits grow while it keeps ending, up to half a minute, and never further.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self._stopping = threading.Event()
        self._changing = threading.Lock()
        self._child = Child(self._arguments)
        self._keeper = threading.Thread(target=self._keep, name=f"keep-{self._arguments[0]}", daemon=True)
        self._keeper.start()

    def stop(self, seconds: float = 15) -> None:
        """End it for good, by force when it takes longer than `seconds`."""
        with self._changing:
            self._stopping.set()
            self._child.stop(seconds)
        self._keeper.join()

    def _keep(self) -> None:
        wait = SOONEST_RESTART_SECONDS
        while True:
            begun = time.monotonic()
            status = self._child.wait()
            if time.monotonic() - begun > LATEST_RESTART_SECONDS:
                wait = SOONEST_RESTART_SECONDS
            if self._stopping.wait(wait):
                return
            log.error("child-ended", command=self._arguments[0], status=status)
            with self._changing:
                if self._stopping.is_set():
                    return
                self._child = Child(self._arguments)
            wait = min(wait * 2, LATEST_RESTART_SECONDS)


def end_with_parent() -> None:
    """Called in a child: watch the pipe to the parent and end this process when the parent is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(70)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
