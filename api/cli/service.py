"""Running the service: migrate, serve, worker, doctor, and the pilot with its authority."""

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import httpx2
import typer
import uvicorn
from rich.console import Console
from rich.progress import Progress

from api import archiving, cases, elsewhere, logs, watch
from api.app import create_app
from api.children import Child, Kept, end_with_parent
from api.client import Refused
from api.doctor import examine, examine_whole, words_of
from api.engine import Worker, migrate_jobs
from api.migrations import upgrade
from api.pilot import build
from api.pilot.authority import serve_authority, start_authority
from api.pilot.district import PILOT_SIZE
from api.pilot.walk import Login, StepFailed, Walk
from api.settings import Settings, load_settings
from api.wiring import Database, Parts, build_parts, now
from keys.authority import PilotAuthority

console = Console(highlight=False)
NOT_WHOLE = 2
"""Exit status of `doctor --whole` when something that should be kept is not."""
Folder = Annotated[Path, typer.Option(help="Thư mục của hệ thống thử nghiệm. / Folder of the pilot.")]


def add_to(app: typer.Typer) -> None:
    """Put these commands on the program."""
    for command in (demo, serve, migrate, doctor):
        app.command()(command)
    for hidden in (worker, authority):
        app.command(hidden=True)(hidden)


def migrate() -> None:
    """Đưa cơ sở dữ liệu lên phiên bản này. / Bring the database to this version."""
    _migrate(load_settings())


def serve() -> None:
    """Chạy dịch vụ. / Run the service."""
    settings = load_settings()
    _migrate(settings)
    _serve(settings)


def worker() -> None:
    """The process beside the service that does jobs, places events and has them stamped."""
    end_with_parent()
    settings = load_settings()
    logs.set_up(settings.log_level)
    parts = build_parts(settings)
    working = Worker(parts, cases.JOBS)

    def stop(_: int, __: FrameType | None) -> None:
        working.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    working.run(cases.sequence_once, cases.stamp_newest, watch.clock, _sweep)
    parts.close()


def _sweep(parts: Parts) -> None:
    cases.sweep_uploads(parts)
    archiving.tend(parts)
    elsewhere.sweep(parts)
    watch.hourly(parts)


def authority(file: Path, port: int) -> None:
    """The pilot's authority."""
    serve_authority(file, port, now)


def doctor(
    whole: Annotated[
        bool, typer.Option("--whole", help="Đọc lại tất cả: tệp, sổ cái, dãy số. / Read everything anew.")
    ] = False,
) -> int:
    """Nói điều gì chưa ổn và cách sửa; 2 khi dữ liệu bị mất hoặc đổi. / Say what is wrong; 2: data lost or changed."""
    settings = load_settings()
    status = _examined(settings)
    return _proven(settings) or status if whole else status


def _proven(settings: Settings) -> int:
    """Say what the proof of the whole store came to; 2 when something of it is lost or was changed."""
    parts = build_parts(settings)
    try:
        proofs = examine_whole(parts)
    finally:
        parts.close()
    for proof in proofs:
        mark = "✔" if not proof.wrong else "·" if proof.harmless else "✘"
        console.print(f"{mark} {words_of(proof)}", markup=False, soft_wrap=True)
    return NOT_WHOLE if any(proof.wrong and not proof.harmless for proof in proofs) else 0


def _examined(settings: Settings) -> int:
    findings = examine(settings)
    for finding in findings:
        console.print(f"{'✔' if finding.good else '✘'} {finding.what}")
        if not finding.good:
            console.print(f"   → {finding.remedy}")
    return 0 if all(finding.good for finding in findings) else 1


