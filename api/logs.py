"""Structured logs, one JSON line for each thing that happened, and numbers for Prometheus. No secret enters either."""

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()
REQUESTS = Counter("congvan_requests_total", "Requests answered.", ["method", "route", "status"], registry=registry)
ENDING = Gauge(
    "congvan_certificates_ending", "Certificates in use by the days that are left: at most 60, 14, 3, 0.", ["days"],
    registry=registry,
)  # fmt: skip
WAITING = Gauge(
    "congvan_waiting", "What waits for an authority of others: signature, renewal, ledger.", ["what"], registry=registry
)
SECONDS = Histogram("congvan_request_seconds", "Time to answer a request.", ["route"], registry=registry)


def set_up(level: str) -> None:
    """Write logs as JSON lines to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
