"""`decode ble | mqtt`: what an adapter makes of raw bytes, as JSON. Nothing is stored and nobody is asked.

readings    ``[{"metric", "value", "unit", "at", "seq", "status", "context"}, …]``; a metric with components has
            ``"components"`` beside a ``value`` of null
refused     ``{"rejected": {"pointer", "reason"}}``, also among readings where only a part was refused
facts       ``{"facts": {…}}`` for a characteristic that says something about the device and measures nothing
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from device_gateway.readings.model import Reading, Rejected

ReceivedAt = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S"],
        help="When it was received, for what has no time of its own. Now, if not said.",
    ),
]

app = typer.Typer(no_args_is_help=True, help="Show as JSON what an adapter makes of raw bytes.")

_SUFFIX: Final = "-0000-1000-8000-00805f9b34fb"  # the Bluetooth Base UUID


@app.command()
def ble(
    characteristic: Annotated[
        str | None, typer.Option(help="16 bits in hex, as 2A18, or a whole UUID; of a broadcast, its service.")
    ] = None,
    hex_: Annotated[str | None, typer.Option("--hex", help="Its value in hex.")] = None,
    before: Annotated[
        list[str] | None, typer.Option(help="CHARACTERISTIC=HEX that came before; as 2AAA=… for a CGM.")
    ] = None,
    batch: Annotated[
        bool, typer.Option(help="Lines `CHARACTERISTIC HEX` from standard input, each by itself.")
    ] = False,
    received_at: ReceivedAt = None,
) -> None:
    """Decode the value of a Bluetooth characteristic."""
    at = _aware(received_at)
    earlier = [(name.strip(), value) for name, _, value in (packet.partition("=") for packet in before or [])]
    if batch:
        for line in sys.stdin.buffer:
            name, _, value = line.decode("ascii", "replace").strip().partition(" ")
            typer.echo(_line(_characteristic(name, value, earlier, at)))
        return
    if characteristic is None or hex_ is None:
        raise typer.BadParameter("give --characteristic and --hex, or --batch")
    typer.echo(_line(_characteristic(characteristic, hex_, earlier, at)))


@app.command()
def mqtt(
    topic: Annotated[
        str | None, typer.Option(help="As published, dg/v1/{shard}/{id}/readings or …/x/{dialect}/….")
    ] = None,
    payload: Annotated[str | None, typer.Option(help="The text of the message.")] = None,
    hex_: Annotated[str | None, typer.Option("--hex", help="The payload in hex, in place of --payload.")] = None,
    before: Annotated[
        list[str] | None, typer.Option(help="TOPIC=PAYLOAD that came before; as a discovery message.")
    ] = None,
    batch: Annotated[
        bool, typer.Option(help="Lines `TOPIC PAYLOAD` from standard input, in the order in which they came.")
    ] = False,
    received_at: ReceivedAt = None,
    mappings: Annotated[
        Path | None, typer.Option(envvar="DEVICE_GATEWAY_MAPPINGS", help="Directory of mapping files.")
    ] = None,
) -> None:
    """Decode the payload of an MQTT message."""
    from device_gateway.ingest.dialects import use_mappings

    use_mappings(mappings)
    at, memory = _aware(received_at), dict[str, str]()
    for message in before or []:
        name, _, text = message.partition("=")
        _message(name, text.encode(), at, memory)
    if batch:
        for line in sys.stdin.buffer:
            name, _, text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape").partition(" ")
            typer.echo(_line(_message(name, text.encode("utf-8", "surrogateescape"), at, memory)))
        return
    if topic is None or (payload is None) is (hex_ is None):
        raise typer.BadParameter("give --topic with --payload or --hex, or --batch")
    try:
        octets = bytes.fromhex(hex_) if hex_ is not None else (payload or "").encode("utf-8", "surrogateescape")
    except ValueError:
        typer.echo(_line([Rejected("/hex", "two hexadecimal digits are needed for each octet")]))
        return
    typer.echo(_line(_message(topic, octets, at, memory)))


def _message(topic: str, payload: bytes, at: datetime, memory: dict[str, str]) -> list[Reading | Rejected]:
    """What the topic's dialect makes of it; `memory` is what the messages before it left, and takes what it says."""
    from device_gateway.devices.topics import DEVICE_SENDS, HUB_KIND, OWN_DIALECT
    from device_gateway.ingest.dialects import RememberingDialect, dialects
    from device_gateway.ingest.misfits import UNCLAIMED

    levels = topic.split("/")
    if len(levels) > 5 and levels[4] == HUB_KIND:
        key, subtopic = levels[5], "/".join(levels[6:])
    else:
        key, subtopic = OWN_DIALECT, "/".join(levels[4:])
        if subtopic not in DEVICE_SENDS:
            return [Rejected("/topic", UNCLAIMED.reason)]
    dialect = dialects().get(key)
    if dialect is None:
        return [Rejected("/topic", "no dialect of this name is installed")]
    if isinstance(dialect, RememberingDialect):
        decoded = dialect.decode_with(memory, subtopic, payload, at)
    else:
        decoded = dialect.decode(subtopic, payload, at)
    if isinstance(decoded, Rejected):
        return [decoded]
    for name, value in decoded.remember.items():
        if value is None:
            memory.pop(name, None)
        else:
            memory[name] = value
    return decoded.readings


