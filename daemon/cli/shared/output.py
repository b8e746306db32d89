"""Printing: JSON documents, tables, and logs with fields."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import click

from daemon.cli.shared.journal import JournalHandler, to_journal
from daemon.model.times import format_instant

_FIELDS = ("clip_id", "bay", "camera", "person_id", "dock_id")


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


class JsonLines(logging.Formatter):
    """One JSON object a line, with the record's clip, bay and camera where it has them."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line."""
        line: dict[str, Any] = {
            "at": format_instant(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for field in _FIELDS:
            if (value := getattr(record, field, None)) is not None:
                line[field] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_logging(level: str) -> None:
    """Structured logs: fields in the journal under systemd, JSON lines on standard error elsewhere."""
    handler: logging.Handler
    if to_journal():
        handler = JournalHandler(_FIELDS)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
