"""The row of an import: how far it is committed, what was rejected, and what its patient's journal says of it."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg import Connection
from psycopg.types.json import Jsonb

from device_gateway.database.pool import Row
from device_gateway.imports.report import report_to_json
from device_gateway.imports.run import File, Reached, Rejections
from device_gateway.journal import Actor, Event, EventName, record_in_worker

NEW: Final = """INSERT INTO gateway.file_import
  (space_id, actor_kind, actor_id, actor_name, file_name, format, zone, state, records)
  VALUES (%s, %s, %s, %s, %s, %s, %s, 'importing', %s) RETURNING id"""
SAVE: Final = """UPDATE gateway.file_import SET position = %s, report = %s, changed_at = now() WHERE id = %s"""
REJECTED: Final = """INSERT INTO gateway.file_import_rejected (import_id, space_id, n, pointer, reason, record)
  SELECT %b, %b, n, p, r, t FROM unnest(%b::int4[], %b::text[], %b::text[], %b::text[]) AS x (n, p, r, t)
  ON CONFLICT DO NOTHING"""
DONE: Final = "UPDATE gateway.file_import SET state = 'done', report = %s, changed_at = now() WHERE id = %s"
NO_PIECES: Final = "DELETE FROM gateway.file_import_piece WHERE import_id = %s"
ENTER: Final = "SELECT set_config('app.space', %s, true)"
LONGEST_FILE_NAME: Final = 200


@dataclass(frozen=True)
class Progress:
    """Writes the row `id` through a connection of role gateway_ingest."""

    connection: Connection[Row]
    id: UUID
    file: File
    actor: Actor

    def save(self, reached: Reached, rejected: Rejections) -> None:
        """Inside the transaction that stores the batch."""
        if reached.position and not self._begun():
            self._record(EventName.IMPORT_BEGUN, None)
        self.connection.execute(SAVE, (reached.position, Jsonb(report_to_json(reached.report)), self.id))
        if rejected:
            numbers, pointers, reasons, texts = zip(
                *((entry.number, why.pointer, why.reason, text_column(entry.text)) for entry, why in rejected),
                strict=True,
            )
            self.connection.execute(
                REJECTED, (self.id, self.file.space, list(numbers), list(pointers), list(reasons), list(texts))
            )

    def finish(self, reached: Reached) -> None:
        """Everything is committed: the upload is no longer needed."""
        with self.connection.transaction():
            report = reached.report
            self.connection.execute(DONE, (Jsonb(report_to_json(report)), self.id))
            self.connection.execute(NO_PIECES, (self.id,))
            self._record(EventName.IMPORT_DONE, report.stored + report.corrected)

    def _begun(self) -> bool:
        query = "SELECT position FROM gateway.file_import WHERE id = %s"
        return any(row.position for row in self.connection.execute(query, (self.id,)))

    def _record(self, name: EventName, quantity: int | None) -> None:
        self.connection.execute(ENTER, (str(self.file.space),))
        event = Event(
            name, self.file.space, self.actor, resource="Observation", quantity=quantity,
            details={"source": self.file.format.name},
        )  # fmt: skip
        record_in_worker(self.connection, event)


def begin(connection: Connection[Row], file: File, actor: Actor, file_name: str, records: int) -> Progress:
    """A new import, of a file that is at hand: no upload is kept."""
    zone = file.zone.key if file.zone else None
    values = (file.space, actor.kind, actor.id, actor.name, text_column(file_name)[-LONGEST_FILE_NAME:])
    [row] = connection.execute(NEW, (*values, file.format.key, zone, records)).fetchall()
    return Progress(connection, row.id, file, actor)


def text_column(text: str) -> str:
    """What a text of PostgreSQL can hold: no NUL, no lone surrogate."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "backslashreplace").decode()
