"""What `congvan verify` writes beside the verdict: signed revisions as files, and changed pages as pictures."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from api.changes import Checked
from signing.errors import SignedRevisionMissing, SigningError
from signing.model import SignatureReport
from signing.pictures import compare_pages, difference_pictures, filled_as_allowed, signed_revision
from signing.sandbox import Sandbox

NAME = "{name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written: signed revisions by the name of their field, and where pictures go."""

    signed: dict[str, str]
    pictures: str | None


def wanted(signed: Sequence[str], pictures: Path | None, files: Sequence[Path]) -> Wanted:
    """The words of the user, checked before any file is: what would overwrite itself is wrong usage."""
    targets = {}
    for word in signed:
        field, _, target = word.rpartition("=")
        if not field or not target:
            raise typer.BadParameter(f"--signed-revision {word}: FIELD=FILE")
        targets[field] = target
    patterns = [*targets.values(), *([str(pictures)] if pictures else [])]
    written = {_of(pattern, file) for pattern in patterns for file in files}
    if len(written) < len(patterns) * len(files):
        raise typer.BadParameter(
            "--signed-revision, --pictures: nhiều tệp cần {name} trong tên, và các tên phải khác nhau. "
            "/ For several files of different names, write {name} into it; all names must differ."
        )
    spare("--signed-revision", written, files)
    return Wanted(targets, str(pictures) if pictures else None)


def spare(option: str, targets: Iterable[Path], files: Sequence[Path]) -> None:
    """Refuse to write over a file that is to be checked: it may be the only one, and it is what was signed."""
    checked = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in checked:
            raise typer.BadParameter(
                f"{option} {target}: đó là tệp đang được xác thực, không ghi đè. / That file is being verified."
            )


def take(what: Wanted, file: Path, checked: Checked, sandbox: Sandbox, language: str) -> bool:
    """Write what is wanted of one file. False when some of it cannot be had, which is said; the rest is written."""
    had = True
    for field, pattern in what.signed.items():
        try:
            _write(_of(pattern, file), signed_revision(checked.pdf, checked.report, field))
        except SignedRevisionMissing as error:
            had = _said(file, error, language)
    if what.pictures is None:
        return had
    for n, signature in enumerate(checked.report.signatures, 1):
        if signature.signed_bytes is None or signature.signed_bytes >= len(checked.pdf):
            continue
        try:
            _draw(_of(what.pictures, file), checked.pdf, n, signature, sandbox)
        except SigningError as error:
            had = _said(file, error, language)
    return had


def _draw(folder: Path, pdf: bytes, n: int, signature: SignatureReport, sandbox: Sandbox) -> None:
    """Every page that differs, both sides, as `1-ChuKyLanhDao-p001-then.png` and `…-now.png`."""
    end, allowed = signature.signed_bytes or 0, filled_as_allowed(signature)
    for difference in sandbox.run(compare_pages, pdf, end).differences:
        sides = sandbox.run(difference_pictures, pdf, end, difference.page, allowed=allowed)
        for side, png in zip(("then", "now"), sides, strict=True):
            if png is not None:
                _write(folder / f"{n}-{_safe(signature.field)}-p{difference.page + 1:03d}-{side}.png", png)


def _safe(field: str) -> str:
    """A field's name as part of a file's: a hostile file chooses that name."""
    return re.sub(r"[^\w-]", "_", field)[:60]


def _of(pattern: str, file: Path) -> Path:
    return Path(pattern.replace(NAME, file.stem))


def _write(target: Path, data: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        raise typer.BadParameter(f"{target}: {error.strerror}") from error


def _said(file: Path, error: SigningError, language: str) -> bool:
    typer.echo(f"{file}: {error.sentence(language)} [{error.code}]", err=True)
    return False
