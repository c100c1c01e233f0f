"""Every format against its golden file, whose first field names the sources of the facts."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device_gateway.imports.formats import format_of, formats, text_of
from device_gateway.readings.model import Entry, Rejected

GOLDEN = Path(__file__).parents[2] / "golden" / "files"
FILES = sorted(GOLDEN.glob("*.json"))
CASES = [
    pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
    for path in FILES
    for case in json.loads(path.read_text("utf-8"))["cases"]
]


def shown(entry: Entry) -> dict[str, Any]:
    if entry.result is None:
        return {"number": entry.number, "other": True}
    if isinstance(entry.result, Rejected):
        return {"number": entry.number, "rejected": entry.result.pointer}
    beside = {"lane": entry.lane, "model": entry.model, "ticks": entry.ticks}
    reading = msgspec.to_builtins(entry.result) | {"at": entry.result.at.isoformat()}
    return (
        {"number": entry.number} | reading | {name: value for name, value in beside.items() if value not in ("", None)}
    )


def test_every_format_has_a_golden_file_and_names_its_sources() -> None:
    assert {path.stem for path in FILES} == formats().keys()
    assert all(json.loads(path.read_text("utf-8"))["source"] for path in FILES)


@pytest.mark.parametrize(("key", "case"), CASES)
def test_a_file_is_recognised_and_read_as_its_golden_entries(key: str, case: dict[str, Any]) -> None:
    octets = "\r\n".join(case["text"]).encode()
    file_format = format_of(lambda: [octets])
    assert file_format.key == key
    entries = list(file_format.read(text_of(lambda: [octets])))
    assert [shown(entry) for entry in entries] == case["entries"]
    # In pieces of any length it reads the same.
    pieces = [octets[at : at + 7] for at in range(0, len(octets), 7)]
    assert list(file_format.read(text_of(lambda: pieces))) == entries


@pytest.mark.parametrize(("key", "case"), CASES)
def test_what_was_rejected_is_a_file_of_the_same_format_again(key: str, case: dict[str, Any]) -> None:
    text = text_of(lambda: ["\n".join(case["text"]).encode()])
    file_format = formats()[key]
    refused = [entry for entry in file_format.read(text) if isinstance(entry.result, Rejected)]
    again = (file_format.preamble(text) + "".join(f"{entry.text}\n" for entry in refused)).encode()
    read = list(file_format.read(text_of(lambda: [again])))
    assert [entry.result for entry in read] == [entry.result for entry in refused]
    if key not in ("nightscout", "tidepool"):
        assert format_of(lambda: [again]).key == key
