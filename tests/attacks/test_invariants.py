"""What holds of the schema as a whole, asked of PostgreSQL: a new table or column that forgets it is red here."""

import re

import pytest
from django.db import connection

from tests.paths import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.money]

README = ROOT / "billing" / "ledger" / "README.md"


def asked(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(str(row[0]) for row in cursor.fetchall())


CASCADING = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND (confdeltype, confupdtype) <> ('a', 'a')"


def test_nothing_cascades() -> None:
    """No row disappears, or loses what it refers to, because another did: every foreign key refuses."""
    assert asked(CASCADING) == []


UNBOUNDED = """
SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atttypid IN ('numeric'::regtype, 'float4'::regtype, 'float8'::regtype)
    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'
        AND pg_get_constraintdef(k.oid) ~ ('\\m' || a.attname || ' <=? ?\\(?''?\\(?\\d'))
"""


def test_nan_is_no_amount() -> None:
    """NaN is greater than every number: each amount has a CHECK with a bound above it."""
    assert asked(UNBOUNDED) == []


def test_every_guard_is_awake() -> None:
    """Always, not only for replicas or never; and the internal ones, which are the foreign keys, too."""
    assert asked("SELECT DISTINCT tgenabled FROM pg_trigger") == ["O"]
    assert asked("SELECT conname FROM pg_constraint WHERE NOT convalidated") == []


def test_rows_of_money_refuse_to_be_emptied() -> None:
    """TRUNCATE passes the triggers of rows, so each such table has one of its own."""
    has = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 32 <> 0"
    money = (
        "account accrual credit_grant dispute dispute_movement inbox_event ledger_period notice payment_intent price refund"
        " stripe_customer transfer transfer_note usage_reversal usage_seen wallet subscription subscription_period"
        " subscription_model plan_quote plan_charge plan_change plan_price_rise coverage"
    )
    assert set(money.split()) <= set(asked(has))
    days = "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
    assert set(asked(days)) <= set(asked(has))


def test_each_rule_of_the_last_migrations_has_its_line() -> None:
    """The README names every guard that `billing/migrations` and `orgs/migrations` write as SQL."""
    told = README.read_text()
    names = set()
    for folder in (ROOT / "billing" / "migrations", ROOT / "orgs" / "migrations"):
        for file in sorted(folder.glob("0*.py")):
            text = file.read_text()
            names |= set(re.findall(r"CONSTRAINT = '(\w+)'", text))
            names |= set(re.findall(r"ADD CONSTRAINT (\w+)", text))
    assert {name for name in names if name not in told} == set()


@pytest.mark.usefixtures("as_owner")
def test_these_questions_find_what_is_wrong() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE tip (amount numeric CHECK (amount >= 0), org bigint REFERENCES wallet ON DELETE CASCADE)"
        )
        cursor.execute("ALTER TABLE wallet DROP CONSTRAINT wallet_accrued_bounded")
    assert asked(CASCADING) == ["tip_org_fkey"]
    assert asked(UNBOUNDED) == ["tip.amount", "wallet.accrued"]
