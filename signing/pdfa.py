"""What a file that declares PDF/A asks of what we append to it (ISO 19005), and its structure of tags.

Only what our own revisions bring in is seen to: whether the file kept the rules before is its maker's concern.
"""

from collections.abc import Iterable
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from signing.intake import part_declared


def part_of(document: pikepdf.Pdf) -> int | None:
    """The same of an opened document, however its metadata are packed."""
    metadata = document.Root.get("/Metadata")
    if not isinstance(metadata, pikepdf.Stream):
        return None
    try:
        return part_declared(metadata.read_bytes())
    except (pikepdf.PdfError, RuntimeError):
        return None


def empty_look(document: pikepdf.Pdf, width: float, height: float) -> Dictionary:
    """The /AP of a field that shows nothing yet: PDF/A wants one of every annotation (19005-1 6.9, 19005-2 6.3.3)."""
    form = document.make_stream(b"")
    form.Type, form.Subtype = Name.XObject, Name.Form
    form.BBox, form.Resources = Array([0, 0, round(width, 3), round(height, 3)]), Dictionary()
    return Dictionary(N=form)


def tag_field(document: pikepdf.Pdf, field: Any, words: str) -> None:
    """Put a field into the document's tree of tags as a form element with these words; nothing where it has none, or
    one that cannot be read."""
    root = document.Root.get("/StructTreeRoot")
    if not isinstance(root, Dictionary) or not isinstance(root.get("/ParentTree"), Dictionary):
        return
    try:
        tree = pikepdf.NumberTree(root.ParentTree)
        key = max(int(root.get("/ParentTreeNextKey", 0)), max(tree, default=-1) + 1)
        parent = _document_element(root)
        element = document.make_indirect(_form_element(field, words, parent))
        tree[key] = element
        parent.K = Array([*_kids(parent), element])
    except _BROKEN:
        return
    root.ParentTreeNextKey = key + 1
    field.StructParent, field.TU = key, String(words)
    field.P.Tabs = Name.S


def untag_field(document: pikepdf.Pdf, field: Any) -> None:
    """Take a field out of the tree of tags again."""
    root = document.Root.get("/StructTreeRoot")
    if "/StructParent" not in field or not isinstance(root, Dictionary):
        return
    try:
        key, tree = int(field.StructParent), pikepdf.NumberTree(root.ParentTree)
        element = tree[key]
        del tree[key]
        element.P.K = Array([kid for kid in _kids(element.P) if _number_of(kid) != element.objgen])
    except _BROKEN:
        return


_BROKEN = (pikepdf.PdfError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
"""What reading a tree raises that somebody made by hand: such a document keeps its tree as it is."""


def _form_element(field: Any, words: str, parent: Any) -> Dictionary:
    reference = Dictionary(Type=Name.OBJR, Obj=field, Pg=field.P)
    return Dictionary(Type=Name.StructElem, S=Name.Form, P=parent, Pg=field.P, Alt=String(words), K=reference)


def _number_of(kid: Any) -> tuple[int, int] | None:
    return kid.objgen if isinstance(kid, Dictionary | Array) else None


def _document_element(root: Any) -> Any:
    """The one element under the root that holds all others, else the root itself."""
    kids = list(_kids(root))
    return kids[0] if len(kids) == 1 and isinstance(kids[0], Dictionary) and kids[0].is_indirect else root


def _kids(element: Any) -> Iterable[Any]:
    kids = element.get("/K")
    if kids is None:
        return ()
    return list(kids) if isinstance(kids, Array) else (kids,)
