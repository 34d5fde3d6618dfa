"""Signatures that wait for each other: several documents' hashes, signed under one authorisation of a remote service.

A one-time code opens one authorisation, and the service binds that to the hashes (CSC API, SCAL 2). So each document is
prepared in a thread of its own, which waits at the key until the others have come there too or have been refused.
"""

import threading
from collections.abc import Sequence

from keys.errors import OtpMissing
from keys.remote import RemoteSigner


class Round:
    """One authorisation for documents that are signed together. Each has a `Seat`; the last to come signs for all."""

    def __init__(self, signer: RemoteSigner, seats: int) -> None:
        self._signer = signer
        self._changed = threading.Condition()
        self._open = seats
        self._waiting: list[bytes] = []
        self._made: Sequence[bytes] | None = None
        self._failed: BaseException | None = None

    def seat(self) -> "Seat":
        """The place of one document; give it up with `leave` when that document is over, signed or not."""
        return Seat(self, self._signer)

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`, made together with the others'. Raises what the service refuses, to each alike."""
        with self._changed:
            place = len(self._waiting)
            self._waiting.append(data)
            self._sign_when_all_have_come()
            self._changed.wait_for(lambda: self._made is not None or self._failed is not None)
            if self._failed is not None:
                raise self._failed
            assert self._made is not None  # noqa: S101 - waited for
            return self._made[place]

    def leave(self) -> None:
        """One document less to wait for."""
        with self._changed:
            self._open -= 1
            self._sign_when_all_have_come()

    def _sign_when_all_have_come(self) -> None:
        over = self._made is not None or self._failed is not None
        if over or not self._waiting or len(self._waiting) < self._open:
            return
        try:
            self._made = self._signer.sign_together(self._waiting)
        except BaseException as error:
            self._failed = error  # whatever it is, nobody waits for ever
        self._changed.notify_all()


class Seat:
    """One document's place in a round: a `keys.model.Signer` for one signature."""

    def __init__(self, round_: Round, signer: RemoteSigner) -> None:
        self._round, self._signer = round_, signer
        self._left = False
        self._used = False

    @property
    def certificate(self) -> bytes:
        return self._signer.certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self._signer.chain

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`. A second one would need a code of its own: `OtpMissing`."""
        if self._used:
            raise OtpMissing
        self._used = True
        return self._round.sign(data)

    def leave(self) -> None:
        """The document is over; called more than once it counts once."""
        if not self._left and not self._used:
            self._round.leave()
        self._left = True
