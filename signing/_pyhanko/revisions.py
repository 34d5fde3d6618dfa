"""What each revision of a PDF did to the objects of the one before: a list of changes, each with the place it touches.

Every revision is compared once with its predecessor, over the objects that it names, so the cost is linear in the
revisions. What an object is *for* is learnt by walking the document from its trailer once (page content, form field,
signature, structure, …); a change is judged for every use that the object has.

Only what can be explained as harmless gets a harmless name; everything else is a change of content (signing page §3.8).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from signing._pyhanko.mending import keys_said_twice
from signing.model import Change

Ref = tuple[int, int]
UNREADABLE = object()
"""Stands for an object that the file names and that cannot be read."""

_CATALOG = {
    "/Pages": "pages", "/AcroForm": "form", "/DSS": "dss", "/Metadata": "metadata", "/StructTreeRoot": "structure",
    "/MarkInfo": "structure", "/Lang": "structure", "/Names": "names", "/OpenAction": "action", "/AA": "action",
    "/Perms": "permissions", "/OCProperties": "layers", "/Outlines": "aside", "/PageLabels": "aside", "/Dests": "aside",
    "/ViewerPreferences": "aside", "/PageMode": "aside", "/PageLayout": "aside", "/Threads": "aside",
    "/PieceInfo": "aside", "/Extensions": "extensions", "/Version": "metadata", "/SpiderInfo": "aside",
    "/OutputIntents": "aside", "/AF": "attachment", "/Collection": "catalog", "/URI": "aside", "/Legal": "aside",
}  # fmt: skip
_PAGE = {
    "/Annots": "annotations", "/AA": "action", "/Metadata": "metadata", "/PieceInfo": "aside",
    "/LastModified": "metadata", "/StructParents": "structure", "/Tabs": "aside", "/Thumb": "aside",
    "/Trans": "aside", "/Dur": "aside",
    "/ID": "aside", "/B": "aside", "/AF": "attachment", "/Type": "aside",
}  # fmt: skip
_NAMES = {"/JavaScript": "action", "/EmbeddedFiles": "attachment", "/AP": "action", "/Pages": "page-content"}
_FORM = {"/Fields": "field", "/DR": "form-resources", "/XFA": "action"}
_FIELD = {
    "/Kids": "field", "/V": "value", "/AP": "appearance", "/A": "action", "/AA": "action", "/Lock": "field-rules",
    "/SV": "field-rules", "/Parent": None, "/P": None,
}  # fmt: skip
_ANNOTATION = {"/AP": "appearance", "/A": "action", "/AA": "action", "/Parent": None, "/P": None, "/OC": "layers"}
_BACKWARDS = frozenset({"/Parent", "/P", "/Pg", "/Obj", "/Prev", "/IRT", "/Popup"})
_LINKED = frozenset({"structure", "aside", "names", "action", "annotation-part", "field-part", "catalog", "layers"})
_FILLED = frozenset({"/V", "/AP", "/AS", "/DA", "/M", "/MK", "/DV", "/RV", "/I", "/TI", "/Q", "/DS"})
_SIGNED = _FILLED | {"/F", "/Ff", "/SV", "/Lock", "/NM", "/P", "/Contents"}
_FIELD_KEYS = frozenset({
    "/Ff", "/F", "/MaxLen", "/Opt", "/TU", "/TM", "/P", "/NM", "/StructParent", "/Type", "/Rect", "/T", "/FT",
    "/Subtype", "/AA", "/Kids", "/Parent",
})  # fmt: skip
"""Keys of a plain field that are judged one by one, or that show nothing."""
_FORM_HARMLESS = frozenset({"/SigFlags", "/CO"})
_OWN_WORDS = frozenset({"dss", "metadata", "signature"})
"""Where a key said twice changes nothing that is shown; for signatures the guard asks about the keys that matter."""
_READ_ONLY = 1
_HIDDEN, _PRINT, _NO_VIEW = 2, 4, 32
_NUMBERS = (int, float, Decimal)
_LENGTH = re.compile(rb"/Length\s+(\d+)\s+(\d+)\s+R\b")
_STRINGS = (generic.TextStringObject, generic.ByteStringObject)
_MOST_OBJECTS = 400_000


@dataclass(slots=True)
class _Use:
    """One use of an object: what for, on which page (from 0), for which field."""

    kind: str
    page: int | None = None
    field: str | None = None


@dataclass(slots=True)
class _Graph:
    """What every object is for, as of one revision, kept up as revisions are read."""

    uses: dict[Ref, dict[str, _Use]] = field(default_factory=dict)
    pages: dict[Ref, int] = field(default_factory=dict)
    tree: set[Ref] = field(default_factory=set)
    fields: dict[str, set[Ref]] = field(default_factory=dict)
    """Where the fields of a name stand."""


class Revisions:
    """The revisions of an open PDF. `changes(first)` tells what came after revision `first`, each revision once."""

    def __init__(self, reader: PdfFileReader) -> None:
        self._reader: Any = reader
        self._read: dict[tuple[Ref, Any], Any] = {}
        self._twice: set[tuple[Ref, Any]] = set()
        self._found: dict[int, list[Change]] = {}

    @property
    def count(self) -> int:
        """How many revisions (cross-reference sections) the file has."""
        return int(self._reader.xrefs.total_revisions)

    def changes(self, first: int) -> list[Change]:
        """All that revisions after `first` changed, in order."""
        if first >= self.count - 1:
            return []
        missing = [n for n in range(first, self.count - 1) if n not in self._found]
        if missing:
            begin = missing[0]
            graph = _Graph()
            self._walk_all(graph, begin)
            for n in range(begin, self.count - 1):
                self._found[n] = self._step(graph, n)
        return [change for n in range(first, self.count - 1) for change in self._found[n]]

    def views_differ(self) -> bool:
        """Whether some cross-reference section tells old and new readers different places for one object."""
        for revision in range(self.count):
            data = self._reader.xrefs.get_xref_data(revision)
            if data.hybrid is None:
                continue
            other = data.hybrid.xref_data
            hidden = {n: place for n, (_, place) in other.standard_xrefs.items()} | dict(other.xrefs_in_objstm)
            if any(n in hidden and hidden[n] != place for n, (_, place) in data.standard_xrefs.items()):
                return True
        return False

    # -- one revision after another --

    def _step(self, graph: _Graph, n: int) -> list[Change]:
        """What revision n + 1 did to revision n."""
        found: list[Change] = []
        touched = self._touched(n + 1)
        judge = _Judge(self, graph, n, found)
        again = False
        containers, numbers = self._containers(n), {number for number, _ in graph.uses}
        if self.entries_twice(n + 1):
            found.append(Change("entry-twice", "forbidden", n + 1))
        if any(number >= self._size(n + 1) for number in numbers):
            # "any object in a cross-reference section whose number is greater [than /Size] shall be ignored and
            # defined to be missing" (ISO 32000-2, 7.5.5): some readers do, most do not
            found.append(Change("objects-hidden", "forbidden", n + 1))
        for ref in touched:
            old, new = self.at(ref, n), self.at(ref, n + 1)
            if _same(old, new):
                again = again or not _absent(new)
                continue
            if ref not in graph.uses and ref[0] in numbers and not _absent(new):
                # readers that look at the number alone show the new one
                found.append(Change("generation", "forbidden", n + 1))
            if ref in containers:
                found.append(Change("object-stream", "forbidden", n + 1))
            for use in list(graph.uses.get(ref, {}).values()):
                judge.object(use, old, new)
        judge.trailer(self._trailer(n), self._trailer(n + 1))
        for ref in touched:
            new = self.at(ref, n + 1)
            for use in list(graph.uses.get(ref, {}).values()):
                self._walk(graph, [(new, use)], n + 1)
        self._walk_trailer(graph, n + 1)
        if any(self.said_twice(ref, n + 1) and set(graph.uses.get(ref, ())) - _OWN_WORDS for ref in touched):
            found.append(Change("said-twice", "forbidden", n + 1))
        if again:
            found.append(Change("written-again", "note", n + 1))
        furniture = self._furniture(n + 1)
        if any(ref not in graph.uses and ref not in furniture and not _absent(self.at(ref, n + 1)) for ref in touched):
            found.append(Change("unused-object", "note", n + 1))
        return found

    def _size(self, n: int) -> int:
        """How many objects the newest trailer up to revision n says there are."""
        size = _raw(self._trailer(n), "/Size")
        return int(size) if isinstance(size, int) else 0

    def _containers(self, n: int) -> set[Ref]:
        """The object streams of all revisions up to n: whoever exchanges one exchanges all that it holds."""
        xrefs: Any = self._reader.xrefs
        used = (ref for m in range(n + 1) for ref in xrefs.object_streams_used_in(m))
        return {(ref.idnum, ref.generation) for ref in used}

    def _furniture(self, n: int) -> set[Ref]:
        """Cross-reference and object streams: a file's own bookkeeping."""
        xrefs: Any = self._reader.xrefs
        refs = {*xrefs.xref_stream_refs, *xrefs.object_streams_used_in(n)}
        return {(ref.idnum, ref.generation) for ref in refs}

    def _touched(self, n: int) -> list[Ref]:
        xrefs = self._reader.xrefs
        named = {(r.idnum, r.generation) for r in xrefs.explicit_refs_in_revision(n)}
        freed = {(r.idnum, r.generation) for r in xrefs.refs_freed_in_revision(n)}
        return sorted(named | freed)

    def at(self, ref: Ref, n: int) -> Any:
        """The object as of revision n: its value, `None` when there is none, `UNREADABLE`."""
        reference = generic.Reference(*ref, pdf=self._reader)
        place = self._reader.xrefs.get_historical_ref(reference, n)
        if place is None:
            return None
        known = self._place(ref, place, n)
        if known not in self._read:
            with keys_said_twice() as twice:
                try:
                    value = self._reader.get_object(reference, n, transparent_decrypt=False)
                except Exception:
                    value = UNREADABLE  # whatever the parser stumbles over, the object cannot be shown
            if twice:
                self._twice.add(known)
            self._read[known] = None if isinstance(value, generic.NullObject) else value
        return self._read[known]

    def _place(self, ref: Ref, place: Any, n: int) -> tuple[Ref, Any]:
        # an object in an object stream depends on the revision of that stream, too
        return ref, place if isinstance(place, int) else (place, n)

    def said_twice(self, ref: Ref, n: int) -> bool:
        """Whether a dictionary in the object says one key twice: readers differ in which of the two they take."""
        self.at(ref, n)
        place = self._reader.xrefs.get_historical_ref(generic.Reference(*ref, pdf=self._reader), n)
        return place is not None and self._place(ref, place, n) in self._twice

    def entries_twice(self, n: int) -> bool:
        """Whether the classic cross-reference table of a revision names one object twice, or can be read as if."""
        data = self._reader.stream.getvalue()
        start = self._reader.xrefs.get_startxref_for_revision(n)
        begin = data.find(b"xref", max(start - 4, 0), start + 64)
        if begin < 0:
            return False
        words = data[begin + 4 : data.find(b"trailer", begin)].split()
        if words[:1] == [b"1"] and words[3:5] == [b"65535", b"f"]:
            return True  # some readers count such a table from 0
        seen: set[int] = set()
        while len(words) >= 2 and words[0].isdigit() and words[1].isdigit():
            first, count = int(words[0]), int(words[1])
            if count > len(words):
                return False
            numbers = set(range(first, first + count))
            if numbers & seen:
                return True
            seen |= numbers
            words = words[2 + 3 * count :]
        return False

    def length_of(self, ref: Ref, n: int) -> Ref | None:
        """The object that a stream names as its /Length, which its value no longer tells."""
        place = self._reader.xrefs.get_historical_ref(generic.Reference(*ref, pdf=self._reader), n)
        if not isinstance(place, int):
            return None
        data = self._reader.stream.getvalue()
        head = data[place : data.find(b"stream", place)]
        named = _LENGTH.search(head)
        return (int(named.group(1)), int(named.group(2))) if named else None

    def resolved(self, value: Any, n: int) -> Any:
        """The value behind a reference, as of revision n."""
        for _ in range(10):
            if not isinstance(value, generic.IndirectObject):
                return None if isinstance(value, generic.NullObject) else value
            value = self.at((value.idnum, value.generation), n)
        return UNREADABLE

    def get(self, value: Any, key: str, n: int) -> Any:
        """The resolved entry of a dictionary, None when it is absent."""
        return self.resolved(_raw(value, key), n) if isinstance(value, generic.DictionaryObject) else None

    def _trailer(self, n: int) -> Any:
        return self._reader.trailer.flatten(n)

    # -- what objects are for --

    def _walk_all(self, graph: _Graph, n: int) -> None:
        root = _raw(self._trailer(n), "/Root")
        self._walk_pages(graph, _raw(self.resolved(root, n), "/Pages"), n)
        self._walk_trailer(graph, n)

    def _walk_trailer(self, graph: _Graph, n: int) -> None:
        trailer = self._trailer(n)
        for key, kind in (("/Root", "catalog"), ("/Info", "metadata")):
            value = _raw(trailer, key)
            if value is not None:
                self._walk(graph, [(value, _Use(kind))], n)

    def _walk_pages(self, graph: _Graph, top: Any, n: int) -> None:
        """Number the pages in reading order before anything else is walked."""
        waiting, seen = [top], set[Ref]()
        while waiting:
            value = waiting.pop()
            ref = _ref(value)
            if ref is None or ref in seen:
                continue
            seen.add(ref)
            node = self.resolved(value, n)
            if isinstance(node, generic.DictionaryObject) and "/Kids" in node:
                graph.tree.add(ref)
                waiting.extend(reversed(_items(self.get(node, "/Kids", n))))
            else:
                graph.pages.setdefault(ref, len(graph.pages))

    def _walk(self, graph: _Graph, begin: Iterable[tuple[Any, _Use]], n: int) -> None:
        waiting = list(begin)
        budget = _MOST_OBJECTS
        while waiting:
            budget -= 1
            if budget < 0:
                raise OverflowError("objects")
            value, use = waiting.pop()
            ref = _ref(value)
            if ref is not None:
                use = self._use_of_page(graph, ref, use)
                known = graph.uses.setdefault(ref, {})
                if use.kind in known:
                    continue
                known[use.kind] = use = _Use(use.kind, use.page, use.field)
                value = self.resolved(value, n)
                streams = value is UNREADABLE or isinstance(value, generic.StreamObject)
                if streams and (length := self.length_of(ref, n)):
                    graph.uses.setdefault(length, {}).setdefault(use.kind, use)
            waiting.extend(self._below(graph, value, use, n))

    def _use_of_page(self, graph: _Graph, ref: Ref, use: _Use) -> _Use:
        if use.kind in ("pages", "page") and ref in graph.pages:
            return _Use("page", graph.pages[ref])
        return use

    def _below(self, graph: _Graph, value: Any, use: _Use, n: int) -> Iterator[tuple[Any, _Use]]:
        if isinstance(value, generic.ArrayObject):
            for item in _items(value):
                if self._may_follow(graph, item, use):
                    yield item, _Use("annotation", use.page) if use.kind == "annotations" else use
            return
        if not isinstance(value, generic.DictionaryObject):
            return
        if use.kind in ("field", "annotation"):
            use = self._named(graph, value, use, n)
        for key in value:
            below = _raw(value, key)
            kind = self._kind_below(use.kind, str(key), value, n)
            if kind is not None and self._may_follow(graph, below, _Use(kind)):
                yield below, _Use(kind, use.page, use.field)

    def _named(self, graph: _Graph, value: Any, use: _Use, n: int) -> _Use:
        """The same use with the field's full name, which is kept with the object it was found in."""
        if use.kind == "annotation" and not self.is_widget(value, n):
            return use
        name = self.full_name(value, n)
        container = value.container_ref
        if name is not None and isinstance(container, generic.Reference):
            ref = (container.idnum, container.generation)
            graph.fields.setdefault(name, set()).add(ref)
            known = graph.uses.get(ref, {}).get(use.kind)
            if known is not None:
                known.field = name
        return _Use(use.kind, use.page, name)

    def _may_follow(self, graph: _Graph, value: Any, use: _Use) -> bool:
        ref = _ref(value)
        return ref is None or use.kind == "pages" or (ref not in graph.pages and ref not in graph.tree)

    def _kind_below(self, kind: str, key: str, value: Any, n: int) -> str | None:
        match kind:
            case "catalog":
                return _CATALOG.get(key, "catalog")
            case "pages":
                return "pages" if key == "/Kids" else None if key == "/Parent" else "page-content"
            case "page":
                return None if key == "/Parent" else _PAGE.get(key, "page-content")
            case "names":
                return _NAMES.get(key, "aside")
            case "form":
                return _FORM.get(key, "form")
            case "field":
                if key == "/V" and self.is_signature(value, n):
                    return "signature"
                return _FIELD.get(key, "field-part")
            case "annotation":
                if key == "/V" and self.is_signature(value, n):
                    return "signature"
                return _ANNOTATION.get(key, "annotation-part")
            case "signature" | "permissions":
                return None if key == "/Data" else "signature"
        # a resource may be called /P or /Prev: only where keys have a meaning are these ways back
        return None if key in _BACKWARDS and kind in _LINKED else kind

    def is_widget(self, value: Any, n: int) -> bool:
        return bool(self.get(value, "/Subtype", n) == "/Widget" or "/FT" in value)

    def is_signature(self, value: Any, n: int) -> bool:
        return bool(self.inherited(value, "/FT", n) == "/Sig")

    def inherited(self, value: Any, key: str, n: int) -> Any:
        """An entry of a field that it may have from above."""
        for _ in range(20):
            if not isinstance(value, generic.DictionaryObject):
                return None
            if key in value:
                return self.get(value, key, n)
            value = self.get(value, "/Parent", n)
        return None

    def full_name(self, value: Any, n: int) -> str | None:
        parts: list[str] = []
        for _ in range(20):
            if not isinstance(value, generic.DictionaryObject):
                break
            own = self.get(value, "/T", n)
            if own is not None:
                parts.append(str(own))
            value = self.get(value, "/Parent", n)
        return ".".join(reversed(parts)) or None


