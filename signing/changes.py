"""What a change after a signature means for that signature: permitted, to be shown, or forbidden (signing page §3.8).

The changes themselves are read in `_pyhanko/revisions.py`. Pure: values in, values out.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from signing.model import Change

ORDER = ("none", "long_term", "note", "expected", "covered", "addition", "forbidden")
"""Effects, from harmless to fatal."""

NO_CHANGES, FORM_FILLING, ANNOTATIONS = 1, 2, 3
"""The permissions of DocMDP (ISO 32000-2, table 257)."""

_TAKEN: dict[str, tuple[int | None, ...]] = {"taken": (None,), "unshown": (None, ANNOTATIONS)}
"""Under which permissions a field may go, and a widget: that is an annotation (ISO 32000-2, table 257, 12.5.6.19)."""
_NEVER_CERTIFIED = frozenset(
    {
        "annotation-added", "annotation-changed", "annotation-removed", "field-added", "field-shown",
        "signature-field-drawn", "attachment",
    }
)  # fmt: skip

FIELD_ADDED = "signature-field-added"
WORDS: dict[str, tuple[str, str]] = {
    "long-term-data": ("thêm dữ liệu chứng minh lâu dài", "long-term proof was added"),
    "timestamp-added": ("thêm dấu thời gian", "a document time stamp was added"),
    "metadata": ("cập nhật thông tin mô tả tệp", "metadata were updated"),
    "unused-object": ("thay đổi một đối tượng không dùng đến", "an unused object was changed"),
    "written-again": ("ghi lại y nguyên một số đối tượng", "objects were written again unchanged"),
    "field-filled": ("điền ô", "a field was filled"),
    "field-changed": ("sửa ô đã có giá trị", "a field that had a value was changed"),
    "field-signed": ("ký vào ô có sẵn", "a prepared field was signed"),
    "signature-field-added": ("thêm một ô chữ ký", "a signature field was added"),
    "field-added": ("thêm một ô nhập liệu", "a form field was added"),
    "annotation-added": ("thêm ghi chú hoặc hình đè lên trang", "an annotation was added over the page"),
    "annotation-changed": ("sửa ghi chú trên trang", "an annotation was changed"),
    "annotation-removed": ("gỡ ghi chú khỏi trang", "an annotation was removed"),
    "structure": ("sửa cấu trúc thẻ của tài liệu", "the structure tree was changed"),
    "aside": ("sửa mục lục, thuộc tính hiển thị hoặc thứ tự", "outline, view settings or order were changed"),
    "names": ("sửa danh mục tên", "the name dictionary was changed"),
    "attachment": ("thêm hoặc sửa tệp đính kèm bên trong", "an embedded file was added or changed"),
    "form": ("sửa biểu mẫu", "the form was changed"),
    "form-removed": ("gỡ biểu mẫu", "the form was removed"),
    "field-removed": ("gỡ ô khỏi biểu mẫu", "a form field was removed"),
    "field-moved": ("dời hoặc phóng to ô trên trang", "a field was moved or enlarged"),
    "field-rules": ("sửa quy tắc của ô chữ ký", "the rules of a signature field were changed"),
    "page-content": ("nội dung trang bị thay đổi", "the content of a page was changed"),
    "page-tree": ("thêm, bớt hoặc đổi thứ tự trang", "pages were added, removed or reordered"),
    "catalog": ("đổi cấu trúc gốc của tài liệu", "the document's root was changed"),
    "action": ("thêm hành động hoặc mã chạy được", "an action or a script was added"),
    "permissions": ("đổi quyền của chữ ký chứng nhận", "the permissions of the certification were changed"),
    "layers": ("bật, tắt hoặc sửa lớp nội dung", "layers of content were changed"),
    "signature": ("sửa thông tin của chữ ký", "the signature's own data were changed"),
    "signature-changed": ("tráo chữ ký trong ô đã ký", "the signature of a signed field was exchanged"),
    "signed-appearance": ("sửa hình của ô đã ký", "the appearance of a signed field was changed"),
    "object-unreadable": ("làm hỏng một phần của tài liệu", "a part of the document was made unreadable"),
    "object-stream": ("tráo nơi chứa các đối tượng", "a container of objects was exchanged"),
    "generation": ("thêm bản thứ hai của một đối tượng", "a second generation of an object was added"),
    "said-twice": (
        "ghi một khóa hai lần, các phần mềm đọc ra khác nhau",
        "a key was said twice, so that readers see different things",
    ),
    "entry-twice": (
        "chỉ hai nơi cho một đối tượng, các phần mềm đọc ra khác nhau",
        "an object was given two places, so that readers see different things",
    ),
    "objects-hidden": (
        "khai số đối tượng ít hơn thực có, có phần mềm sẽ không thấy một phần tài liệu",
        "fewer objects were declared than there are, so that some readers miss a part of the document",
    ),
    "signature-field-drawn": ("vẽ hình vào ô chữ ký chưa ký", "a picture was drawn into a field that nobody signed"),
    "field-shown": ("cho hiện một ô đang ẩn", "a hidden field was made visible"),
    "form-resources": ("sửa phông hoặc hình của biểu mẫu", "fonts or pictures of the form were changed"),
    "value-picture-differ": ("ô hiện khác với giá trị của nó", "a field shows something else than its value"),
}
"""What people read about each kind of change."""


def effect_of(change: Change, permission: int | None, locked: Callable[[str], bool]) -> str:
    """What one change means under a permission of DocMDP (None: not certified) and the fields that were locked."""
    if permission == NO_CHANGES and change.what == "metadata":
        return "addition"  # it shows nothing, and still it was not permitted (ISO 32000-2, 12.8.2.2)
    match change.kind:
        case "forbidden" | "long_term" | "note":
            return change.kind
    if permission == NO_CHANGES or (change.kind in _TAKEN and permission not in _TAKEN[change.kind]):
        return "forbidden"
    if change.field is not None and change.what in ("field-filled", "field-changed") and locked(change.field):
        return "forbidden"
    if permission == FORM_FILLING and change.what in _NEVER_CERTIFIED:
        return "forbidden"
    if change.what == "field-filled" and permission is None:
        return "addition"
    return {"expected": "expected", "unseen": "expected"}.get(change.kind, "addition")


def judged(
    changes: Iterable[Change],
    *,
    permission: int | None,
    locked: Callable[[str], bool],
    covered: Callable[[Change], bool],
) -> tuple[Change, ...]:
    """The changes with their effect on one signature as `kind`.

    `covered` says whether a later, trusted signature of an organisation signed a change: then an addition is `covered`,
    and a change of content outside any certification is an addition. What was taken away is never covered: nobody sees
    what the organisation did not sign.
    """
    found: dict[Change, None] = {}
    for change in changes:
        effect = effect_of(change, permission, locked)
        if effect == "addition" and change.kind not in _TAKEN and covered(change):
            effect = "covered"
        if effect == "forbidden" and change.what == "page-content" and permission is None and covered(change):
            effect = "addition"
        found[replace(change, kind=effect)] = None
    return tuple(found)


def worst(changes: Iterable[Change]) -> str:
    """The worst effect among judged changes, `none` without any."""
    return max((change.kind for change in changes), key=ORDER.index, default="none")


def change_sentence(change: Change, language: str) -> str:
    """One change in words, with page and field."""
    words = WORDS[change.what][0 if language == "vi" else 1]
    page = f", trang {change.page + 1}" if change.page is not None else ""
    if language != "vi":
        page = page.replace("trang", "page")
    field = f" ({change.field})" if change.field else ""
    return f"{words}{page}{field}"
