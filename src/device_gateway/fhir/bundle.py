"""The searchset Bundle, put together as text: decimals keep their digits and nothing is built twice."""

import json
from collections.abc import Sequence

from device_gateway.fhir.outcome import outcome


def searchset(
    *, self_link: str, next_link: str | None = None, total: int | None = None, entries: Sequence[str] = ()
) -> bytes:
    """`entries` are JSON texts of Bundle.entry. An empty array is no FHIR JSON, so it is left out."""
    links = [{"relation": "self", "url": self_link}]
    if next_link:
        links.append({"relation": "next", "url": next_link})
    counted = "" if total is None else f',"total":{total}'
    listed = f',"entry":[{",".join(entries)}]' if entries else ""
    return f'{{"resourceType":"Bundle","type":"searchset"{counted},"link":{json.dumps(links)}{listed}}}'.encode()


def entry(full_url: str, resource: str, mode: str) -> str:
    """JSON text of an entry. `full_url` has no character that JSON would escape."""
    return f'{{"fullUrl":"{full_url}","resource":{resource},"search":{{"mode":"{mode}"}}}}'


def ignored_entry(names: Sequence[str]) -> str:
    """Tells which parameters were left out; the self link has only those that were applied."""
    told = outcome(
        "warning",
        "not-supported",
        f"These parameters were left out, because they are not supported here or are empty: {', '.join(names)}. "
        "Ask with the header Prefer: handling=strict to have that refused.",
    )
    return f'{{"resource":{told},"search":{{"mode":"outcome"}}}}'
