"""Who takes part in the pilot: UBND huyện Cư M'gar, its 15 communes and 2 towns, and how people there log in.

Codes are examples (`H99.…`), people are invented; only the names of the places are real.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from exchange.rules.model import Role

DISTRICT_CODE = "H99.05"
PROVINCE_CODE = "H99"

COMMUNES = (
    "Cư Dliê M'nông", "Cư M'gar", "Cư Suê", "Cuôr Đăng", "Ea D'rơng", "Ea H'đing", "Ea Kiết", "Ea Kpam", "Ea Kuêh",
    "Ea M'dróh", "Ea M'nang", "Ea Tar", "Ea Tul", "Quảng Hiệp", "Quảng Tiến",
)  # fmt: skip
TOWNS = ("Ea Pốk", "Quảng Phú")
PILOT_SIZE = 1 + len(COMMUNES) + len(TOWNS)

_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Y", "H'", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô")
_MIDDLE = ("Văn", "Thị", "Đức", "Minh", "Thu", "Quang", "Hữu", "Ngọc")
_GIVEN = (
    "Bình", "Hòa", "Sơn", "Lan", "Tuấn", "Hương", "Dũng", "Thảo", "Khánh", "Mai", "Phúc", "Yến", "Long", "Ánh", "Cường",
    "Diệp", "Giang",
)  # fmt: skip
_EDE_GIVEN = ("Bliu", "Djuang", "Krông", "Nguôm", "Thiên", "Wan", "Blum")
_EDE_CLAN = ("Niê", "Mlô", "Êban", "Ayun", "Kbuôr")


@dataclass(frozen=True, slots=True)
class PilotPerson:
    """Somebody who logs in: `login` is the account's name, `title` stands in the certificate and under a signature."""

    login: str
    name: str
    title: str
    roles: frozenset[Role]
    initials: bool = False
    """Has a key of its own for initials (ký nháy), without being a leader."""

    @property
    def signs(self) -> bool:
        """Whether this person has a personal key."""
        return self.initials or Role.LEADER in self.roles


@dataclass(frozen=True, slots=True)
class PilotOffice:
    """One office of the pilot with its people; `series` are the runs of numbers it begins the year with."""

    code: str
    name: str
    place: str
    parent: str | None
    people: tuple[PilotPerson, ...]


def offices(count: int = PILOT_SIZE) -> Iterator[PilotOffice]:
    """The district first, then `count - 1` offices under it; beyond the real 17 they are numbered example communes."""
    yield _office(0, DISTRICT_CODE, "UBND huyện Cư M'gar", "Cư M'gar", None, "huyen")
    for n in range(1, count):
        name, place, short = _commune(n)
        yield _office(n, f"{DISTRICT_CODE}.{n:02d}", name, place, DISTRICT_CODE, short)


def _commune(n: int) -> tuple[str, str, str]:
    if n <= len(COMMUNES):
        place = COMMUNES[n - 1]
        return f"UBND xã {place}", place, slug(place)
    if n < PILOT_SIZE:
        place = TOWNS[n - 1 - len(COMMUNES)]
        return f"UBND thị trấn {place}", place, slug(place)
    return f"UBND xã Thử nghiệm {n}", f"Thử nghiệm {n}", f"xa{n}"


def slug(text: str) -> str:
    """The name in plain small letters, as a login is typed: `Ea M'dróh` gives `eamdroh`."""
    plain = unicodedata.normalize("NFD", text.replace("Đ", "D").replace("đ", "d"))
    return "".join(c for c in plain.lower() if c.isascii() and c.isalnum())


def _office(n: int, code: str, name: str, place: str, parent: str | None, short: str) -> PilotOffice:
    rank = "Chủ tịch UBND huyện" if parent is None else name.replace("UBND", "Chủ tịch UBND", 1)
    people = [
        PilotPerson(f"lanhdao.{short}", _name(n, 0), rank, frozenset({Role.LEADER})),
        PilotPerson(f"vanthu.{short}", _name(n, 1), "Văn thư", frozenset({Role.CLERK})),
        PilotPerson(f"chuyenvien.{short}", _name(n, 2), "Chuyên viên", frozenset({Role.OFFICER})),
    ]
    if parent is None:
        people += [
            PilotPerson("phochutich.huyen", "Trần Đức Thảo", "Phó Chủ tịch UBND huyện", frozenset({Role.LEADER})),
            PilotPerson("chanhvanphong.huyen", "Phạm Thu Lan", "Chánh Văn phòng", frozenset({Role.OFFICER}), True),
        ]
        people.append(
            PilotPerson("quantri", "Quản trị thử nghiệm", "Quản trị", frozenset({Role.OFFICE_ADMIN, Role.SYSTEM_ADMIN}))
        )
        people.append(PilotPerson("giamsat", "Giám sát thử nghiệm", "Giám sát", frozenset({Role.AUDITOR})))
    return PilotOffice(code, name, place, parent, tuple(people))


def _name(office: int, seat: int) -> str:
    """An invented name, always the same for the same seat, so that tests and screenshots agree."""
    k = office * 3 + seat
    family = _FAMILY[k * 5 % len(_FAMILY)]
    if family == "Y":
        return f"Y {_EDE_GIVEN[k % len(_EDE_GIVEN)]} {_EDE_CLAN[k % len(_EDE_CLAN)]}"
    if family == "H'":
        return f"H'{_EDE_GIVEN[k % len(_EDE_GIVEN)]} {_EDE_CLAN[k % len(_EDE_CLAN)]}"
    return f"{family} {_MIDDLE[k * 3 % len(_MIDDLE)]} {_GIVEN[k * 7 % len(_GIVEN)]}"
