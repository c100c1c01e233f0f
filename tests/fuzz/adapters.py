"""Coverage-guided fuzzing of the adapters: ``python tests/fuzz/adapters.py FAMILY [SECONDS] [libFuzzer's options]``.

A family is the key of an adapter (``ble-glucose``, ``mqtt-theengs`` …), ``broadcasts`` or ``all``; `make fuzz` runs one
after the other. An input is what a device sends in one connection:

Bluetooth  packets one after the other: index of the characteristic, length, octets
MQTT       messages one after the other, a record separator (1E) between them: subtopic, a zero, payload
all        the index of the family before that

What is found is written to the directory for temporary files, and said with the octets in it.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import atheris

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "support"))

with atheris.instrument_imports(include=["device_gateway_ble", "device_gateway_mqtt"]):
    ADAPTERS = {point.name: point.load() for point in entry_points(group="device_gateway.adapters")}
    from device_gateway.ingest.dialects import RememberingDialect, dialects
    from device_gateway_ble.xiaomi_scale import XiaomiScale, decode_advertisement

    dialects()  # loads them

from soundness import contradiction, fault  # noqa: E402  on the path since a moment ago

from device_gateway.readings.model import Decoded, Rejected  # noqa: E402

RECEIVED_AT = datetime.fromisoformat("2026-11-22T07:31:05+01:00")
KEY = bytes.fromhex("0728974d657a4b60964c1b1677f35f7c")  # of the published broadcasts
SERVICES = ("181D", "181B", "FE95")
SEPARATOR = b"\x1e"
LONGEST = 1024  # octets of an input
AS_SENT = frozenset({"mqtt-own"})  # carries what a sender says; whether that can be is checked further on

Entry = Callable[[bytes], None]


class UnsoundResultError(AssertionError):
    """An adapter gave what no adapter may give."""


def check(result: Any, metrics: Any = None) -> None:
    if (wrong := fault(result, metrics)) is not None:
        raise UnsoundResultError(f"{wrong}: {result!r}")


def packets(data: bytes, names: list[str]) -> Iterator[tuple[str, bytes]]:
    """(characteristic, value) of each packet in an input."""
    place = 0
    while place + 1 < len(data):
        length = data[place + 1]
        yield names[data[place] % len(names)], data[place + 2 : place + 2 + length]
        place += 2 + length


def bluetooth(adapter: Any) -> Entry:
    names = [*sorted(adapter.characteristics()), "2A00"]

    def entry(data: bytes) -> None:
        decoder = adapter.decoder()
        for characteristic, value in packets(data, names):
            decoder.record_of(characteristic, value)
            adapter.facts(characteristic, value)
            for result in decoder.feed(characteristic, value, RECEIVED_AT):
                check(result, adapter.metrics)
                if isinstance(result, Rejected) and not decoder.packets:
                    raise UnsoundResultError("a refusal that rests on no packet")
            alone = adapter.decoder()
            readings = [*alone.feed(characteristic, value, RECEIVED_AT), *alone.finish()]
            if (wrong := contradiction(characteristic, value, readings)) is not None:
                raise UnsoundResultError(wrong)
        for result in decoder.finish():
            check(result, adapter.metrics)

    return entry


def broadcasts(data: bytes) -> None:
    sent = dict(packets(data, list(SERVICES)))
    for key in (KEY, None):
        for result in decode_advertisement(sent, {}, RECEIVED_AT, key, "8C:D0:B2:F6:BE:EF"):
            check(result, XiaomiScale.metrics)


def mqtt(name: str, dialect: Any) -> Entry:
    def entry(data: bytes) -> None:
        memory: dict[str, str] = {}
        for message in data.split(SEPARATOR):
            subtopic, _, payload = message.partition(b"\0")
            topic = subtopic.decode("utf-8", "replace")
            if isinstance(dialect, RememberingDialect):
                decoded = dialect.decode_with(memory, topic, payload, RECEIVED_AT)
            else:
                decoded = dialect.decode(topic, payload, RECEIVED_AT)
            if isinstance(decoded, Rejected):
                check(decoded)
                continue
            if not isinstance(decoded, Decoded):
                raise UnsoundResultError(f"neither decoded nor rejected: {decoded!r}")
            memory |= {key: text for key, text in decoded.remember.items() if text is not None}
            for result in decoded.readings:
                if isinstance(result, Rejected) or name not in AS_SENT:
                    check(result)

    return entry


def families() -> dict[str, Entry]:
    """The entries by name; each adapter anew, as one process has it."""
    found: dict[str, Entry] = {"broadcasts": broadcasts}
    for name, adapter in sorted(ADAPTERS.items()):
        if adapter.transport == "ble":
            found[name] = bluetooth(adapter)
    found |= {f"mqtt-{key}": mqtt(f"mqtt-{key}", dialect) for key, dialect in sorted(dialects().items())}
    return found


def together(entries: list[Entry]) -> Entry:
    def entry(data: bytes) -> None:
        if data:
            entries[data[0] % len(entries)](data[1:])

    return entry


def seeds(family: str) -> list[bytes]:
    """The published packets of the golden files, as inputs of this family."""
    if family == "broadcasts":
        return [
            b"".join(_packet(SERVICES.index(_short(name)), value) for name, value in case["service_data"].items())
            for case in _cases(TESTS / "golden" / "ble" / "xiaomi-scale.json")
        ]
    if family.startswith("mqtt-"):
        golden, key = TESTS / "golden" / "mqtt", family.removeprefix("mqtt-")
        files = [golden / f"{key}.json", golden / "mapping" / f"{key}.json", *(golden / key).glob("*.json")]
        return [
            SEPARATOR.join(
                topic.encode() + b"\0" + payload.encode()
                for topic, payload in [*case.get("before", ()), (case.get("subtopic", "readings"), _payload(case))]
            )
            for file in files
            for case in _cases(file)
        ]
    names = [*sorted(ADAPTERS[family].characteristics()), "2A00"]
    return [
        b"".join(_packet(names.index(name), octets) for name, octets in case["packets"] if name in names)
        for file in (TESTS / "golden" / "ble").glob("*.json")
        for case in _cases(file)
        if any(name in names for name, _ in case.get("packets", ()))
    ]


def _cases(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    found = json.loads(file.read_text("utf-8"))
    cases: list[dict[str, Any]] = found["cases"] if isinstance(found, dict) else found
    return cases


def _payload(case: dict[str, Any]) -> str:
    payload = case.get("payload", "")
    return payload if isinstance(payload, str) else json.dumps(payload)


def _packet(index: int, octets: str) -> bytes:
    value = bytes.fromhex(octets)
    return bytes([index, len(value)]) + value


def _short(uuid: str) -> str:
    return (uuid[4:8] if len(uuid) > 4 else uuid).upper()


def main(arguments: list[str]) -> None:
    known = families()
    if arguments == ["families"]:
        sys.stdout.write("\n".join(known) + "\n")
        return
    if not arguments or arguments[0] not in (*known, "all"):
        sys.exit(f"usage: adapters.py FAMILY [SECONDS] [libFuzzer options]; families: {', '.join(known)}, all")
    family, *options = arguments
    if options and options[0].isdecimal():
        options[0] = f"-max_total_time={options[0]}"
    with tempfile.TemporaryDirectory() as corpus:
        inputs = [
            bytes([index]) + seed
            for index, name in enumerate(known)
            for seed in seeds(name)
        ] if family == "all" else seeds(family)  # fmt: skip
        for number, seed in enumerate(inputs):
            (Path(corpus) / str(number)).write_bytes(seed)
        found = f"-artifact_prefix={tempfile.gettempdir()}/{family}-"
        entry = together(list(known.values())) if family == "all" else known[family]
        atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", found, *options, corpus], entry)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