class _Judge:
    """Names the changes of one revision."""

    def __init__(self, revisions: Revisions, graph: _Graph, n: int, found: list[Change]) -> None:
        self._r, self._graph, self._n, self._found = revisions, graph, n, found
        self._said: dict[tuple[str, str, str | None, str | None], int] = {}

    def trailer(self, old: Any, new: Any) -> None:
        """Another catalog or another encryption is another document."""
        for key in ("/Root", "/Encrypt"):
            if not _same(_raw(old, key), _raw(new, key)):
                self._say("catalog", "forbidden", _Use("catalog"), key)

    def object(self, use: _Use, old: Any, new: Any) -> None:
        """One object that changed, for one of its uses."""
        if new is UNREADABLE and use.kind not in ("dss", "metadata", "aside", "structure"):
            self._say("object-unreadable", "forbidden", use)
            return
        if old is UNREADABLE:
            old = None
        match use.kind:
            case "dss":
                self._say("long-term-data", "long_term", use)
            case "metadata":
                self._say("metadata", "long_term", use)
            case "extensions":
                self._extensions(use, old, new)
            case "structure" | "aside" | "names" | "attachment":
                self._say(use.kind, "addition", use)
            case "catalog":
                self._catalog(use, old, new)
            case "pages":
                self._pages(use, old, new)
            case "page":
                self._page(use, old, new)
            case "annotations":
                self._annotations(use, old, new)
            case "annotation":
                self._annotation(use, old, new)
            case "form":
                self._form(use, old, new)
            case "form-resources":
                if not self._kept(old, new):
                    self._say("form-resources", "forbidden", use)
            case "field":
                self._fields(use, old, new) if isinstance(new, generic.ArrayObject) else self._field(use, old, new)
            case "appearance" | "value" | "field-part" | "annotation-part":
                self._part(use, old, new)
            case _:
                self._say(use.kind, "forbidden", use)

    # -- catalog and pages --

    def _catalog(self, use: _Use, old: Any, new: Any) -> None:
        for key in _differing(old, new):
            kind = _CATALOG.get(key, "catalog")
            before, after = _raw(old, key), _raw(new, key)
            if kind == "dss":
                removed = after is None
                self._say("long-term-data", "forbidden" if removed else "long_term", use, key)
            elif kind == "form":
                self._form(use, self._at_old(before), self._at_new(after))
            elif kind == "metadata":
                self._say("metadata", "long_term", use, key)
            elif kind == "extensions":
                self._extensions(use, self._at_old(before), self._at_new(after))
            elif kind in ("structure", "aside", "attachment"):
                self._say(kind, "addition", use, key)
            elif kind == "names":
                self._names(use, self._at_old(before), self._at_new(after))
            else:
                self._say(kind, "forbidden", use, key)

    def _extensions(self, use: _Use, old: Any, new: Any) -> None:
        """Long-term proof declares itself as an extension; what was declared before must stay."""
        lost = any(not self._deep_same(_raw(old, key), _raw(new, key)) for key in old or ())
        self._say("metadata", "addition" if lost else "note", use, "/Extensions")

    def _names(self, use: _Use, old: Any, new: Any) -> None:
        for key in _differing(old, new):
            kind = _NAMES.get(key, "aside")
            self._say(kind, "addition" if kind in ("aside", "attachment") else "forbidden", use, key)

    def _pages(self, use: _Use, old: Any, new: Any) -> None:
        for key in _differing(old, new):
            if key in ("/Kids", "/Count"):
                self._say("page-tree", "forbidden", use, key)
            elif key not in ("/Parent", "/Type"):
                self._say("page-content", "forbidden", use, key)

    def _page(self, use: _Use, old: Any, new: Any) -> None:
        for key in _differing(old, new):
            kind = _PAGE.get(key, "page-content")
            before, after = _raw(old, key), _raw(new, key)
            if kind == "annotations":
                self._annotations(use, self._at_old(before), self._at_new(after))
            elif kind == "metadata":
                self._say("metadata", "long_term", use, key)
            elif kind in ("structure", "aside", "attachment"):
                self._say(kind, "addition", use, key)
            elif key == "/Resources":
                self._resources(use, self._at_old(before), self._at_new(after), new)
            elif not self._deep_same(before, after):
                self._say(kind, "forbidden", use, key)

    def _resources(self, use: _Use, old: Any, new: Any, page: Any) -> None:
        """Resources may be rewritten and may grow by names that the page's content does not use."""
        added = self._grown_names(old, new)
        if added is None or (added and self._content_names(page, added)):
            self._say("page-content", "forbidden", use, "/Resources")
        elif added:
            self._say("aside", "addition", use, "/Resources")

    def _grown_names(self, old: Any, new: Any) -> set[str] | None:
        """Names that `new` has more than `old`, None when something of `old` is gone or different."""
        if not isinstance(old, generic.DictionaryObject) or not isinstance(new, generic.DictionaryObject):
            return set() if self._deep_same(old, new) else None
        added: set[str] = set()
        for category in {*map(str, old), *map(str, new)}:
            before, after = self._r.get(old, category, self._n), self._r.get(new, category, self._n + 1)
            if isinstance(after, generic.DictionaryObject) and isinstance(before, generic.DictionaryObject | None):
                for name in {*map(str, before or ()), *map(str, after)}:
                    if before is None or name not in before:
                        added.add(name)
                    elif name not in after or not self._deep_same(_raw(before, name), _raw(after, name)):
                        return None
            elif not self._deep_same(before, after):
                return None
        return added

    def _content_names(self, page: Any, names: set[str]) -> bool:
        """Whether the page's content, or a form without resources of its own, might use one of these names."""
        content = b""
        for part in _items(self._r.get(page, "/Contents", self._n + 1)) or [_raw(page, "/Contents")]:
            stream = self._r.resolved(part, self._n + 1)
            if not isinstance(stream, generic.StreamObject):
                continue
            try:
                content += b" " + stream.data
            except Exception:
                return True  # what cannot be decoded may use anything
        return any(name.encode("latin-1", "replace") in content for name in names)

    # -- annotations and fields --

    def _annotations(self, use: _Use, old: Any, new: Any) -> None:
        before, after = _items(old), _items(new)
        gone = [one for one in before if not any(_same(one, other) for other in after)]
        fresh = [one for one in after if not any(_same(one, other) for other in before)]
        for one in gone:
            value = self._at_old(one)
            if value is not None:
                self._removed(use, value)
        for one in fresh:
            self._new_annotation(use, one)
        stayed = [one for one in before if any(_same(one, other) for other in after)]
        if not _in_order(stayed, after):
            self._say("annotation-changed", "addition", use)  # what lay under another may now lie over it

    def _removed(self, use: _Use, value: Any, *, listed: bool = False) -> None:
        """An annotation or a field is gone. One that nobody signs in may go where the document's rules leave that open:
        a field where nobody certified it, a widget also where annotations may be deleted (P=3). It is always listed.
        """
        if listed or (isinstance(value, generic.DictionaryObject) and self._r.is_widget(value, self._n)):
            name = self._r.full_name(value, self._n)
            kind = "forbidden" if self._signs(value) else "taken" if listed else "unshown"
            self._say("field-removed", kind, use, name)
        else:
            self._say("annotation-removed", "addition", use)

    def _signs(self, value: Any, depth: int = 20) -> bool:
        """Whether a field, or one below it, is a signature's, or cannot be read."""
        if not isinstance(value, generic.DictionaryObject) or depth == 0 or self._r.is_signature(value, self._n):
            return True
        return any(self._signs(self._at_old(one), depth - 1) for one in _items(self._r.get(value, "/Kids", self._n)))

    def _new_annotation(self, use: _Use, one: Any) -> None:
        value = self._at_new(one)
        if value is None:
            return
        if value is UNREADABLE or not isinstance(value, generic.DictionaryObject):
            self._say("annotation-added", "addition", use, "?")
            return
        if self._runs(value):
            self._say("action", "forbidden", use, self._subtype(value))
        known = _ref(one) in self._graph.uses and not _absent(self._at_old(one))
        if self._r.is_widget(value, self._n + 1) and known and self._seen(value):
            self._say("field-added", "addition", use, self._r.full_name(value, self._n + 1))  # it was on no page
        elif self._r.is_widget(value, self._n + 1):
            self._new_field(_Use("annotation", use.page, self._r.full_name(value, self._n + 1)), one, value)
        else:
            # a note's window is drawn by the reader itself when somebody opens it, unless it brings a picture
            opened = "/AP" in value or bool(self._r.get(value, "/Open", self._n + 1))
            drawn = self._subtype(value) != "/Popup" or opened
            self._say("annotation-added", "addition" if drawn else "unseen", use, self._subtype(value))

    def _new_field(self, use: _Use, one: Any, value: Any) -> None:
        """A widget that a page or a form shows for the first time; of a field that was there it is no new one."""
        ref = _ref(one)
        known = set(self._graph.uses.get(ref, ())) if ref is not None else set()
        if known & {"field", "annotation"} and ref is not None and not _absent(self._r.at(ref, self._n)):
            return
        if not self._r.is_signature(value, self._n + 1):
            self._say("field-added", "addition", use, use.field)
        elif self._timestamp(value) and not self._seen(value):
            self._say("timestamp-added", "long_term", use, use.field)
        else:
            self._say("signature-field-added", "seen" if self._seen(value) else "unseen", use, use.field)

    def _timestamp(self, value: Any) -> bool:
        signature = self._r.inherited(value, "/V", self._n + 1)
        return bool(self._r.get(signature, "/SubFilter", self._n + 1) == "/ETSI.RFC3161")

    def _seen(self, value: Any, n: int | None = None) -> bool:
        """Whether a widget shows anything: a box with an area, not hidden."""
        n = self._n + 1 if n is None else n
        try:
            x1, y1, x2, y2 = self._box(value, n)
            flags = int(self._r.get(value, "/F", n) or 0)
        except (TypeError, ValueError):
            return True
        hidden = flags & _HIDDEN or (flags & _NO_VIEW and not flags & _PRINT)
        return abs(x2 - x1) > 0.5 and abs(y2 - y1) > 0.5 and not hidden

    def _annotation(self, use: _Use, old: Any, new: Any) -> None:
        if _absent(new):
            self._removed(use, old)
        elif _absent(old):
            self._say("annotation-added", "addition", use)
        elif self._r.is_widget(old, self._n):
            self._field(use, old, new)
        else:
            keys = _differing(old, new)
            if self._runs(new) and not self._runs(old):
                self._say("action", "forbidden", use)
            elif any(key not in _BACKWARDS for key in keys):
                self._say("annotation-changed", "addition", use, self._subtype(new))

    def _form(self, use: _Use, old: Any, new: Any) -> None:
        if new is None or (new is UNREADABLE and old is not None):
            self._say("form-removed", "forbidden", use)
            return
        if old is None:
            old = generic.DictionaryObject()  # type: ignore[no-untyped-call]
        for key in _differing(old, new):
            before, after = _raw(old, key), _raw(new, key)
            if key == "/Fields":
                self._fields(use, self._at_old(before), self._at_new(after))
            elif key == "/DR":
                self._form_resources(use, self._at_old(before), self._at_new(after))
            elif key == "/XFA":
                self._say("action", "forbidden", use, key)
            elif key == "/NeedAppearances" and not self._at_new(after):
                continue  # it was asked to draw fields anew, and is no longer
            elif key in ("/DA", "/Q") and before is None:
                continue  # a form that had no fields with text gets its defaults
            elif key not in _FORM_HARMLESS:
                self._say("form", "addition", use, key)

    def _fields(self, use: _Use, old: Any, new: Any) -> None:
        """The list of a form's fields."""
        before, after = _items(old), _items(new)
        for one in before:
            if not any(_same(one, other) for other in after) and self._at_old(one) is not None:
                self._removed(use, self._at_old(one), listed=True)
        for one in after:
            if any(_same(one, other) for other in before):
                continue
            value = self._at_new(one)
            if isinstance(value, generic.DictionaryObject):
                if self._runs(value):
                    self._say("action", "forbidden", use)
                named = _Use("field", use.page, self._r.full_name(value, self._n + 1))
                if not self._is_known_name(named.field):
                    self._new_field(named, one, value)

    def _is_known_name(self, name: str | None) -> bool:
        return name is not None and name in self._graph.fields

    def _field(self, use: _Use, old: Any, new: Any) -> None:
        if _absent(new):
            self._removed(use, old, listed=True)
            return
        if _absent(old):
            self._say("field-added", "addition", use, use.field)
            return
        keys = set(_differing(old, new))
        signature = self._r.is_signature(old, self._n) or self._r.is_signature(new, self._n + 1)
        if signature:
            self._signature_field(use, old, new, keys)
        else:
            self._plain_field(use, old, new, keys)

    def _signature_field(self, use: _Use, old: Any, new: Any, keys: set[str]) -> None:
        held = self._r.inherited(old, "/V", self._n)
        if held is not None:
            wrong = keys - {"/P", "/M", "/NM"}
            if wrong & {"/V"}:
                self._say("signature-changed", "forbidden", use, use.field)
            elif wrong:
                self._say("signed-appearance", "forbidden", use, ", ".join(sorted(wrong)))
            return
        if keys - _SIGNED - {"/Kids", "/Rect"}:
            self._say("form", "addition", use, ", ".join(sorted(keys - _SIGNED)))
        if "/Rect" in keys and self._grows(old, new):
            self._say("field-moved", "forbidden", use, use.field)
        pointed = _ref(_raw(new, "/V"))
        if pointed is not None and not _absent(self._r.at(pointed, self._n)):
            self._say("signature-changed", "forbidden", use, use.field)  # it points at a signature made before
        if self._r.inherited(new, "/V", self._n + 1) is None and keys - {"/P", "/M", "/NM"}:
            self._say("signature-field-drawn", "addition", use, use.field)  # it looks signed and is not
        if self._r.inherited(new, "/V", self._n + 1) is not None:
            stamp = self._timestamp(new)
            quiet = "seen" if self._seen(new) and "/AP" in keys else "long_term"  # nobody asked for a stamp's picture
            self._say("timestamp-added" if stamp else "field-signed", quiet if stamp else "expected", use, use.field)

    def _plain_field(self, use: _Use, old: Any, new: Any, keys: set[str]) -> None:
        if "/Rect" in keys and not _close(self._box(old, self._n), self._box(new, self._n + 1)):
            self._say("field-moved", "forbidden", use, use.field)
        if keys & {"/T", "/FT", "/Subtype"}:
            self._say("form", "forbidden", use, use.field)
        if keys & {"/A", "/AA"} and self._runs(new) and not self._runs(old):
            self._say("action", "forbidden", use, use.field)
        if "/Kids" in keys or "/Parent" in keys:
            self._say("form", "addition", use, use.field)
        if "/F" in keys and self._seen(new) and not self._seen(old, self._n):
            self._say("field-shown", "addition", use, use.field)
        if "/AP" in keys and self._button(use):
            self._say("value-picture-differ", "seen", use, use.field)
        if other := keys - _FILLED - _FIELD_KEYS:
            self._say("form", "addition", use, ", ".join(sorted(other)))  # where it leads, its frame, its layer
        if keys & (_FILLED | {"/Ff", "/F", "/MaxLen", "/Opt", "/TU"}):
            self._filled(use)

    def _part(self, use: _Use, old: Any, new: Any) -> None:
        """An object inside a field or an annotation, changed in its own place."""
        if use.kind == "appearance" and not _absent(old) and not (self._picture(old) and self._picture(new)):
            self._say("signed-appearance", "forbidden", use, use.field)  # a font or an image that is drawn with
        elif use.field is not None and self._signed(use.field):
            self._say("signed-appearance", "forbidden", use, use.field)
        elif use.field is not None:
            if use.kind == "appearance" and self._button(use):
                self._say("value-picture-differ", "seen", use, use.field)
            self._filled(use)
        else:
            self._say("annotation-changed", "addition", use)

    def _button(self, use: _Use) -> bool:
        """Whether a field is a button or a box to tick: it is filled by choosing one of its looks, not by a new one."""
        values = [self._r.at(ref, self._n) for ref in self._graph.fields.get(use.field or "", ())]
        return any(self._r.inherited(value, "/FT", self._n) == "/Btn" for value in values)

    def _picture(self, value: Any) -> bool:
        """Whether an object is an appearance itself, or the list of its states."""
        if isinstance(value, generic.StreamObject):
            return str(value.get("/Subtype", "/Form")) == "/Form"
        return (
            isinstance(value, generic.DictionaryObject)
            and {"/N", "/D", "/R", "/On", "/Off", "/Yes"} & set(map(str, value)) != set()
        )

    def _filled(self, use: _Use) -> None:
        """A field got a value. One that had a value, or that was closed, was not filled but changed."""
        values = [self._r.at(ref, self._n) for ref in self._graph.fields.get(use.field or "", ())]
        values = [value for value in values if isinstance(value, generic.DictionaryObject)]
        held = [self._r.inherited(value, "/V", self._n) for value in values]
        closed = any(int(self._r.inherited(value, "/Ff", self._n) or 0) & _READ_ONLY for value in values)
        if any(_says(value) for value in held):
            self._say("field-changed", "forbidden" if closed else "addition", use, use.field)
        else:
            self._say("field-filled", "expected", use, use.field)

    def _signed(self, name: str) -> bool:
        """Whether a field of that name holds a signature in the older revision."""
        values = [self._r.at(ref, self._n) for ref in self._graph.fields.get(name, ())]
        return any(
            self._r.is_signature(value, self._n) and self._r.inherited(value, "/V", self._n) is not None
            for value in values
        )

    def _form_resources(self, use: _Use, old: Any, new: Any) -> None:
        """The resources of a form may grow. Fields are drawn with its fonts, so those must stay what they were."""
        for key in map(str, old or ()):
            before, after = self._r.get(old, key, self._n), self._r.get(new, key, self._n + 1)
            if not self._kept(before, after):
                self._say("form-resources", "addition" if key == "/XObject" else "forbidden", use, key)

    def _kept(self, old: Any, new: Any, depth: int = 2) -> bool:
        """Whether everything in `old` is still in `new`, unchanged: lists of resources may grow, resources may not."""
        lists = isinstance(old, generic.DictionaryObject) and isinstance(new, generic.DictionaryObject)
        if not lists or depth == 0 or "/Type" in old or "/Subtype" in old or isinstance(old, generic.StreamObject):
            return _deep_same(self._r, old, self._n, new, self._n + 1, set())
        return all(
            name in new and self._kept(self._at_old(_raw(old, name)), self._at_new(_raw(new, name)), depth - 1)
            for name in old
        )

    # -- small questions --

    def _at_old(self, value: Any) -> Any:
        return self._r.resolved(value, self._n)

    def _at_new(self, value: Any) -> Any:
        return self._r.resolved(value, self._n + 1)

    def _subtype(self, value: Any) -> str:
        return (
            str(self._r.get(value, "/Subtype", self._n + 1) or "?")
            if isinstance(value, generic.DictionaryObject)
            else "?"
        )

    def _runs(self, value: Any) -> bool:
        """Whether an annotation or field carries an action that does more than turn a page or open an address."""
        if not isinstance(value, generic.DictionaryObject):
            return False
        if "/AA" in value:
            return True
        action = self._r.get(value, "/A", self._n + 1)
        kind = self._r.get(action, "/S", self._n + 1)
        return kind is not None and kind not in ("/GoTo", "/GoToR", "/URI", "/Named")

    def _box(self, value: Any, n: int) -> list[float]:
        try:
            return [float(self._r.resolved(v, n)) for v in _items(self._r.get(value, "/Rect", n))]
        except (TypeError, ValueError):
            return []

    def _grows(self, old: Any, new: Any) -> bool:
        return not _close(self._box(old, self._n), self._box(new, self._n + 1))

    def _deep_same(self, one: Any, other: Any) -> bool:
        return _deep_same(self._r, one, self._n, other, self._n + 1, set())

    def _say(self, what: str, kind: str, use: _Use, detail: str | None = None) -> None:
        told = str(detail) if detail is not None else None
        known = (what, kind, use.field, told)
        if known in self._said:
            if use.page is not None and self._found[self._said[known]].page is None:
                self._found[self._said[known]] = replace(self._found[self._said[known]], page=use.page)
            if use.field is not None or use.page == self._found[self._said[known]].page:
                return  # a field and its annotation are one thing
        self._said[known] = len(self._found)
        self._found.append(Change(what, kind, self._n + 1, use.page, use.field, told))


