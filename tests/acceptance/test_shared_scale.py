"""A scale in a family, from the pairing on: whose a weight is, is asked and answered in the portal."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from third_parties import Json, device_of_claim, iso, sign_in, weight

pytestmark = pytest.mark.timeout(180)  # seconds; the first test of a session waits for the demo


def by_user(value: str, user: int | None, seq: int) -> Json:
    context = {"user-unknown": True} if user is None else {"user-index": user}
    return weight(value, iso(datetime.now(UTC)), context=context, seq=seq)


def test_each_of_a_family_gets_their_own_weight_from_a_shared_scale(
    demo: dict[str, Any], alice: Json, bruno: Json, browser_of: Callable[[str], Page]
) -> None:
    hers, his = browser_of("en-GB"), browser_of("en-GB")
    for page, person in ((hers, alice), (his, bruno)):
        sign_in(page, demo["base_url"], person)
        page.context.set_default_timeout(10_000)
    base = demo["base_url"]
    hers.goto(f"{base}/devices/new")
    hers.select_option("#model", "dg-scale")
    hers.fill("#name", "Family scale")
    hers.locator("main form button").click()
    code = hers.locator(".claim-code").inner_text().split()[-1]
    claimed = requests.post(
        f"{base}/api/devices/claim", json={"claim_code": code, "model": "dg-scale"}, timeout=10
    ).json()
    device = claimed["device_id"]
    hers.goto(f"{base}/devices")
    sent = [by_user("63.25", 1, 1), by_user("91.75", 2, 2), by_user("44.50", None, 3)]
    with device_of_claim(claimed) as scale:
        assert [one["outcome"] for one in scale.send(*sent)] == ["stored"] * 3
        hers.goto(f"{base}/")
        hers.locator(".notice a[href='/devices/inbox']").click()
        mine = hers.locator(f"form[action='/devices/inbox/{device}/own-1']")
        expect(mine).to_contain_text("63")
        mine.locator("[name=later]").check()
        mine.locator("button[value=accept]").click()
        hers.wait_for_url(re.compile("done=accept"))

        guest = hers.locator(f"form[action='/devices/inbox/{device}/own-255']")
        guest.locator("button[value=discard]").click()
        hers.locator("main button[value=discard]").click()
        hers.wait_for_url(re.compile("done=discard"))

        hers.goto(f"{base}/devices/{device}/people")
        hers.fill("#invite-user", "2")
        hers.fill("#called", "Bruno")
        hers.locator("button[value=invite]").click()
        given = hers.locator(".claim-code").inner_text().split()[-1]
        his.goto(f"{base}/devices/join")
        his.fill("#code", given)
        his.fill("#name", "Her scale")
        his.locator("main form button").first.click()
        his.wait_for_url(re.compile("done=joined"))

        later = [by_user("63.30", 1, 4), by_user("91.80", 2, 5)]
        assert [one["outcome"] for one in scale.send(*later, *sent)] == ["stored"] * 2 + ["duplicate"] * 3
    hers.goto(f"{base}/devices/inbox")
    assert not hers.locator(f"form[action^='/devices/inbox/{device}/']").count()
    for page, own, others in ((hers, "63", "91"), (his, "91", "63")):
        page.goto(f"{base}/")
        tile = page.locator(".tile", has_text=re.compile("weight|Poids", re.IGNORECASE)).first
        expect(tile).to_contain_text(own)
        expect(tile).not_to_contain_text(others)
