"""The cancellation policy: true to the rules, dated, and what it once said stays said."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from billing import periods
from billing.contracts import ending, terms
from billing.ledger import expiry
from billing.policies import cancellation, versions
from billing.policies.cancellation import Rules
from billing.policies.versions import VERSIONS, Version
from billing.settlement import closing
from billing.subscriptions import arrears, calendar


def said(rules: Rules | None = None) -> str:
    return versions.told(cancellation.policy(rules))


def test_the_words_cannot_change_without_a_new_version() -> None:
    """Red: a word or a rule changed. Say so in a new version, as `billing/policies/versions.py` describes."""
    assert versions.digest(said()) == VERSIONS[-1].sha256


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_what_a_version_said_is_kept_as_it_was(version: Version) -> None:
    assert versions.kept_digest(version.number) == version.sha256
    assert versions.told(versions.kept(version.number)) == versions._file(version.number).read_text(encoding="utf-8")


def test_versions_are_numbered_and_dated_in_order() -> None:
    assert [version.number for version in VERSIONS] == list(range(1, len(VERSIONS) + 1))
    assert all(before.since < after.since for before, after in pairwise(VERSIONS))


def test_a_version_is_never_written_over() -> None:
    with pytest.raises(FileExistsError):
        versions.freeze(1)


def test_the_first_version_holds_from_its_day_on(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = VERSIONS[0], Version(2, VERSIONS[0].since + timedelta(days=40), "")
    monkeypatch.setattr(versions, "VERSIONS", (first, second))
    eve = second.since - timedelta(days=1)
    assert versions.in_force(date(2000, 1, 1)) == first
    assert (versions.in_force(eve), versions.coming(eve)) == (first, second)
    assert (versions.in_force(second.since), versions.coming(second.since)) == (second, None)
    assert (versions.numbered(2), versions.numbered(3)) == (second, None)


# --- True to the rules ---------------------------------------------------------------------------------------------------


def test_figures_come_from_where_the_rules_live() -> None:
    assert Rules().contract_months == terms.MONTHS
    assert timedelta(days=Rules().contract_told_days) == ending.TOLD_BEFORE
    assert timedelta(days=Rules().grace_days) == calendar.GRACE == calendar.TRIES[-1]
    assert timedelta(days=Rules().arrears_days) == arrears.WITHIN
    assert timedelta(hours=Rules().complete_hours) == closing.AT_LATEST == expiry.LATE_WINDOW


def test_credit_expires_one_year_after_purchase_as_it_says() -> None:
    assert "one year after purchase" in said()
    assert periods.one_year_after(datetime(2026, 3, 2, 10, tzinfo=UTC)) == datetime(2027, 3, 2, 10, tzinfo=UTC)


def test_a_rule_that_changes_changes_the_words() -> None:
    other = Rules(
        contract_months=24, complete_hours=48, contract_told_days=61, grace_days=8, arrears_days=62, aws_wait_days=31
    )
    for figure in ("24 months", "48 hours", "61 days before", "for 8 days", "within 62 days", "31 days later"):
        assert figure in said(other)
        assert figure not in said()


def test_it_answers_every_question_of_somebody_who_leaves() -> None:
    sections = {section.id: section for section in cancellation.policy().sections}
    assert set(sections) == {"how", "when", "refunds", "pausing", "reserved", "aws", "deleting", "kept"}
    assert len(sections["how"].steps) == 2
    table = sections["kept"].table
    assert table is not None
    assert {len(row) for row in (table.heads, *table.rows)} == {3}
