"""Work that is done beside other work: hashing and drawing let other threads run, reading objects does not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def aside(work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """While this lasts, `work` is done in a thread; what is given waits for it and gives its value or raises its error.

    Leaving waits for the thread, so that nothing of it goes on afterwards. A limited process may have no room for a
    second stack: then the work is done when it is waited for.
    """
    values: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            values.append(work())
        except BaseException as error:  # handed to whoever waits, a want of memory too
            errors.append(error)

    def waited() -> T:
        thread.join()
        if errors:
            raise errors[0]
        return values[0]

    thread = Thread(target=run, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        yield work
        return
    try:
        yield waited
    finally:
        thread.join()