# -- values --


def _ref(value: Any) -> Ref | None:
    return (value.idnum, value.generation) if isinstance(value, generic.IndirectObject) else None


def _raw(value: Any, key: str) -> Any:
    try:
        return value.raw_get(key)
    except (KeyError, AttributeError):
        return None


def _items(value: Any) -> list[Any]:
    if not isinstance(value, generic.ArrayObject):
        return []
    return [value.raw_get(n) for n in range(len(value))]


def _absent(value: Any) -> bool:
    return value is None or isinstance(value, generic.NullObject)


def _in_order(some: list[Any], all_: list[Any]) -> bool:
    """Whether the values of one list stand in the other in the same order."""
    rest = iter(all_)
    return all(any(_same(one, other) for other in rest) for one in some)


def _says(value: Any) -> bool:
    """Whether a field's value is one: not absent, not empty, not the state of an empty box."""
    return value is not None and value is not UNREADABLE and str(value) not in ("", "/Off")


def _differing(old: Any, new: Any) -> list[str]:
    if not isinstance(old, generic.DictionaryObject) or not isinstance(new, generic.DictionaryObject):
        keys = {*map(str, old or ())} if isinstance(old, generic.DictionaryObject) else set()
        keys |= {*map(str, new)} if isinstance(new, generic.DictionaryObject) else set()
        return sorted(keys)
    return sorted(key for key in {*map(str, old), *map(str, new)} if not _same(_raw(old, key), _raw(new, key)))


