"""Logging: one JSON line per event on stderr; what is logged is chosen word by word, never a health value."""

import logging
import sys
from functools import partial
from typing import Any

import structlog

QUIET = {"authlib": "INFO", "bumble": "WARNING", "bleak": "WARNING", "nats": "WARNING", "psycopg.pool": "WARNING"}
"""Loggers that never say more than this: Authlib's DEBUG contains tokens, a Bluetooth stack's contains values."""


def configure_logs(process: str, level: str) -> None:
    """Set up logging of this process; `process` names it in each line."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s %(message)s")
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.getLevelName(least)))
    structlog.configure(
        processors=[
            partial(_named, process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _named(process: str, _logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:  # structlog's signature
    event["process"] = process
    return event
