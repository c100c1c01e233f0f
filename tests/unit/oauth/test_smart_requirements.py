"""docs/smart.md is true: every requirement has a test that exists, or a reason."""

import re

import smart_table

from app_catalog.oauth.discovery import CAPABILITIES, SSO

SHALL_STATEMENTS = 172  # of SMART App Launch 2.2.0 to servers
UNCLAIMED = re.compile(r"([a-z]+-[a-z-]+) is not claimed")


def test_every_requirement_has_a_test_that_exists_or_a_reason():
    found = smart_table.requirements()
    assert len({each.id for each in found}) == len(found) == SHALL_STATEMENTS
    for each in found:
        assert bool(each.tests) != bool(each.not_claimed), each.id
        for test in each.tests:
            path, _, name = test.partition("::")
            assert name in smart_table.tests_of(path), test


def test_what_is_said_not_to_be_claimed_is_not_claimed():
    told = {name for each in smart_table.requirements() for name in UNCLAIMED.findall(each.not_claimed)}
    assert told
    assert not told & {*CAPABILITIES, SSO}


def test_the_document_is_written_from_the_table():
    assert smart_table.PAGE.read_text("utf-8") == smart_table.text(), "run tests/support/smart_table.py"
