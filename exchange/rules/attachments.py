"""Which files may be attached to a document, and how many (exchange page §2, §15)."""

from exchange.errors import TypeNotAllowed

MOST_ATTACHMENTS = 99
PDF = "application/pdf"
ALLOWED: dict[str, str] = {
    "pdf": PDF,
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "csv": "text/csv",
    "txt": "text/plain",
    "xml": "application/xml",
    "json": "application/json",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "zip": "application/zip",
    "dwg": "image/vnd.dwg",
}
"""Endings of names and what they are. Programs, and office files that carry programs, are not among them."""
_PROGRAMS = (b"MZ", b"\x7fELF", b"#!")


def media_type_of(name: str) -> str:
    """What a file is by the ending of its name. Raises `TypeNotAllowed`."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in ALLOWED:
        raise TypeNotAllowed(media_type=f".{ending[:20]}")
    return ALLOWED[ending]


def require_uploadable(name: str, media_type: str) -> None:
    """A PDF under any name, or what may be attached under a name that says so. Raises `TypeNotAllowed`."""
    if media_type != PDF and (media_type not in ALLOWED.values() or media_type_of(name) != media_type):
        raise TypeNotAllowed(media_type=media_type[:80])


def require_no_program(data: bytes) -> None:
    """Raises `TypeNotAllowed` for a program, whatever its name says."""
    if data.startswith(_PROGRAMS):
        raise TypeNotAllowed(media_type="application/x-executable")
