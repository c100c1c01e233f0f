"""Slots: the sessions that share the load, each leased to one worker by an advisory lock of PostgreSQL.

Slot i of K has the stable client id ``dg-ingest-{i}`` and the shards whose number is i modulo K. When a worker dies its
connection to the database ends, the lock is free, and another worker goes on with the session and its waiting messages.
"""

from psycopg import Connection

from device_gateway.database.pool import Row

LOCK_SPACE = 0x6467_696E  # "dgin": first key of the pair, so that slots collide with nobody else's locks
SHARDS = 256


def lease(connection: Connection[Row], slots: int) -> int | None:
    """Take a free slot for as long as `connection` lives; None when all are taken."""
    for slot in range(slots):
        if renew(connection, slot):
            return slot
    return None


def renew(connection: Connection[Row], slot: int) -> bool:
    """Take `slot` again on a new connection; False when another worker has it by now."""
    [row] = connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS taken", (LOCK_SPACE, slot)).fetchall()
    return bool(row.taken)


def client_id(slot: int) -> str:
    return f"dg-ingest-{slot}"


def shards(slot: int, slots: int) -> list[str]:
    """The ``{shard}`` levels of the slot: ``+`` when it is the only one, otherwise two hex digits each."""
    if slots == 1:
        return ["+"]
    return [f"{shard:02x}" for shard in range(SHARDS) if shard % slots == slot]
