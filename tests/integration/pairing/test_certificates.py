"""Certificates over HTTP: asked for with the claim, renewed by who has the key, dead with the credentials."""

from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from claiming import claim, code_for, journal, paired
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from portal_world import Product

from device_gateway.devices.authority import Authority, common_name, is_due, serial_of

BROKER = "mqtts://broker.example:8883"
PrivateKey = ec.EllipticCurvePrivateKey


@pytest.fixture
async def product(owner_url: str, app_url: str, tmp_path: Path) -> AsyncIterator[Product]:
    """One whose broker lets in only who shows a certificate."""
    authority = Authority(tmp_path / "authority")
    urls = {"mqtt_public_url": BROKER, "mqtt_certificate_url": BROKER}
    async with Product(owner_url, app_url, **urls, authority=tmp_path / "authority", mqtt_ca=authority.ca_file) as one:
        yield one


def csr(key: PrivateKey, name: str = "whatever it says") -> x509.CertificateSigningRequest:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())


def pem(thing: x509.Certificate | x509.CertificateSigningRequest) -> str:
    return thing.public_bytes(Encoding.PEM).decode()


async def certified(product: Product, **more: Any) -> tuple[PrivateKey, x509.Certificate, dict[str, Any]]:
    key = ec.generate_private_key(ec.SECP256R1())
    answer = await paired(product, more.pop("patient", None) or product.patient(), csr=pem(csr(key)), **more)
    return key, x509.load_pem_x509_certificate(answer["mqtt"]["certificate"].encode()), answer


async def renew(product: Product, key: PrivateKey, old: x509.Certificate, proved_by: PrivateKey) -> httpx2.Response:
    request = csr(key)
    proof = b64encode(proved_by.sign(request.public_bytes(Encoding.DER), ec.ECDSA(SHA256()))).decode()
    body = {"csr": pem(request), "certificate": pem(old), "proof": proof}
    return await (await product.browser()).post("/api/devices/certificate", json=body)


def good_serials(product: Product, device: str) -> set[str]:
    rows = product.owner(
        "SELECT serial FROM gateway.device_certificate WHERE device_id = %s AND revoked_at IS NULL", UUID(device)
    )
    return {row.serial for row in rows}


async def test_a_claim_with_a_request_is_answered_with_a_certificate_for_the_devices_id(product: Product) -> None:
    key, certificate, answer = await certified(product)
    assert common_name(certificate) == answer["device_id"]
    assert certificate.public_key() == key.public_key()
    assert answer["mqtt"]["tls"] is True
    trusted = x509.load_pem_x509_certificate(answer["mqtt"]["ca"].encode())
    certificate.verify_directly_issued_by(trusted)
    assert good_serials(product, answer["device_id"]) == {serial_of(certificate)}
    assert not is_due(certificate, datetime.now(UTC))
    assert is_due(certificate, datetime.now(UTC) + timedelta(days=250))


async def test_a_claim_without_a_request_is_told_that_it_needs_one_and_the_code_stays_good(product: Product) -> None:
    code = await code_for(product, product.patient())
    answer = await claim(product, code)
    assert (answer.status_code, "csr" in answer.json()["detail"]) == (422, True)
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that it is weak is the point
    weak = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(small, SHA256())
    for wrong in ("", "-----BEGIN", pem(weak)):
        assert (await claim(product, code, csr=wrong)).status_code == 422
    assert (await claim(product, code, csr=pem(csr(ec.generate_private_key(ec.SECP256R1()))))).status_code == 201


async def test_who_has_the_key_gets_the_next_certificate_and_can_ask_again(product: Product) -> None:
    patient = product.patient()
    key, old, answer = await certified(product, patient=patient)
    fresh = ec.generate_private_key(ec.SECP256R1())
    first = await renew(product, fresh, old, key)
    again = await renew(product, fresh, old, key)  # the answer was lost on its way
    assert (first.status_code, again.status_code) == (200, 200)
    lost, new = (x509.load_pem_x509_certificate(one.json()["certificate"].encode()) for one in (first, again))
    assert good_serials(product, answer["device_id"]) == {serial_of(old), serial_of(new)}
    assert (await renew(product, fresh, lost, fresh)).status_code == 401
    assert (await renew(product, fresh, new, fresh)).status_code == 200
    assert serial_of(old) not in good_serials(product, answer["device_id"])
    assert len(journal(product, patient, "device:certificate:renew")) == 3


async def test_nobody_else_gets_it(product: Product, tmp_path: Path) -> None:
    key, old, answer = await certified(product)
    thief = ec.generate_private_key(ec.SECP256R1())
    assert (await renew(product, thief, old, thief)).status_code == 401, "the certificate alone is no proof"
    foreign = Authority(tmp_path / "other").sign_client(key.public_key(), answer["device_id"], datetime.now(UTC))
    assert (await renew(product, key, x509.load_pem_x509_certificate(foreign.pem.encode()), key)).status_code == 401
    ended = Authority(tmp_path / "authority").sign_client(
        key.public_key(), answer["device_id"], datetime.now(UTC) - timedelta(days=366)
    )
    assert (await renew(product, key, x509.load_pem_x509_certificate(ended.pem.encode()), key)).status_code == 401
    for body in (b"", b"{}", b'{"csr": "", "certificate": "", "proof": ""}', b"\xff"):
        posted = await (await product.browser()).post("/api/devices/certificate", content=body)
        assert posted.status_code in {400, 401}


async def test_after_a_factory_reset_the_former_credentials_are_dead_and_their_connection_is_ended(
    product: Product,
) -> None:
    patient = product.patient()
    key, old, first = await certified(product, patient=patient, hardware_id="SN-1")
    assert product.owner("SELECT kind FROM gateway.job") == [], "a new device has no connection to be ended"
    _, new, second = await certified(product, patient=patient, hardware_id="SN-1")
    assert first["device_id"] == second["device_id"]
    assert first["mqtt"]["password"] != second["mqtt"]["password"]
    assert good_serials(product, first["device_id"]) == {serial_of(new)}
    assert (await renew(product, key, old, key)).status_code == 401
    [job] = product.owner("SELECT kind, payload FROM gateway.job")
    assert (job.kind, job.payload) == ("broker:disconnect", {"device_id": first["device_id"]})
    assert len(product.owner("SELECT name FROM gateway.device_holding")) == 1, "its history goes on"
