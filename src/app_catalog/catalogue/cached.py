"""Answers for everybody that caches may keep: with an ETag, a 304 for who has it, and CORS for every origin."""

import hashlib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

JSON: Final = "application/json"
REVALIDATE: Final = "public, no-cache"  # kept, and asked about each time: a suspended app leaves every list at once
# What a script of another origin may ask for (Fetch, "CORS-preflight").
PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
}


def cached(
    request: Request, body: bytes, media_type: str = JSON, *, control: str = REVALIDATE, weak: bool = True
) -> Response:
    """`body`, or 304 without it where `If-None-Match` names it (RFC 9110 §13.1.2). OPTIONS: that it may."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": f"W/{tag}" if weak else tag,
        "Cache-Control": control,
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "ETag",
    }
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _has(sent: str, tag: str) -> bool:
    """Compared as weak ones."""
    return sent.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in sent.split(",")}
