"""`congvan verify`: files, folders and patterns, against roots that the user names; without a service."""

import glob
import json as plain_json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.changes import Checked
from api.cli.revisions import NAME, spare, take, wanted
from api.outgoing import Outgoing, WithinBudget
from api.reports import FORMS
from api.settings import load_settings
from api.wiring import now
from keys.certificates import read_certificates
from keys.errors import CertificateUnreadable, RevocationUnavailable
from keys.model import Anchor, RevocationData, TrustMaterial, TrustWorld
from keys.revocation import OnlineRevocation, RevocationSource
from signing.errors import PdfTooComplex, SigningError, TooLarge
from signing.model import Report, Verdict
from signing.report import report_json, sentences
from signing.sandbox import Sandbox
from signing.verify import VERIFY_LIMIT_MB, certificates_in, limited_report, verify_pdf

UNREADABLE = 3
STATUS = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 2}
WORST_FIRST = (UNREADABLE, 1, 2, 0)
"""Of several files the worst speaks for all: unreadable, invalid, unknown, valid."""
TOLD = {
    0: ("hợp lệ", "valid"),
    1: ("không hợp lệ", "invalid"),
    2: ("không xác định", "unknown"),
    UNREADABLE: ("không đọc được", "unreadable"),
}


def moment(word: str) -> datetime:
    """A moment as people write it (ISO 8601); without an offset it is UTC."""
    at = datetime.fromisoformat(word)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Trust = Annotated[
    list[Path] | None,
    typer.Option(exists=True, help="Chứng thư gốc tin cậy (tệp hoặc thư mục; .pem, .cer). / Trusted roots."),
]
Language = Annotated[Literal["vi", "en"], typer.Option(help="vi hoặc en. / vi or en.")]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no report on a file."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks one file after the other under the same conditions."""

    sandbox: Sandbox
    trust: TrustMaterial
    at: datetime
    source: RevocationSource | None
    language: str

    def check(self, file: Path) -> Checked | Problem:
        """A file and the verdict on it, or why there is none."""
        try:
            if file.stat().st_size > VERIFY_LIMIT_MB * 1024 * 1024:
                raise TooLarge(limit_mb=VERIFY_LIMIT_MB)
            pdf = file.read_bytes()
            return Checked(pdf, self._report(pdf), file.name)
        except SigningError as error:
            return Problem(error.code, error.sentence(self.language))
        except OSError as error:
            return Problem("file-unreadable", error.strerror or type(error).__name__)

    def _report(self, pdf: bytes) -> Report:
        try:
            answers = self._answers(pdf)
            return self.sandbox.run(verify_pdf, pdf, at=self.at, trust=self.trust, revocation=answers)
        except PdfTooComplex as error:
            return limited_report(pdf, at=self.at, what=str(error.gaps["what"]))

    def _answers(self, pdf: bytes) -> RevocationData:
        if self.source is None:
            return RevocationData()
        try:
            return self.source.about(self.sandbox.run(certificates_in, pdf), self.trust, at=self.at)
        except RevocationUnavailable as missing:
            return missing.found


def verify(
    files: Annotated[
        list[str],
        typer.Argument(help="Tệp, thư mục (mọi *.pdf bên trong) hoặc mẫu (*.pdf). / Files, folders, patterns."),
    ],
    trust: Trust = None,
    world: Annotated[
        TrustWorld, typer.Option(help="Các gốc này thuộc hệ nào. / Which world these roots stand for.")
    ] = TrustWorld.VGCA,
    pilot: Annotated[bool, typer.Option("--pilot", help="Như / the same as --world pilot.")] = False,
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="MOMENT",
            help="Thời điểm kiểm tra, ví dụ 2027-01-01T08:00+07:00; không ghi múi giờ là UTC. / Moment of the check.",
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Không hỏi ai. Nếu không có, chỉ hỏi CRL, OCSP ở CONGVAN_OUTGOING_ALLOWED. / Ask nobody.",
        ),
    ] = False,
    language: Language = "vi",
    json: Annotated[
        bool, typer.Option("--json", help="In JSON; nhiều tệp thì mỗi dòng một tệp. / Print JSON; of several, lines.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Ghi báo cáo ra tệp .pdf, .html, .xml, .json; nhiều tệp thì tên có {name}. / Write the report."
        ),
    ] = None,
    signed_revision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=FILE",
            help="Ghi bản đã được ký trong ô FIELD ra tệp; nhiều tệp thì tên có {name}. / Write what was signed there.",
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Ghi hình các trang khác bản đã ký vào thư mục, lúc ký và bây giờ, có khung. / Write pictures."
        ),
    ] = None,
) -> int:
    """Xác thực PDF. Kết thúc với 0 hợp lệ, 1 không hợp lệ, 2 không xác định, 3 không đọc được; nhiều tệp: theo tệp xấu nhất (3, 1, 2, 0). / Verify PDFs."""  # noqa: E501
    found = expanded(files)
    alone = len(files) == 1 and Path(files[0]).is_file()
    targets = _targets(report, found)
    taking = wanted(signed_revision or [], pictures, found)
    statuses: list[int] = []
    all_had = True
    with _checker(trust or [], TrustWorld.PILOT if pilot else world, at, language, offline=offline) as checker:
        for file in found:
            checked = checker.check(file)
            result = checked if isinstance(checked, Problem) else checked.report
            statuses.append(UNREADABLE if isinstance(result, Problem) else STATUS[result.verdict])
            _say(file, result, language, alone=alone, json=json)
            if isinstance(result, Report) and file in targets:
                _write(targets[file], result, language)
            if isinstance(checked, Checked):
                all_had &= take(taking, file, checked, checker.sandbox, language)
    if not alone and not json:
        _sum_up(statuses, language)
    return next(status for status in WORST_FIRST if status in [*statuses, *([] if all_had else [UNREADABLE])])


