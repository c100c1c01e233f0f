"""The other side of ``/api/devices``: an edge that exchanges a claim code for credentials, or asks what it carries."""

from typing import Any
from urllib.parse import urlsplit

import httpx2

from device_gateway.errors import BadSetting, ClaimRefused, GatewayError

TIMEOUT_S = 15


def claim_device(
    gateway: str,
    code: str,
    model: str,
    *,
    hardware_id: str | None = None,
    carrier: tuple[str, str] | None = None,
    csr: str | None = None,
) -> dict[str, Any]:  # Any: a JSON object, as `devices.routes` documents it
    """The pairing answer. `carrier` is (id, MQTT password) of the edge or hub that carries the device;
    `csr` is a certificate request in PEM, for a gateway whose broker asks for certificates.

    Raises BadSetting for a URL that is none, ClaimRefused or GatewayError with the gateway's words otherwise.
    """
    body = {"claim_code": code, "model": model} | ({"hardware_id": hardware_id} if hardware_id else {})
    body |= {"csr": csr} if csr else {}
    return _posted(gateway, "claim", body, carrier)


def restore_devices(gateway: str, edge: tuple[str, str], key: str) -> dict[str, Any]:  # Any: a JSON object
    """What the edge with this id and MQTT password carries, as `devices.routes` documents it; bonds are sealed for the
    public `key`. Raises BadSetting for a URL that is none, GatewayError with the gateway's words otherwise."""
    return _posted(gateway, "restore", {"key": key}, edge)


def renew_certificate(gateway: str, csr: str, certificate: str, proof: str) -> dict[str, Any]:  # Any: a JSON object
    """The next certificate, as `devices.routes` documents it. Raises as `restore_devices`."""
    return _posted(gateway, "certificate", {"csr": csr, "certificate": certificate, "proof": proof}, None)


def _posted(gateway: str, name: str, body: dict[str, str], auth: tuple[str, str] | None) -> dict[str, Any]:
    if urlsplit(gateway).scheme not in ("http", "https"):
        raise BadSetting("--gateway: an http(s) URL is needed")
    try:
        answer = httpx2.post(f"{gateway.rstrip('/')}/api/devices/{name}", json=body, auth=auth, timeout=TIMEOUT_S)
    except httpx2.HTTPError as error:
        raise GatewayError(f"{gateway} does not answer: {error}") from error
    if name == "claim" and answer.status_code == ClaimRefused.http_status:
        raise ClaimRefused
    if not answer.is_success:
        raise GatewayError(f"{gateway} refused with {answer.status_code}: {_detail(answer)}")
    return dict(answer.json())


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json().get("detail", ""))
    except ValueError:
        return answer.text[:200]
