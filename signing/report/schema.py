"""The JSON schema of a report, read from the dataclasses: a field that is added there stands here at once.

What is promised: fields are added, never renamed, dropped or given another meaning.
"""

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from signing.model import Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTITY = "urn:congvan:schema:verify-report"

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
}


def report_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of what `report_json` writes."""
    kinds: dict[str, Any] = {}
    _of(Report, kinds)
    own = kinds.pop(Report.__name__)
    return {"$schema": DIALECT, "$id": IDENTITY, "title": "Report", **own, "$defs": dict(sorted(kinds.items()))}


def _of(kind: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(one, kinds) for one in inner]}
    if origin is tuple:
        return {"type": "array", **_items(inner, kinds)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(inner[1], kinds)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        kinds[kind.__name__] = {"description": _promise(kind), "enum": [one.value for one in kind]}
    elif isinstance(kind, type) and is_dataclass(kind):
        kinds[kind.__name__] = {"description": _promise(kind), **_fields(kind, kinds)}
    else:
        raise TypeError(f"no schema for {kind}")
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _items(inner: tuple[Any, ...], kinds: dict[str, Any]) -> dict[str, Any]:
    if inner[-1] is Ellipsis:
        return {"items": _of(inner[0], kinds)}
    return {"prefixItems": [_of(one, kinds) for one in inner], "minItems": len(inner), "maxItems": len(inner)}


def _fields(kind: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass. One with a default came later: reports kept from before do not have it."""
    hints = get_type_hints(kind)
    later = {one.name for one in fields(kind) if one.default is not MISSING}
    return {
        "type": "object",
        "properties": {one.name: _of(hints[one.name], kinds) for one in fields(kind)},
        "required": [one.name for one in fields(kind) if one.name not in later],
    }


def _promise(kind: type) -> str:
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
