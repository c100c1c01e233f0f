"""Slots: the sessions that share the load, each leased to one worker by an advisory lock of PostgreSQL.

Slot i of K has the stable client id ``dg-ingest-{i}`` and the shards whose number is i modulo K. Each worker holds its
share of the slots: all of them when it is alone. When a worker dies its connection to the database ends, its locks are
free, and the others go on with the sessions and their waiting messages.
"""

from psycopg import Connection

from device_gateway.database.pool import Row

LOCK_SPACE = 0x6467_696E  # "dgin": first key of the pair, so that slots collide with nobody else's locks
SHARDS = 256
PRESENCE = SHARDS  # second key of a shared lock that every worker holds; slots are below

WORKERS = """
SELECT count(*) AS workers FROM pg_locks l JOIN pg_database d ON d.oid = l.database
WHERE l.locktype = 'advisory' AND d.datname = current_database() AND l.granted
  AND l.classid = %s::oid AND l.objid = %s::oid AND l.objsubid = 2"""


class Leases:
    """What one worker holds, for as long as `connection` lives."""

    def __init__(self, connection: Connection[Row], slots: int) -> None:
        self._connection = connection
        self._slots = slots
        self.held: set[int] = set()
        connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (LOCK_SPACE, PRESENCE))

    def take(self, slot: int) -> bool:
        """False when another worker has it."""
        [row] = self._connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS taken", (LOCK_SPACE, slot)).fetchall()
        if row.taken:
            self.held.add(slot)
        return bool(row.taken)

    def give(self, slot: int) -> None:
        self.held.discard(slot)
        self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCK_SPACE, slot))

    def share(self) -> int:
        """How many slots a worker has when the load is spread over those that are there now, rounded up."""
        [row] = self._connection.execute(WORKERS, (LOCK_SPACE, PRESENCE)).fetchall()
        return -(-self._slots // max(1, int(row.workers)))

    def take_share(self) -> None:
        """Take free slots up to the share."""
        share = self.share()
        for slot in range(self._slots):
            if len(self.held) >= share:
                return
            if slot not in self.held:
                self.take(slot)


def note_established(connection: Connection[Row], slot: int, slots: int) -> None:
    """The session of `slot` exists at the broker, and stays there."""
    connection.execute(
        "INSERT INTO gateway.ingest_session (slots, slot) VALUES (%s, %s) ON CONFLICT DO NOTHING", (slots, slot)
    )


def client_id(slot: int) -> str:
    return f"dg-ingest-{slot}"


def shards(slot: int, slots: int) -> list[str]:
    """The ``{shard}`` levels of the slot: ``+`` when it is the only one, otherwise two hex digits each."""
    if slots == 1:
        return ["+"]
    return [f"{shard:02x}" for shard in range(SHARDS) if shard % slots == slot]
