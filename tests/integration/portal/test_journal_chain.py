from datetime import UTC, datetime

from portal_world import Product, text_of

from device_gateway.devices.claim_codes import make_claim_code
from device_gateway.journal.reading_back import Broken, Intact, verify


async def checked(product: Product, space: object) -> Intact | Broken:
    async with product.app.state.pool.connection() as connection:
        return await verify(connection, space)  # type: ignore[arg-type]


async def test_an_untouched_journal_is_intact_and_says_so(product: Product) -> None:
    patient = product.patient()
    assert await checked(product, patient.account.subject) == Intact(0)
    browser = await product.signed_in(patient.username)
    await browser.get("/")
    assert await checked(product, patient.account.subject) == Intact(2)
    page = await browser.get("/journal/check")
    assert "2 entries were checked: they are complete and unchanged" in text_of(page.text)


async def test_a_changed_removed_or_cut_journal_is_found_at_its_first_wrong_row(product: Product) -> None:
    patient, untouched = product.patient(), product.patient()
    browser = await product.signed_in(patient.username)
    await product.signed_in(untouched.username)
    space = patient.account.subject
    assert space
    async with product.app.state.pool.connection() as connection:
        for number in range(5):
            now = datetime.now(UTC)
            await make_claim_code(connection, space, patient.account, f"Balance {number}", now, minutes=15)
    product.owner("CREATE TABLE kept AS SELECT * FROM gateway.journal")
    for change, first in (
        ("UPDATE gateway.journal SET actor_name = 'Somebody' WHERE space_id = %s AND n = 3", 3),
        ("DELETE FROM gateway.journal WHERE space_id = %s AND n = 3", 4),
        ("DELETE FROM gateway.journal WHERE space_id = %s AND n > 4", 5),
        ("DELETE FROM gateway.journal WHERE space_id = %s AND n = 1", 2),
    ):
        product.owner(change, space)
        assert await checked(product, space) == Broken(first)
        assert await checked(product, untouched.account.subject) == Intact(1)
        product.owner("DELETE FROM gateway.journal")
        product.owner("INSERT INTO gateway.journal SELECT * FROM kept")
    assert await checked(product, space) == Intact(6)
    product.owner("DELETE FROM gateway.journal WHERE space_id = %s AND n = 6", space)
    assert "was changed, or a part is missing" in text_of((await browser.get("/journal/check")).text)
