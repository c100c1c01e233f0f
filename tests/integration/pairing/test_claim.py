import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from claiming import claim, code_for, journal, paired
from portal_world import Product

from device_gateway.devices.claim_codes import BadSince, make_claim_code
from device_gateway.devices.credentials import check_password
from device_gateway.devices.holdings import held_devices, release
from device_gateway.devices.topics import shard_of

MAC = "C0:FF:EE:12:34:56"


async def test_a_scale_exchanges_a_code_for_credentials_and_topics(product: Product) -> None:
    patient = product.patient()
    answer = await paired(product, patient)
    device = answer["device_id"]
    assert answer["mqtt"] == {
        "host": "broker.example", "port": 1884, "tls": False, "username": device, "client_id": device,
        "password": answer["mqtt"]["password"],
    }  # fmt: skip
    assert answer["topics"] == {
        kind: f"dg/v1/{shard_of(device)}/{device}/{kind}"
        for kind in ("readings", "raw", "event", "status", "outcome", "command")
    }
    assert str(patient.account.subject) not in str(answer)
    (row,) = product.owner("SELECT * FROM gateway.device_credential(%s)", UUID(device))
    assert row.kind == "device"
    assert check_password(answer["mqtt"]["password"], row.credential)
    assert answer["mqtt"]["password"] not in row.credential
    (event,) = journal(product, patient, "device:claim_code:redeem")
    assert (event.outcome, event.resource, event.details["device"]) == ("permit", f"Device/{device}", "Balance")


