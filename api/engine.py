"""Jobs on DBOS, behind `exchange.storage.jobs.Queue`: on the caller's own database, in the caller's transaction.

Rules that trials forced: JSON serializer (never pickle), a constant application version, one executor id for each
process start with a heartbeat and a reaper, a bounded worker, an engine of its own on SQLite.
Each job is one idempotent step.
"""

import math
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions
from dbos import DBOSPortableJSONSerializer as Json
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import Engine

from api.errors import DatabaseUnavailable
from keys.errors import RevocationUnavailable, TimestampRejected, TsaUnavailable

if TYPE_CHECKING:
    from api.wiring import Database, Parts

QUEUE = "congvan"
VERSION = "1"
CONCURRENCY = 4
BEAT_SECONDS = 2.0
DEAD_AFTER = timedelta(seconds=15)
SEQUENCE_SECONDS = 0.3
STAMP_SECONDS = 60.0
CLOCK_SECONDS = 10.0
SWEEP_SECONDS = 3600.0
FIRST_RETRY_SECONDS = 2.0
RETRY_GROWTH = 1.5
SLOWEST_RETRY_SECONDS = 300.0

log = structlog.get_logger("congvan.jobs")
Act = Callable[["Parts", Mapping[str, Any]], None]


def job_engine(database: "Database") -> Engine:
    """DBOS's own engine: on SQLite it cannot share the one that begins immediately."""
    return create_engine(database.url, pool_pre_ping=True)


def job_client(database: "Database") -> DBOSClient:
    """The side that only enqueues: no threads."""
    return DBOSClient(system_database_engine=job_engine(database), serializer=Json(), lazy=True)


def migrate_jobs(database: "Database") -> None:
    """Make or upgrade the job engine's tables."""
    DBOS.migrate(database.url)


class DbosQueue:
    """Puts jobs into the caller's transaction."""

    def __init__(self, client: DBOSClient, connection: Connection) -> None:
        self._client = client
        self._connection = connection

    def enqueue(self, kind: str, payload: Mapping[str, str | int | None], *, key: str, delay_seconds: int = 0) -> None:
        """One job of this kind and key, once the transaction commits; the same key again is the same job."""
        options: EnqueueOptions = {
            "workflow_name": kind,
            "queue_name": QUEUE,
            "workflow_id": f"{kind}:{key}",
            "app_version": VERSION,
        }
        if delay_seconds:
            options["delay_seconds"] = delay_seconds
        self._client.enqueue_in_transaction(self._connection, options, {"key": key, **payload})


class Worker:
    """The process that does jobs, places events in the ledger and has it stamped; `run` returns after `stop`."""

    def __init__(self, parts: "Parts", kinds: Mapping[str, Act]) -> None:
        self._parts = parts
        self._kinds = kinds
        self._id = f"worker-{uuid4().hex}"
        self._stop = threading.Event()

    def stop(self) -> None:
        """End in good order: what runs is finished, the rest waits for the next worker."""
        self._stop.set()

    def run(
        self,
        sequence: Callable[["Parts"], bool],
        stamp: Callable[["Parts"], None],
        clock: Callable[["Parts"], None],
        sweep: Callable[["Parts"], None],
    ) -> None:
        """Do jobs until `stop`. `sequence` is called again at once while it returns True; `stamp` every minute,
        `clock` every ten seconds, `sweep` at the start and every hour."""
        self._parts_beat()
        DBOS(config=_config(self._parts.database, self._id))
        for kind, act in self._kinds.items():
            _register(kind, act, self._parts, self._stop)
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=0.5)
        threads = [
            threading.Thread(target=self._every, args=(BEAT_SECONDS, self._beat_and_reap), name="heartbeat"),
            threading.Thread(target=self._every, args=(STAMP_SECONDS, lambda: stamp(self._parts)), name="stamp"),
            threading.Thread(target=self._every, args=(CLOCK_SECONDS, lambda: clock(self._parts)), name="clock"),
            threading.Thread(target=self._every, args=(SWEEP_SECONDS, lambda: sweep(self._parts)), name="sweep"),
        ]
        for thread in threads:
            thread.start()
        self._every(SEQUENCE_SECONDS, lambda: self._sequence(sequence))
        for thread in threads:
            thread.join()
        DBOS.destroy(workflow_completion_timeout_sec=10)

    def _sequence(self, sequence: Callable[["Parts"], bool]) -> None:
        while not self._stop.is_set() and sequence(self._parts):
            pass

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                act()
            except Exception:
                # one bad round must not end the worker: it is logged, and the next round comes
                log.exception("round-failed", act=getattr(act, "__name__", "act"))
            self._stop.wait(seconds)

    def _beat_and_reap(self) -> None:
        self._parts_beat()
        with self._parts.read() as reading:
            silent = reading.people.silent_workers(self._parts.now() - DEAD_AFTER)
        for worker in silent:
            stranded = [s.workflow_id for s in DBOS.list_workflows(status="PENDING", executor_id=worker)]
            if stranded:
                DBOS.resume_workflows(stranded, queue_name=QUEUE)
                log.info("jobs-taken-over", worker=worker, jobs=len(stranded))
            with self._parts.write() as writing:
                writing.people.bury(worker)

    def _parts_beat(self) -> None:
        with self._parts.write() as writing:
            writing.people.beat(self._id, self._parts.now())


def _config(database: "Database", executor: str) -> DBOSConfig:
    return {
        "name": "congvan",
        "system_database_engine": job_engine(database),
        "application_version": VERSION,
        "executor_id": executor,
        "serializer": Json(),
        "enable_otlp": False,
        "console_log_level": "WARNING",
    }


def _register(kind: str, act: Act, parts: "Parts", stop: threading.Event) -> None:
    """One kind of job: a workflow of exactly one step. Whatever went wrong means: the same again, later.

    An act itself ends what can never succeed; a failure that it does not know may pass, and losing the job would leave
    a document waiting for ever.
    """

    @DBOS.step(name=f"{kind}-step")
    def step(payload: dict[str, Any]) -> None:
        try:
            act(parts, payload)
        except (TsaUnavailable, RevocationUnavailable, TimestampRejected, OSError) as error:
            log.warning("job-later", kind=kind, error=str(error), attempt=payload.get("attempt", 0))
            _again(parts, kind, payload, stop)
        except Exception:
            log.exception("job-failed", kind=kind, attempt=payload.get("attempt", 0))
            _again(parts, kind, payload, stop)

    @DBOS.workflow(name=kind)
    def workflow(payload: dict[str, Any]) -> None:
        step(payload)


def _again(parts: "Parts", kind: str, payload: Mapping[str, Any], stop: threading.Event) -> None:
    """The next try of a job, as a job of its own: waits grow to five minutes and stay there.

    While the database is away this waits for it; a worker that ends meanwhile leaves the job to the next one.
    """
    attempt = int(payload.get("attempt", 0)) + 1
    wait = min(SLOWEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * RETRY_GROWTH ** min(attempt, 50))
    key = f"{payload['key']}:{attempt}"
    while True:
        try:
            with parts.write() as writing:
                writing.tx.jobs.enqueue(kind, {**payload, "attempt": attempt}, key=key, delay_seconds=math.ceil(wait))
        except DatabaseUnavailable:
            if stop.wait(FIRST_RETRY_SECONDS):
                raise
        else:
            return
