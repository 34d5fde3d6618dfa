"""The organisation's mark on every separate attachment, with the key that is open for the seal (R41)."""

from api.accounts import Caller
from api.wiring import Parts
from exchange.acts import attach
from exchange.acts.signature import complete_signature, make_signature
from exchange.storage.store import found_document
from keys.model import Signer
from signing.model import SignaturePurpose
from signing.stamp import attachment_mark


def mark_attachments(parts: Parts, caller: Caller, document: str, version: int, signer: Signer, name: str) -> None:
    """Sign each PDF attachment that has no mark yet, each in a transaction of its own; the document stays as it is.

    What was marked stays marked when a later one fails or the service ends in the middle: the next try does the rest.
    Raises what a signature raises; with an authority away nothing waits, the seal is asked for again.
    """
    with parts.read() as reading:
        waiting = attach.unsealed(reading.exchange, caller.actor, document, version)
        number = found_document(reading.exchange, document, caller.actor).number
    assert number is not None or not waiting  # noqa: S101 - `numbered` has a number
    tools = parts.tools()
    for one in waiting:
        assert number is not None  # noqa: S101 - see above
        at = parts.now()
        made = make_signature(
            tools, one.file, SignaturePurpose.ATTACHMENT, signer, image=b"", name=name, at=at,
            lines=attachment_mark(number.written, at),
        )  # fmt: skip
        signed = complete_signature(tools, made, office_code=caller.actor.office, at=parts.now())
        with parts.write() as writing:
            attach.seal_attachment(writing.tx, caller.actor, document, version, one.id, signed, at=parts.now())
