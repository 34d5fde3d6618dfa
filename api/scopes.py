"""What a program may do: each route of the JSON API with the scope it needs. A route not named here is for people only.

One table, asked at the door for every call, shown in docs/api.md, held against the application by a test.
"""

from collections.abc import Mapping

DOCUMENTS = "documents:write"
NUMBERS = "numbers:take"
CONSIGNMENTS = "consignments:write"
READ = "inbox:read"
ACT = "inbox:act"
EVENTS = "events:read"
EVIDENCE = "evidence:read"
DIRECTORY = "directory:read"

SCOPES: Mapping[str, tuple[str, str]] = {
    DOCUMENTS: ("soạn, sửa, trình ký, hủy văn bản", "draft, edit, submit and cancel documents"),
    NUMBERS: ("cấp số", "take numbers"),
    CONSIGNMENTS: ("phát hành", "issue"),
    READ: ("đọc văn bản đi và đến", "read what goes out and comes in"),
    ACT: ("tiếp nhận, trả lại, phân công, hoàn thành", "register, refuse, assign, complete"),
    EVENTS: ("đọc dòng sự kiện", "read the feed of events"),
    EVIDENCE: ("lấy bằng chứng", "fetch evidence"),
    DIRECTORY: ("xem danh bạ đơn vị", "look into the directory"),
}
"""Scopes with what they mean, in Vietnamese and English. Sealing by a program needs a decision of its own (R44)."""

ANY = "any"
"""Needs a client, whatever its scopes."""

ROUTES: Mapping[tuple[str, str], str] = {
    ("GET", "/me"): ANY,
    ("GET", "/calendar"): ANY,
    ("GET", "/offices"): DIRECTORY,
    ("GET", "/offices/{code}"): DIRECTORY,
    ("GET", "/people"): DIRECTORY,
    ("GET", "/series"): DIRECTORY,
    ("GET", "/groups"): DIRECTORY,
    ("POST", "/recipients/resolve"): DIRECTORY,
    ("POST", "/uploads"): DOCUMENTS,
    ("PATCH", "/uploads/{upload}"): DOCUMENTS,
    ("GET", "/uploads/{upload}"): DOCUMENTS,
    ("DELETE", "/uploads/{upload}"): DOCUMENTS,
    ("POST", "/documents"): DOCUMENTS,
    ("PATCH", "/documents/{document}"): DOCUMENTS,
    ("POST", "/documents/{document}/attachments"): DOCUMENTS,
    ("DELETE", "/documents/{document}/attachments/{attachment}"): DOCUMENTS,
    ("POST", "/documents/{document}/submit"): DOCUMENTS,
    ("POST", "/documents/{document}/return"): DOCUMENTS,
    ("POST", "/documents/{document}/cancel"): DOCUMENTS,
    ("POST", "/documents/{document}/number"): NUMBERS,
    ("POST", "/documents/{document}/issue"): CONSIGNMENTS,
    ("GET", "/documents"): READ,
    ("GET", "/documents/{document}"): READ,
    ("GET", "/documents/{document}/attachments/{attachment}/file"): READ,
    ("GET", "/documents/{document}/revisions/{n}/file"): READ,
    ("GET", "/documents/{document}/report"): READ,
    ("GET", "/documents/{document}/events"): EVENTS,
    ("GET", "/documents/{document}/evidence-pack"): EVIDENCE,
    ("GET", "/consignments/{consignment}"): READ,
    ("GET", "/consignments/{consignment}/deliveries"): READ,
    ("GET", "/deliveries"): READ,
    ("GET", "/deliveries/{delivery}"): READ,
    ("GET", "/deliveries/{delivery}/files/{n}"): READ,
    ("POST", "/deliveries/{delivery}/register"): ACT,
    ("POST", "/deliveries/{delivery}/refuse"): ACT,
    ("POST", "/deliveries/{delivery}/assign"): ACT,
    ("POST", "/deliveries/{delivery}/start"): ACT,
    ("POST", "/deliveries/{delivery}/complete"): ACT,
    ("GET", "/events"): EVENTS,
    ("GET", "/events/types"): EVENTS,
    ("GET", "/events/{event}"): EVENTS,
    ("GET", "/events/{event}/proof"): EVIDENCE,
}
"""Method and path below `/api/v1` → scope."""


def needed(method: str, path: str) -> str | None:
    """The scope that a program needs for a route; None when the route is for people only."""
    return ROUTES.get((method, path.removeprefix("/api/v1")))