def _aware(received_at: datetime | None) -> datetime:
    at = received_at or datetime.now(UTC).astimezone()
    return at if at.tzinfo else at.astimezone()


def _characteristic(name: str, value: str, earlier: list[tuple[str, str]], at: datetime) -> Any:
    """What is to be printed for one value: results, or the facts of a device."""
    from device_gateway.ingest.dialects import adapters

    kind = _short(name)
    adapter = next(
        (
            found
            for found in adapters()
            if found.transport == "ble" and kind in getattr(found, "characteristics", tuple)()
        ),
        None,
    )
    if adapter is None:
        return [Rejected("/characteristic", "no installed adapter decodes it")]
    try:
        data = bytes.fromhex(value)
        packets = [(_short(other), bytes.fromhex(octets)) for other, octets in earlier]
    except ValueError:
        return [Rejected("/hex", "two hexadecimal digits are needed for each octet")]
    facts = adapter.facts(kind, data)
    if facts is not None:
        return [facts] if isinstance(facts, Rejected) else {"facts": facts}
    decoder = getattr(adapter, "live_decoder", adapter.decoder)()
    for other, octets in packets:
        decoder.feed(other, octets, at)
    return [*decoder.feed(kind, data, at), *decoder.finish()]


def _short(uuid: str) -> str:
    lowered = uuid.lower().removeprefix("0x")
    if lowered.endswith(_SUFFIX) and lowered.startswith("0000"):
        lowered = lowered[4:8]
    return lowered.upper() if len(lowered) == 4 else lowered


def _line(results: Any) -> str:
    if isinstance(results, dict):
        return json.dumps(results, ensure_ascii=False)
    shown = [result_as_json(result) for result in results]
    alone = len(shown) == 1 and isinstance(results[0], Rejected)
    return json.dumps(shown[0] if alone else shown, ensure_ascii=False)


def result_as_json(result: Reading | Rejected) -> dict[str, Any]:
    if isinstance(result, Rejected):
        return {"rejected": {"pointer": result.pointer, "reason": result.reason}}
    shown: dict[str, Any] = {"metric": result.metric, "value": result.value}
    if result.components is not None:
        shown["components"] = result.components
    if result.device is not None:
        shown["device"] = result.device
    return shown | {
        "unit": result.unit,
        "at": result.at.isoformat(),
        "seq": result.seq,
        "status": result.status,
        "context": result.context or {},
    }