def expanded(words: Sequence[str]) -> list[Path]:
    """The files that the words name, each once; a word that names none is wrong usage."""
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        if path.is_dir():
            here = sorted(one for one in path.rglob("*") if one.suffix.lower() == ".pdf" and one.is_file())
        elif path.exists():
            here = [path]
        else:
            named = glob.glob(word, recursive=True)  # noqa: PTH207 - a pattern may begin anywhere
            here = sorted(one for one in map(Path, named) if one.is_file())
        if not here:
            raise typer.BadParameter(f"{word}: không có tệp PDF nào. / There is no such file.")
        found |= dict.fromkeys(here)
    return list(found)


def material(paths: Sequence[Path], world: TrustWorld) -> TrustMaterial:
    """The certificates in files and folders as anchors of one world; one that cannot be read is wrong usage."""
    anchors = []
    for file in (f for path in paths for f in (sorted(path.iterdir()) if path.is_dir() else [path])):
        if file.is_dir():
            continue
        try:
            anchors += [Anchor(der, world) for der in read_certificates(file.read_bytes())]
        except CertificateUnreadable as error:
            raise typer.BadParameter(f"{file}: {error.sentence('vi')} / {error.sentence('en')}") from error
    return TrustMaterial(anchors=tuple(anchors))


@contextmanager
def _checker(
    trust: Sequence[Path], world: TrustWorld, at: datetime | None, language: str, *, offline: bool
) -> Iterator[Checker]:
    anchors = material(trust, world)
    source = None if offline else _online()
    sandbox = Sandbox(workers=1)
    try:
        yield Checker(sandbox, anchors, at or now(), source, language)
    finally:
        sandbox.close()


def _online() -> RevocationSource | None:
    """Whom the operator allowed to be asked; nobody by default."""
    settings = load_settings()
    if not settings.outgoing_allowed:
        return None
    outgoing = Outgoing(settings.outgoing_allowed, settings.outgoing_private)
    return WithinBudget(OnlineRevocation(outgoing), outgoing)


def _targets(report: Path | None, files: Sequence[Path]) -> dict[Path, Path]:
    """Where the report on each file goes."""
    if report is None:
        return {}
    if report.suffix.lower().removeprefix(".") not in FORMS:
        raise typer.BadParameter(f"--report: {', '.join(f'.{form}' for form in FORMS)}")
    targets = {file: Path(str(report).replace(NAME, file.stem)) for file in files}
    if len(set(targets.values())) < len(files):
        raise typer.BadParameter(
            "--report: nhiều tệp cần {name} trong tên, và tên các tệp phải khác nhau. "
            "/ For several files of different names, write {name} into it."
        )
    spare("--report", targets.values(), files)
    return targets


def _write(target: Path, report: Report, language: str) -> None:
    form = FORMS[target.suffix.lower().removeprefix(".")]
    try:
        target.write_bytes(form.write(report, language))
    except OSError as error:
        raise typer.BadParameter(f"--report {target}: {error.strerror}") from error


def _say(file: Path, result: Report | Problem, language: str, *, alone: bool, json: bool) -> None:
    if isinstance(result, Problem) and (alone or not json):
        typer.echo(f"{'' if alone else f'{file}: '}{result.sentence} [{result.code}]", err=True)
    elif isinstance(result, Report) and json and alone:
        typer.echo(report_json(result).decode())
    elif json:
        typer.echo(plain_json.dumps(_line(file, result), ensure_ascii=False))
    elif isinstance(result, Report):
        told = sentences(result, language)
        typer.echo("\n".join(told if alone else [f"{file}: {told[0]}", *(f"  {one}" for one in told[1:])]))


def _line(file: Path, result: Report | Problem) -> dict[str, object]:
    if isinstance(result, Problem):
        return {"name": str(file), "problem": {"code": result.code, "detail": result.sentence}}
    return {"name": str(file), "report": plain_json.loads(report_json(result))}


def _sum_up(statuses: Sequence[int], language: str) -> None:
    here = 0 if language == "vi" else 1
    counts = Counter(statuses)
    parts = [f"{counts[status]} {TOLD[status][here]}" for status in TOLD if counts[status]]
    typer.echo(f"{len(statuses)} {'tệp' if language == 'vi' else 'files'}: {', '.join(parts)}")
