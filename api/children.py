"""Programs that the service starts beside itself (worker, pilot authority), and that never outlive it.

A child reads from a pipe that only its parent holds open: when the parent is gone, even by `kill -9`, the pipe ends and
the child ends itself.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence


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

    def stop(self, seconds: float = 15) -> None:
        """End it, by force when it takes longer than `seconds`; harmless when it has ended already."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def end_with_parent() -> None:
    """Called in a child: watch the pipe to the parent and end this process when the parent is gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(70)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
