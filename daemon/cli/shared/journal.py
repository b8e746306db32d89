"""Log records into systemd's journal, with fields: `journalctl CLIP_ID=…` finds all that was said of a clip."""

from __future__ import annotations

import logging

from logging_journald import JournaldTransport, check_journal_stream

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


class JournalHandler(logging.Handler):
    """One journal entry a record; `fields` of the record become fields of the entry, in capitals.

    The transport is logging-journald's. Its own handler would call them EXTRA_CLIP_ID, and add all else a record has.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__()
        self._fields = fields
        self._transport = JournaldTransport()

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler."""
        try:
            pairs = [
                ("MESSAGE", self.format(record)),
                ("PRIORITY", next((number for level, number in _PRIORITIES if record.levelno >= level), 7)),
                ("SYSLOG_IDENTIFIER", "bwc"),
                ("LOGGER", record.name),
                ("CODE_FILE", record.pathname),
                ("CODE_LINE", record.lineno),
                ("CODE_FUNC", record.funcName),
            ]
            named = [(field, getattr(record, field, None)) for field in self._fields]
            self._transport.send([*pairs, *((field, str(value)) for field, value in named if value is not None)])
        except Exception:  # noqa: BLE001 - as logging wants it: told on standard error, which the journal has too
            self.handleError(record)


def to_journal() -> bool:
    """Whether standard error is the journal's: started by systemd, and not redirected since."""
    try:
        return bool(check_journal_stream())
    except (OSError, ValueError):
        return False
