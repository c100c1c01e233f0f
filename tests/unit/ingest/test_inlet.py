"""Between network threads and the worker: bounded in number, and in bytes for each batch."""

import threading
import time
from datetime import UTC, datetime

from device_gateway.ingest.message import Message
from device_gateway.transports.mqtt.inlet import BATCH_BYTES, LOOK_AGAIN_S, WINDOW_BYTES, Inlet


def message(payload: bytes = b"x") -> Message:
    return Message("topic", payload, datetime.now(UTC))


def always() -> bool:
    return True


def test_a_batch_has_what_is_there_and_no_more_than_was_asked_for() -> None:
    inlet = Inlet(10)
    for n in range(5):
        inlet.put([message(b"%d" % n)], always)
    assert [m.payload for m in inlet.take(3, 0, 0)] == [b"0", b"1", b"2"]
    assert [m.payload for m in inlet.take(3, 0, 0)] == [b"3", b"4"]
    assert inlet.take(3, 0, 0) == []


def test_big_messages_make_small_batches() -> None:
    inlet = Inlet(10)
    for _ in range(8):
        inlet.put([message(b"x" * (BATCH_BYTES // 2))], always)
    assert len(inlet.take(100, 0, 0)) == 2


def test_who_puts_waits_for_room() -> None:
    inlet = Inlet(1)
    inlet.put([message()], always)
    thread = threading.Thread(target=inlet.put, args=([message(b"late")], always))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    assert len(inlet.take(1, 0, 0)) == 1
    assert [m.payload for m in inlet.take(1, 5, 0)] == [b"late"]
    thread.join(5)
    assert not thread.is_alive()


def test_big_messages_wait_for_room_before_they_are_many() -> None:
    inlet = Inlet(10)
    for _ in range(4):
        inlet.put([message(b"x" * (WINDOW_BYTES // 4))], always)
    thread = threading.Thread(target=inlet.put, args=([message()], always))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    assert len(inlet.take(10, 0, 0)) == 1
    thread.join(5)
    assert not thread.is_alive()
    assert len(inlet) == 4


def test_who_is_no_longer_wanted_gives_up_waiting() -> None:
    inlet, wanted = Inlet(1), threading.Event()
    wanted.set()
    inlet.put([message()], always)
    thread = threading.Thread(target=inlet.put, args=([message()], wanted.is_set))
    thread.start()
    wanted.clear()
    thread.join(5)
    assert not thread.is_alive()
    assert len(inlet.take(10, 0, 0)) == 1


def test_a_session_that_ends_is_not_held_up_by_the_messages_in_its_buffer() -> None:
    """A worker that gives a slot back waits for the session's thread, and takes nothing out of the inlet meanwhile."""
    inlet = Inlet(1)
    inlet.put([message()], always)
    begun = time.monotonic()
    for _ in range(500):
        inlet.put([message()], lambda: False)
    assert time.monotonic() - begun < 50 * LOOK_AGAIN_S


def test_a_batch_is_waited_for_as_long_as_it_may_fill() -> None:
    inlet = Inlet(10)
    inlet.put([message(b"first")], always)
    threading.Timer(0.1, inlet.put, ([message(b"second")], always)).start()
    begun = time.monotonic()
    assert len(inlet.take(2, 1, 5)) == 2
    assert time.monotonic() - begun < 4, "full is full"
