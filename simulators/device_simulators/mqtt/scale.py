"""``device-gateway simulate mqtt-scale``."""

import itertools
import threading
import time
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from device_simulators.mqtt.hub_messages import OPENINGS, WEIGHINGS, Heard, Sent
from device_simulators.mqtt.own_message import OwnMessage, outcomes, own_history, own_message
from device_simulators.mqtt.session import Refused, Session, Unreachable
from device_simulators.mqtt.weighing import past_weighings, weighings

TRIES = 30  # five minutes with the default pause: longer than a restart of anything
PUBACK_S = 60.0
SETTLED = ("stored", "duplicate", "corrected")

UNAVAILABLE, NO_PERMISSION, UNANSWERED = 69, 77, 75  # exit codes of sysexits.h


class Dialect(StrEnum):
    OWN = "own"
    THEENGS = "theengs"
    ESPHOME = "esphome"
    BLE_SCALE_SYNC = "ble-scale-sync"
    ZIGBEE2MQTT = "zigbee2mqtt"
    TASMOTA = "tasmota"


class Outcomes:
    """What was answered, by message id."""

    def __init__(self) -> None:
        self._answers: dict[str, list[str]] = {}
        self._changed = threading.Condition()

    def take(self, _topic: str, payload: bytes) -> None:
        try:
            message_id, answer = outcomes(payload)
        except (ValueError, KeyError, TypeError):
            return
        with self._changed:
            self._answers[message_id] = answer
            self._changed.notify_all()

    def wait(self, message_id: str, seconds: float) -> list[str] | None:
        with self._changed:
            self._changed.wait_for(lambda: message_id in self._answers, seconds)
            return self._answers.pop(message_id, None)


def mqtt_scale(
    *,
    mqtt_url: Annotated[
        str, typer.Option(envvar="DEVICE_SIMULATOR_MQTT_URL", help="mqtt://host:port or mqtts://host:port.")
    ],
    username: Annotated[str, typer.Option(help="MQTT user name: the id of the device or hub.")],
    password: Annotated[str, typer.Option(envvar="DEVICE_SIMULATOR_MQTT_PASSWORD", help="MQTT password.")],
    topic: Annotated[str, typer.Option(help="Readings topic of the device, or base topic of the hub.")],
    dialect: Annotated[
        Dialect, typer.Option(help="Our own, or that of the hub that speaks for the scale.")
    ] = Dialect.OWN,
    interval: Annotated[float, typer.Option(min=0, help="Seconds between weighings.")] = 60.0,
    count: Annotated[int, typer.Option(min=0, help="Weighings before the end; 0: no end.")] = 0,
    retry: Annotated[float, typer.Option(min=0.1, help="own: seconds to the next try of what is not answered.")] = 10.0,
    history: Annotated[int, typer.Option(min=0, max=1000, help="own: past days with a weighing each, sent first.")] = 0,
    seed: Annotated[int, typer.Option(help="Same seed, same weighings.")] = 1,
    kg: Annotated[float, typer.Option(min=2, max=300, help="Usual weight.")] = 72.4,
    address: Annotated[
        str, typer.Option(help="Hubs: Bluetooth address of the scale, or of the node.")
    ] = "5C:CA:D3:00:00:01",
    repeats: Annotated[int, typer.Option(min=1, help="theengs, tasmota: how often each weighing is heard.")] = 3,
    advertisement: Annotated[bool, typer.Option(help="theengs: send the raw advertisement, with the clock.")] = True,
    zone: Annotated[str, typer.Option(help="theengs, tasmota: time zone of the clock.")] = "Europe/Paris",
    ca: Annotated[Path | None, typer.Option(help="mqtts: PEM file of the authority of the broker.")] = None,
) -> None:
    """A smart scale that publishes weighings over MQTT.

    In our own dialect it waits for the outcome of each and sends again what is not answered.
    """
    answers = Outcomes()
    try:
        clock = ZoneInfo(zone)
        session = Session(mqtt_url, username, password, ca, answers.take)
    except (ValueError, KeyError) as error:
        raise _failure(str(error), 2) from error
    numbers = itertools.count(1) if count == 0 else range(1, count + 1)
    refused = 0
    try:
        session.open([_sibling(topic, "outcome")] if dialect is Dialect.OWN else [])
        if history and dialect is Dialect.OWN:
            past = past_weighings(kg, seed, datetime.now().astimezone(), history)
            answer = _until_answered(session, topic, own_history(past), answers, retry_s=retry)
            typer.echo(f"history of {history} days: {answer.count('stored')} new")
        for number, weighing in zip(numbers, weighings(kg, seed), strict=False):
            if number > 1:
                time.sleep(interval)
            if dialect is Dialect.OWN:
                message = own_message(weighing, datetime.now().astimezone(), number)
                answer = _until_answered(session, topic, message, answers, retry_s=retry)
                refused += any(outcome not in SETTLED for outcome in answer)
                typer.echo(f"weighing {number}: {', '.join(answer)}")
            else:
                at = datetime.now(clock)
                heard = Heard(topic, address, at, at.replace(tzinfo=None), repeats, advertisement)
                if number == 1 and dialect in OPENINGS:
                    _send(session, OPENINGS[dialect](heard))
                sent = _send(session, WEIGHINGS[dialect](weighing, heard))
                typer.echo(f"weighing {number}: sent {sent} times")
    except Unreachable as error:
        raise _failure(str(error), UNAVAILABLE) from error
    except Refused as error:
        raise _failure(
            f"the broker refused the credentials of {username}: is the device paired, and is ingestion running?",
            NO_PERMISSION,
        ) from error
    except TimeoutError as error:
        raise _failure(str(error), UNANSWERED) from error
    except KeyboardInterrupt:
        pass
    finally:
        session.close()
    if refused:
        raise _failure(f"{refused} weighings were rejected", 1)


def _until_answered(
    session: Session, topic: str, message: OwnMessage, answers: Outcomes, *, retry_s: float
) -> list[str]:
    """The outcome of each reading. The same message goes out again and again until there is one."""
    for _ in range(TRIES):
        session.publish(topic, message.payload)
        answer = answers.wait(message.message_id, retry_s)
        if answer is not None:
            return answer
    raise TimeoutError(f"no outcome after {TRIES} tries")


def _send(session: Session, messages: Iterable[Sent]) -> int:
    """Publish one after the other; returns how many."""
    sent = 0
    for topic, payload in messages:
        _until_acknowledged(session, topic, payload)
        sent += 1
    return sent


def _until_acknowledged(session: Session, topic: str, payload: bytes) -> None:
    if not session.acknowledged(session.publish(topic, payload), PUBACK_S):
        raise TimeoutError(f"not acknowledged by the broker within {PUBACK_S:g} s")


def _sibling(topic: str, name: str) -> str:
    return f"{topic.rpartition('/')[0]}/{name}"


def _failure(message: str, code: int) -> typer.Exit:
    typer.echo(f"simulate mqtt-scale: {message}", err=True)
    return typer.Exit(code)


if __name__ == "__main__":
    typer.run(mqtt_scale)