def _same(one: Any, other: Any) -> bool:
    """Equal to the letter; references are equal when they name the same object."""
    if _absent(one) or _absent(other):
        return _absent(one) and _absent(other)
    if one is UNREADABLE or other is UNREADABLE:
        return one is other
    if isinstance(one, generic.IndirectObject) or isinstance(other, generic.IndirectObject):
        return _ref(one) == _ref(other)
    if _stream_bytes(one) != _stream_bytes(other):
        return False
    if isinstance(one, generic.DictionaryObject):
        if not isinstance(other, generic.DictionaryObject) or set(one) != set(other):
            return False
        return all(_same(_raw(one, key), _raw(other, key)) for key in one)
    if isinstance(one, generic.ArrayObject):
        if not isinstance(other, generic.ArrayObject) or len(one) != len(other):
            return False
        return all(_same(a, b) for a, b in zip(_items(one), _items(other), strict=True))
    if isinstance(one, _NUMBERS) and isinstance(other, _NUMBERS):
        return bool(one == other)
    if isinstance(one, _STRINGS) and isinstance(other, _STRINGS):
        return _bytes_of(one) == _bytes_of(other)
    return type(one) is type(other) and bool(one == other)


def _bytes_of(value: Any) -> bytes:
    return value.original_bytes if isinstance(value, generic.TextStringObject) else bytes(value)


