"""Observation search: what is found, in which order, and page by page."""

from fhir_world import link, matches


async def test_a_weight_comes_back_with_the_digits_that_were_sent(world):
    ana = await world.session("weight")
    scale = ana.space.device()
    reading = ana.space.put("body-weight", "72.40", "2026-11-21T07:31:05+01:00", device=scale)
    response = await ana.get("Observation?code=http://loinc.org|29463-7")
    assert response.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert '"value":72.40,' in response.text
    (observation,) = matches(response.json())
    assert observation["id"] == reading
    assert observation["effectiveDateTime"] == "2026-11-21T07:31:05+01:00"
    assert observation["subject"] == {"reference": f"Patient/{ana.patient_id}"}
    assert observation["device"] == {"reference": f"Device/d.{scale}"}


async def test_the_newest_comes_first_unless_asked_otherwise(world):
    ana = await world.session("weight")
    days = [ana.space.put("body-weight", "70", f"2026-11-0{day}T08:00:00+01:00") for day in (1, 3, 2)]
    newest = [days[1], days[2], days[0]]
    assert await ana.ids("Observation") == newest
    assert await ana.ids("Observation?_sort=-date") == newest
    assert await ana.ids("Observation?_sort=date") == newest[::-1]


async def test_a_space_of_somebody_else_is_never_seen(world):
    ana, bob = await world.session("everything"), await world.session("everything")
    theirs = bob.space.put("body-weight", "80.1", "2026-11-01T08:00:00Z", device=bob.space.device())
    assert await ana.ids("Observation") == []
    assert (await ana.get(f"Observation/{theirs}")).status_code == 404
    assert (await bob.get(f"Observation/{theirs}")).status_code == 200


async def test_pages_follow_each_other_without_gap_or_repetition(world):
    ana = await world.session("everything")
    space, device = ana.space, ana.space.device()
    stored = [
        space.put(metric, "90", f"2026-11-{day:02}T08:00:00+01:00", device=device, seq=seq)
        for metric in ("blood-glucose", "heart-rate")
        for day in range(1, 5)
        for seq in (0, 1)
    ]
    for sort in ("date", "-date"):
        whole = await ana.ids(f"Observation?_sort={sort}")
        assert sorted(whole) == sorted(stored)
        seen, url = [], f"Observation?_sort={sort}&_count=3"
        while url:
            bundle = await ana.search(url)
            seen += [each["id"] for each in matches(bundle)]
            url = link(bundle, "next")
        assert seen == whole


async def test_a_reading_that_arrives_meanwhile_does_not_shift_the_pages(world):
    ana = await world.session("weight")
    space = ana.space
    stored = [space.put("body-weight", "70", f"2026-11-{day:02}T08:00:00+01:00") for day in range(1, 7)]
    first = await ana.search("Observation?_count=2")
    space.put("body-weight", "71", "2026-11-20T08:00:00+01:00")
    second = await ana.search(link(first, "next"))
    assert [each["id"] for each in matches(second)] == [stored[3], stored[2]]
