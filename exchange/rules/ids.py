"""New ids: a prefix that says what it names, and a UUIDv7 (RFC 9562 §5.7), so that ids of one kind sort by time."""

import secrets
from datetime import datetime


def new_id(prefix: str, at: datetime) -> str:
    """An id such as `doc_0199…`, 32 hexadecimal digits after the prefix; `at` gives its first 48 bits."""
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return f"{prefix}_{value:032x}"
