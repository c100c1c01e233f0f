"""What a vendor may submit, and which state of an app may follow which."""

import pytest
from catalogue_host import WEIGHT_SCOPE, application, purpose

from app_catalog import Status, Unacceptable
from app_catalog.applications.application import check
from app_catalog.catalogue.status import EFFECTS, FOLLOWS


def pointers_of(**changes):
    with pytest.raises(Unacceptable) as unacceptable:
        check(application(**changes))
    return {fault.pointer for fault in unacceptable.value.faults}


def test_a_complete_application_is_accepted():
    check(application())


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"name": "a" * 81}, "/name"),
        ({"name": "a\0"}, "/name"),
        ({"description": {"fr": "Oui"}}, "/description/en"),
        ({"profile": "fapi2"}, "/profile"),
        ({"redirect_uris": ()}, "/redirect_uris"),
        ({"redirect_uris": ("https://a.example/cb", "http://a.example/cb")}, "/redirect_uris/1"),
        ({"purposes": ()}, "/purposes"),
        ({"purposes": (purpose("a", read_scope=WEIGHT_SCOPE),) * 2}, "/purposes/1/key"),
        ({"purposes": (purpose("A B", read_scope=WEIGHT_SCOPE),)}, "/purposes/0/key"),
        ({"purposes": (purpose("a"),)}, "/purposes/0/read_scope"),
        ({"purposes": (purpose("a", read_scope="user/Observation.rs"),)}, "/purposes/0/read_scope"),
        ({"purposes": (purpose("a", read_scope="patient/Observation.cruds"),)}, "/purposes/0/read_scope"),
        ({"purposes": (purpose("a", write_scope="patient/Observation.rs"),)}, "/purposes/0/write_scope"),
        ({"purposes": (purpose("a", read_scope="offline_access"),)}, "/purposes/0/read_scope"),
        ({"purposes": (purpose("a", read_scope="nonsense"),)}, "/purposes/0/read_scope"),
        ({"purposes": (purpose("a", read_scope=WEIGHT_SCOPE, retention_days=0),)}, "/purposes/0/retention_days"),
        ({"purposes": (purpose("a", read_scope=WEIGHT_SCOPE, wording={"fr": "x"}),)}, "/purposes/0/wording/en"),
    ],
)
def test_every_fault_is_named_by_its_place(changes, pointer):
    assert pointers_of(**changes) == {pointer}


def test_all_faults_are_told_at_once():
    assert len(pointers_of(name="", profile="x", redirect_uris=("x",), purposes=(purpose(""),))) == 5


def test_only_approval_leaves_the_candidate_and_nothing_leaves_the_end():
    assert Status.CANDIDATE not in frozenset().union(*FOLLOWS.values())
    assert FOLLOWS[Status.DEREFERENCED] == frozenset()
    assert all(Status.DEREFERENCED in FOLLOWS[status] for status in FOLLOWS if EFFECTS[status].serves)


def test_a_stopped_app_neither_serves_nor_pairs():
    for status in (Status.CANDIDATE, Status.SUSPENDED, Status.DEREFERENCED):
        assert not any((EFFECTS[status].listed, EFFECTS[status].pairs, EFFECTS[status].serves))
