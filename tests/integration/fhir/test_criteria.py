"""The search parameters of Observation, one by one and together."""

import pytest
from fhir_world import link, matches


@pytest.fixture
async def ana(world):
    return await world.session("everything")


async def test_code_takes_codes_with_and_without_system_and_lists(ana):
    weight = ana.space.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00")
    sugar = ana.space.put("blood-glucose", "101", "2026-11-21T07:00:00+01:00")
    for code, expected in {
        "29463-7": [weight],
        "http://loinc.org|29463-7": [weight],
        "http://loinc.org|": [weight, sugar],
        "http://snomed.info/sct|29463-7": [],
        "|29463-7": [],
        "29463-7,2345-7,unknown": [weight, sugar],
        "29463-7&code=2345-7": [],
    }.items():
        assert await ana.ids(f"Observation?code={code}") == expected, code


async def test_category_finds_the_metrics_in_it(ana):
    weight = ana.space.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00")
    lab = ana.space.put("hba1c", "6.5", "2026-11-21T07:00:00+01:00")
    assert await ana.ids("Observation?category=laboratory") == [lab]
    assert await ana.ids("Observation?category=vital-signs") == [weight, lab]
    assert await ana.ids("Observation?category=laboratory&category=vital-signs") == [lab]
    assert await ana.ids("Observation?category=imaging") == []


async def test_date_means_the_patients_days(ana):
    put = ana.space.put
    late = put("body-weight", "70", "2026-11-21T23:30:00+01:00")
    early = put("body-weight", "71", "2026-11-21T00:30:00+01:00")
    before = put("body-weight", "72", "2026-11-20T23:30:00+01:00")
    for query, expected in {
        "date=2026-11-21": [late, early],
        "date=2026-11-20": [before],
        "date=2026-11": [late, early, before],
        "date=ne2026-11-21": [before],
        "date=ge2026-11-21&date=lt2026-11-22": [late, early],
        "date=gt2026-11-20": [late, early],
        "date=le2026-11-20": [before],
        "date=sa2026-11-20": [late, early],
        "date=eb2026-11-21": [before],
        "date=2026-11-20,2026-11-21T23:30%2B01:00": [late, before],
        "date=2026-11-21T22:30Z": [late],
        "date=ge2026-11-22": [],
    }.items():
        assert await ana.ids(f"Observation?{query}") == expected, query
        assert await ana.ids(f"Observation?{query}&_sort=date") == expected[::-1], query


async def test_patient_is_the_one_of_the_token_in_any_spelling(ana):
    weight = ana.space.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00")
    known = ana.patient_id
    for query in (
        f"patient={known}", f"patient=Patient/{known}", f"subject=Patient/{known}", f"subject:Patient={known}",
        f"patient=other,{known}", f"patient=http://127.0.0.1:8000/fhir/Patient/{known}",
    ):  # fmt: skip
        assert await ana.ids(f"Observation?{query}") == [weight], query
        assert (await ana.get(f"Device?{query}")).status_code == 200
    for query in ("patient=other", f"subject=Group/{known}", f"patient=https://elsewhere.example/Patient/{known}"):
        assert await ana.ids(f"Observation?{query}") == [], query


async def test_device_finds_what_it_measured(ana):
    scale, other = ana.space.device(), ana.space.device()
    weight = ana.space.put("body-weight", "72.40", "2026-11-21T08:00:00+01:00", device=scale)
    second = ana.space.put("body-weight", "72.60", "2026-11-20T08:00:00+01:00", device=other)
    assert await ana.ids(f"Observation?device=Device/d.{scale}") == [weight]
    assert await ana.ids(f"Observation?device=d.{scale},d.{other}") == [weight, second]
    assert await ana.ids("Observation?device=d.unknown") == []


async def test_ids_are_found_in_order_and_by_pages(ana):
    put = ana.space.put
    ids = [put("body-weight", "70", f"2026-11-0{day}T08:00:00Z") for day in range(1, 6)]
    query = f"Observation?_id={','.join([*ids, 'r.x', 'nothing'])}&_count=2&_total=accurate"
    first = await ana.search(query)
    assert first["total"] == 5
    second = await ana.search(link(first, "next"))
    third = await ana.search(link(second, "next"))
    seen = [each["id"] for bundle in (first, second, third) for each in matches(bundle)]
    assert seen == ids[::-1]
    assert link(third, "next") is None
    assert await ana.ids(f"Observation?_id={ids[0]}&date=2026-11-02") == []
    assert await ana.ids(f"Observation?_id={ids[0]}&code=2345-7") == []


async def test_totals_are_counted_when_asked_for(ana):
    for day in range(1, 6):
        ana.space.put("body-weight", "70", f"2026-11-0{day}T08:00:00+01:00")
    assert "total" not in await ana.search("Observation")
    assert (await ana.search("Observation?_total=accurate&_count=2"))["total"] == 5
    for query in ("_count=0", "_summary=count"):
        counted = await ana.search(f"Observation?{query}&date=ge2026-11-03")
        assert counted["total"] == 3
        assert "entry" not in counted


async def test_devices_are_included_once_each(ana):
    scale = ana.space.device()
    for day in range(1, 4):
        ana.space.put("body-weight", "70", f"2026-11-0{day}T08:00:00+01:00", device=scale)
    ana.space.put("blood-glucose", "100", "2026-11-01T08:00:00+01:00")
    bundle = await ana.search("Observation?_include=Observation:device")
    assert len(matches(bundle)) == 4
    assert [each["id"] for each in matches(bundle, "include")] == [f"d.{scale}"]


async def test_devices_are_searched_by_id_and_by_pages(ana):
    devices = sorted(str(ana.space.device()) for _ in range(3))
    for device in devices:
        ana.space.put("body-weight", "70", "2026-11-01T08:00:00+01:00", device=device)
    first = await ana.search("Device?_count=2&_total=accurate")
    assert first["total"] == 3
    second = await ana.search(link(first, "next"))
    assert [each["id"] for bundle in (first, second) for each in matches(bundle)] == [f"d.{one}" for one in devices]
    assert [each["id"] for each in matches(await ana.search(f"Device?_id=d.{devices[1]}"))] == [f"d.{devices[1]}"]


async def test_a_page_of_another_space_leads_nowhere(ana, world):
    bob = await world.session("everything")
    theirs = bob.space.put("body-weight", "70", "2026-11-01T08:00:00+01:00")
    response = await ana.get(f"Observation?_page={theirs}")
    assert response.status_code == 400
    assert response.json()["issue"][0]["expression"] == ["http._page"]