async def test_a_code_works_once_and_for_one_of_many_who_try_together(product: Product) -> None:
    patient = product.patient()
    code = await code_for(product, patient)
    answers = await asyncio.gather(*(claim(product, code) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [404] * 5
    assert len(product.owner("SELECT id FROM gateway.device")) == 1


@pytest.mark.parametrize("code", ["AAAA-AAAA", "", "x" * 200, "ÉÉÉÉ-ÉÉÉÉ", "'; DROP TABLE"])
async def test_a_wrong_code_is_refused_in_words(product: Product, code: str) -> None:
    answer = await claim(product, code)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "new one" in answer.json()["detail"]


async def test_an_expired_code_is_refused(product: Product) -> None:
    patient = product.patient()
    code = await code_for(product, patient)
    product.owner("UPDATE gateway.claim_code SET expires_at = now() - interval '1 second'")
    assert (await claim(product, code)).status_code == 404


async def test_the_code_is_stored_only_as_a_hash(product: Product) -> None:
    code = await code_for(product, product.patient())
    (row,) = product.owner("SELECT * FROM gateway.claim_code")
    assert len(row.hash) == 32
    assert code.replace("-", "") not in str(row)


async def test_guessing_is_stopped_per_address_also_when_many_guess_together(product: Product) -> None:
    patient = product.patient()
    guesses = await asyncio.gather(*(claim(product, f"AAAA-AA{n:02d}") for n in range(30)))
    assert [answer.status_code for answer in guesses].count(404) == 20
    assert [answer.status_code for answer in guesses].count(429) == 10
    code = await code_for(product, patient)
    assert (await claim(product, code)).status_code == 429
    product.owner("UPDATE gateway.claim_attempt SET started_at = now() - interval '16 minutes'")
    assert (await claim(product, code)).status_code == 201


async def test_successes_and_slips_do_not_count_as_guesses(product: Product) -> None:
    patient = product.patient()
    for _ in range(8):
        await paired(product, patient)
    code = await code_for(product, patient)
    for _ in range(25):
        assert (await claim(product, code, "toaster")).status_code == 422
    assert (await claim(product, code)).status_code == 201


async def test_wrong_codes_are_journalled_without_the_code(product: Product) -> None:
    await claim(product, "AAAA-AAAA")
    rows = product.owner("SELECT * FROM gateway.journal WHERE event = 'device:claim_code:redeem'")
    assert [(row.outcome, row.space_id) for row in rows] == [("deny", UUID(int=0))]
    assert "AAAA" not in str(rows)


async def test_an_edge_claims_the_meter_that_it_carries(product: Product) -> None:
    patient = product.patient()
    edge = await paired(product, patient, "edge")
    auth = (edge["device_id"], edge["mqtt"]["password"])
    meter = await paired(product, patient, "ble-glucose", auth=auth, hardware_id=MAC.lower())
    assert meter["mqtt"] is None
    assert meter["parent_id"] == edge["device_id"]
    assert meter["topics"] == edge["topics"]
    (row,) = product.owner("SELECT * FROM gateway.device WHERE id = %s", UUID(meter["device_id"]))
    assert (str(row.parent_id), row.hardware_id, row.credential) == (edge["device_id"], MAC, None)


async def test_a_hub_is_told_the_base_topic_to_set_in_the_product(product: Product) -> None:
    hub = await paired(product, product.patient(), "theengs-hub")
    device = hub["device_id"]
    assert hub["topics"]["base"] == f"dg/v1/{shard_of(device)}/{device}/x/theengs"


@pytest.mark.parametrize(
    "auth",
    [("not-a-uuid", "x"), ("00000000-0000-0000-0000-000000000000", "x"), ("", ""), ("é", "ü")],
)
async def test_wrong_credentials_of_a_carrier_are_refused(product: Product, auth: tuple[str, str]) -> None:
    code = await code_for(product, product.patient())
    answer = await claim(product, code, "ble-glucose", auth=auth, hardware_id=MAC)
    assert answer.status_code == 401
    assert product.owner("SELECT name FROM gateway.claim_code WHERE used_at IS NOT NULL") == []


async def test_a_malformed_authorization_header_is_refused(product: Product) -> None:
    client = await product.browser()
    for header in ("Basic", "Basic !!!", "Bearer abc", "Basic /w==", "Basic YQ=="):
        answer = await client.post(
            "/api/devices/claim", json={"claim_code": "A", "model": "edge"}, headers={"authorization": header}
        )
        assert answer.status_code == 401


async def test_a_device_carries_nothing_and_nothing_carries_an_edge(product: Product) -> None:
    patient = product.patient()
    scale, edge = await paired(product, patient), await paired(product, patient, "edge")
    code = await code_for(product, patient)
    as_scale = (scale["device_id"], scale["mqtt"]["password"])
    as_edge = (edge["device_id"], edge["mqtt"]["password"])
    assert (await claim(product, code, "ble-glucose", auth=as_scale, hardware_id=MAC)).status_code == 403
    assert (await claim(product, code, "edge", auth=as_edge)).status_code == 422
    assert (await claim(product, code, "ble-glucose", hardware_id=MAC)).status_code == 422
    assert (await claim(product, code, "ble-glucose", auth=as_edge)).status_code == 422
    assert (await claim(product, code, "ble-glucose", auth=as_edge, hardware_id="nonsense")).status_code == 422
    assert (await claim(product, code, "ble-glucose", auth=as_edge, hardware_id=MAC)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"claim_code": 1, "model": "edge"}', b'{"model": "edge"}',
     b'{"claim_code": "a", "model": "b", "c": 1}',
     b'{"claim_code": "a\\u0000", "model": "edge"}', b'{"claim_code": "\xff", "model": "edge"}', b" " * 5000,
     b'{"claim_code": "\\ud800", "model": "edge"}'],
)  # fmt: skip
async def test_a_broken_body_is_refused_with_what_is_expected(product: Product, body: bytes) -> None:
    client = await product.browser()
    answer = await client.post("/api/devices/claim", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert "claim_code" in answer.json()["detail"]


async def test_a_device_that_someone_holds_is_refused_with_the_way_out_and_the_code_stays_good(
    product: Product,
) -> None:
    ana, ben = product.patient(), product.patient()
    await paired(product, ana, hardware_id="SN-1")
    code = await code_for(product, ben)
    answer = await claim(product, code, hardware_id="SN-1")
    assert answer.status_code == 409
    assert "remove it first" in answer.json()["detail"]
    assert str(ana.account.subject) not in answer.text
    (event,) = journal(product, ben, "device:claim_code:redeem")
    assert (event.outcome, event.reason) == ("deny", "held by someone else")
    assert (await claim(product, code, hardware_id="SN-2")).status_code == 201


async def test_the_same_holder_pairs_again_after_a_reset_and_gets_new_credentials(product: Product) -> None:
    ana = product.patient()
    first = await paired(product, ana, hardware_id="SN-1")
    again = await paired(product, ana, hardware_id="SN-1")
    assert again["device_id"] == first["device_id"]
    (row,) = product.owner("SELECT credential FROM gateway.device")
    assert check_password(again["mqtt"]["password"], row.credential)
    assert not check_password(first["mqtt"]["password"], row.credential)
    assert len(product.owner("SELECT name FROM gateway.device_holding")) == 1


async def test_a_device_given_away_gives_away_nothing_of_the_former_holder(product: Product) -> None:
    ana, ben = product.patient(), product.patient()
    device = UUID((await paired(product, ana, hardware_id="SN-1"))["device_id"])
    async with product.app.state.pool.connection() as connection:
        assert ana.account.subject
        assert ben.account.subject
        assert not await release(connection, ben.account.subject, device, ben.account.actor)
        assert await release(connection, ana.account.subject, device, ana.account.actor)
        assert not await release(connection, ana.account.subject, device, ana.account.actor)
        (job,) = product.owner("SELECT kind, payload FROM gateway.job")
        assert (job.kind, job.payload) == ("broker:disconnect", {"device_id": str(device)})
        assert product.owner("SELECT * FROM gateway.device_credential(%s)", device) == []
        # Ben says that it was always his: his holding still begins where Ana's ended.
        answer = await claim(product, await code_for(product, ben, "Lecteur", days=3000), hardware_id="SN-1")
        assert answer.json()["device_id"] == str(device)
        (held,) = await held_devices(connection, ben.account.subject)
        (before,) = product.owner(
            "SELECT upper(during) AS until FROM gateway.device_holding WHERE space_id = %s", ana.account.subject
        )
        assert held.since == before.until
        assert held.last_seen_at is None
        assert await held_devices(connection, ana.account.subject) == []


async def test_a_code_cannot_be_made_for_another_space_nor_for_the_future(product: Product) -> None:
    ana, ben = product.patient(), product.patient()
    async with product.app.state.pool.connection() as connection:
        assert ana.account.subject
        with pytest.raises(BadSince):
            await make_claim_code(
                connection, ana.account.subject, ana.account, "X", datetime.now(UTC) + timedelta(hours=1), 15
            )
        assert (await (await connection.execute("SELECT count(*) FROM gateway.claim_code")).fetchone())[0] == 0
    assert ben


async def test_without_a_broker_address_nothing_is_used_up(owner_url: str, app_url: str) -> None:
    product = Product(owner_url, app_url)
    product.app.state.settings = product.settings.model_copy(update={"mqtt_public_url": ""})
    async with product:
        code = await code_for(product, product.patient())
        assert (await claim(product, code)).status_code == 503
        assert product.owner("SELECT name FROM gateway.claim_code WHERE used_at IS NOT NULL") == []