def _stream_bytes(value: Any) -> bytes | None:
    return value.encoded_data if isinstance(value, generic.StreamObject) else None


def _deep_same(r: Revisions, one: Any, n: int, other: Any, m: int, seen: set[tuple[Ref, Ref]]) -> bool:
    """Equal in what they say, through references, as of two revisions."""
    left, right = _ref(one), _ref(other)
    if left and right:
        if (left, right) in seen:
            return True
        seen.add((left, right))
        if len(seen) > 20_000:
            return False
    one, other = r.resolved(one, n), r.resolved(other, m)
    if one is UNREADABLE or other is UNREADABLE:
        return False
    if isinstance(one, generic.DictionaryObject) and isinstance(other, generic.DictionaryObject):
        if _stream_bytes(one) != _stream_bytes(other):
            return False
        keys = {*map(str, one), *map(str, other)} - {"/Length"}
        return all(_deep_same(r, _raw(one, key), n, _raw(other, key), m, seen) for key in keys)
    if isinstance(one, generic.ArrayObject) and isinstance(other, generic.ArrayObject):
        pairs = zip(_items(one), _items(other), strict=False)
        return len(one) == len(other) and all(_deep_same(r, a, n, b, m, seen) for a, b in pairs)
    return _same(one, other)


def _close(one: list[float], other: list[float]) -> bool:
    return len(one) == len(other) == 4 and all(abs(a - b) < 0.01 for a, b in zip(one, other, strict=True))