def demo(
    folder: Folder = Path("demo-data"),
    port: Annotated[int, typer.Option(help="Cổng. / Port.")] = 8000,
    offices: Annotated[int, typer.Option(min=3, help="Số đơn vị. / Number of offices.")] = PILOT_SIZE,
    once: Annotated[bool, typer.Option("--once", help="Đi hết một lượt rồi kết thúc. / Walk once and exit.")] = False,
    accounts: Annotated[bool, typer.Option("--accounts", help="Cấp lại mật khẩu, PIN. / New passwords, PINs.")] = False,
    accounts_file: Annotated[
        Path | None, typer.Option(help="Ghi tài khoản ra tệp. / Write accounts to a file.")
    ] = None,
    walk: Annotated[bool, typer.Option(help="Đi hết một lượt khi tạo mới. / Walk the road when new.")] = True,
) -> int:
    """Huyện thử nghiệm: tạo lần đầu, đi hết con đường một lần, rồi phục vụ. / A pilot district to try."""
    try:
        if once:
            with tempfile.TemporaryDirectory(prefix="congvan-") as fresh:
                return _pilot_once(Path(fresh) / "data", offices)
        return _pilot(folder, port, offices, accounts, accounts_file, walk)
    except (StepFailed, Refused, TimeoutError, httpx2.HTTPError) as failed:
        console.print(f"✘ {failed}", style="red", markup=False, soft_wrap=True)
        return 1


def _pilot(folder: Path, port: int, offices: int, accounts: bool, accounts_file: Path | None, walk: bool) -> int:
    settings = _pilot_settings(folder, port)
    if accounts:
        return _print_new_accounts(settings, accounts_file)
    _migrate(settings)
    fresh = not (settings.pilot / "built").is_file()
    logins = _build(settings, offices, accounts_file) if fresh else []
    settings = _pilot_settings(folder, port)
    beside = _authority_of(settings)
    try:
        if fresh and walk:
            _walk(settings, logins)
        _greet(settings, logins)
        _serve(settings)
    finally:
        beside.stop()
    return 0


def _pilot_once(folder: Path, offices: int) -> int:
    settings = _pilot_settings(folder, _free_port())
    _migrate(settings)
    logins = _build(settings, offices, None)
    settings = _pilot_settings(folder, settings.port)
    beside = _authority_of(settings)
    try:
        _walk(settings, logins)
    finally:
        beside.stop()
    return 0


def _pilot_settings(folder: Path, port: int) -> Settings:
    """Settings of a pilot: everything in its folder, only its own authority may be asked."""
    address_file = folder / "pilot" / "port"
    beside = address_file.read_text().strip() if address_file.is_file() else None
    os.environ.update(_pilot_environment(folder, port, beside))
    return load_settings()


def _pilot_environment(folder: Path, port: int, authority_port: str | None) -> dict[str, str]:
    """What the children of this program must know too."""
    told = {"CONGVAN_DATA": str(folder.resolve()), "CONGVAN_PORT": str(port)}
    if "log_level" not in load_settings().model_fields_set:
        told["CONGVAN_LOG_LEVEL"] = "warning"  # a line for each request would push the accounts off the screen
    if authority_port:
        told["CONGVAN_TSA_URL"] = f"http://127.0.0.1:{authority_port}/tsa"
        told["CONGVAN_OUTGOING_ALLOWED"] = f'["127.0.0.1:{authority_port}"]'
    return told


def _build(settings: Settings, offices: int, accounts_file: Path | None) -> list[Login]:
    """Make the district; one that an earlier start left half made is begun anew: nobody has seen its passwords."""
    parts = build_parts(settings)
    try:
        if not _has_offices(parts):
            logins = _build_anew(parts, offices)
        elif settings.is_pilot:  # the earlier start ended between its last write and telling the passwords
            logins = build.new_accounts(parts, _kept_authority(settings))
        else:
            raise typer.BadParameter(
                "Cơ sở dữ liệu này đã có đơn vị: hãy dùng cơ sở dữ liệu trống. / This database is not empty."
            )
    finally:
        parts.close()
    _keep_accounts(logins, accounts_file)
    (settings.pilot / "built").touch()
    return logins


def _build_anew(parts: Parts, offices: int) -> list[Login]:
    port, folder = _free_port(), parts.settings.pilot
    made = build.make_authority(parts, folder, port)
    (folder / "port").write_text(str(port))
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"Tạo {offices} đơn vị, khóa và chứng thư thử nghiệm", total=offices)
        return build.build_district(
            parts, made, count=offices, progress=lambda done, _: progress.update(task, completed=done)
        )


def _has_offices(parts: Parts) -> bool:
    with parts.read() as reading:
        return bool(reading.exchange.offices())


def _kept_authority(settings: Settings) -> PilotAuthority:
    return PilotAuthority.from_bytes((settings.pilot / "authority.json").read_bytes())


def _print_new_accounts(settings: Settings, accounts_file: Path | None) -> int:
    if not (settings.pilot / "built").is_file():
        raise typer.BadParameter(f"{settings.data}: chưa có huyện thử nghiệm. / There is no pilot in this folder.")
    parts = build_parts(settings)
    try:
        logins = build.new_accounts(parts, _kept_authority(settings))
    finally:
        parts.close()
    _keep_accounts(logins, accounts_file)
    _print_accounts(logins)
    return 0


def _keep_accounts(logins: list[Login], file: Path | None) -> None:
    if file is not None:
        file.touch(mode=0o600)
        file.write_text(build.logins_json(logins), "utf-8")


def _authority_of(settings: Settings) -> Child:
    return start_authority(settings.pilot / "authority.json", int((settings.pilot / "port").read_text()))


def _walk(settings: Settings, logins: list[Login]) -> None:
    """The road, over real HTTP on a port of its own, with a real worker."""
    console.print("[bold]Một văn bản đi hết con đường / One document walks the whole road[/bold]")
    with _running(settings, _free_port()) as address:
        walk = Walk(
            lambda: httpx2.Client(base_url=address, timeout=120),
            {login.login: login for login in logins},
            (settings.pilot / "root.cer").read_bytes(),
            lambda step, words: console.print(f"  [green]✔[/green] {step}: {words}", soft_wrap=True),
        )
        walk.whole_road()


def _greet(settings: Settings, logins: list[Login]) -> None:
    if logins:
        _print_accounts(logins)
    console.print(f"[bold]Công Văn: {settings.address}[/bold]  (Ctrl+C để dừng / to stop)")
    if not logins:
        console.print("Quên mật khẩu? / Forgot the passwords?  congvan demo --accounts")


def _print_accounts(logins: list[Login]) -> None:
    console.print("Tài khoản (chỉ hiện một lần) / Accounts (shown once):")
    for login in logins:
        pin = f"  PIN {login.pin}" if login.pin else ""
        console.print(f"  {login.login:<26} {login.password}{pin}   {login.name}", soft_wrap=True)


def _migrate(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        upgrade(database.writer)
        migrate_jobs(database)
    finally:
        database.close()


def _serve(settings: Settings) -> None:
    logs.set_up(settings.log_level)
    parts = build_parts(settings)
    beside = Kept(["worker"])
    try:
        uvicorn.run(
            create_app(parts), host=settings.host, port=settings.port, log_level="warning", access_log=False,
            server_header=False,
        )  # fmt: skip
    finally:
        beside.stop()
        parts.close()


@contextmanager
def _running(settings: Settings, port: int) -> Iterator[str]:
    """The service in this process, for as long as the road takes."""
    import threading

    logs.set_up("error")
    parts: Parts = build_parts(settings)
    beside = Kept(["worker"])
    config = uvicorn.Config(create_app(parts), host="127.0.0.1", port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="service", daemon=True)
    thread.start()
    try:
        _wait(lambda: server.started, 20)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
        beside.stop()
        parts.close()


def _wait(ready: Callable[[], bool], seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > give_up:
            raise TimeoutError("the service did not start")
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
