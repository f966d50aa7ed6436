"""At least sixty attacks by SQL, with the application's login, on books with a past: all are refused, each by name."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from portal.rights import RIGHTS
from tests import owners, verified
from tests.attacks import for_powers, on_contracts, on_plans, on_the_ledger, on_the_rest, target
from tests.attacks.attack import DENIED, Attack, transfer
from tests.attacks.target import Target, fingerprint

# One worker for all: the books are made once.
pytestmark = [pytest.mark.money, pytest.mark.xdist_group("attacks")]

ATTACKS = [
    *on_the_ledger.ATTACKS,
    *on_contracts.ATTACKS,
    *on_plans.ATTACKS,
    *on_the_rest.ATTACKS,
    *for_powers.ATTACKS,
]
AT_LEAST = 60


@pytest.fixture(scope="module")
def books(django_db_setup: None, django_db_blocker: Any) -> Iterator[Target]:
    """Committed, for all attacks of this module."""
    with django_db_blocker.unblock():
        yield target.made()
        owners.empty_every_table()
        connection.close()


@pytest.fixture(scope="module")
def owner(books: Target) -> Iterator["psycopg.Connection[Any]"]:
    with owners.connected() as owner:
        yield owner


def attempted(sql: str) -> tuple[str, str]:
    """Run and committed by a connection of its own: the SQLSTATE and who spoke; nothing where nobody refused."""
    with psycopg.connect(owners.url(connections.settings["default"]), autocommit=True) as attacker:
        assert attacker.info.user == "purser_app"
        try:
            attacker.execute(sql)
        except psycopg.Error as refused:
            return refused.sqlstate or "", refused.diag.constraint_name or ""
        return "", ""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.strip(". ").replace(" ", "-"))
def test_it_is_refused_by_name_and_nothing_has_changed(
    attack: Attack, books: Target, owner: "psycopg.Connection[Any]", figures: Any
) -> None:
    facts = books.facts | {"owners_backend": owner.info.backend_pid}
    answer = attempted(attack.sql.format(**facts))
    if attack.nothing:
        assert answer[0] in {"", DENIED}
    else:
        assert answer == (attack.refused, attack.by.format(**facts))
    assert fingerprint(owner) == books.before
    figures("sql_attacks", attempted=1, refused=1)


def test_these_are_sixty_at_least() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= AT_LEAST


def test_every_table_that_may_not_be_changed_is_attacked() -> None:
    """A table of money that has no right to UPDATE or DELETE has an attack that tries."""
    tried = " ".join(attack.sql for attack in ATTACKS)
    for table in ("transfer", "transfer_note", "credit_grant", "account", "wallet", "ledger_period", "price", "usage_event",
                  "payment_intent", "refund", "dispute", "dispute_movement", "inbox_event", "usage_reversal"):  # fmt: skip
        if not RIGHTS[table].delete:
            assert f"DELETE FROM {table}" in tried
            assert f"UPDATE {table} SET" in tried


def test_afterwards_the_books_are_right(books: Target) -> None:
    assert verified.differences(now=books.now) == []


class TestControl:
    """The harness can see an attack succeed."""

    # Where triggers and rights are what refuses, the owner gets through with triggers asleep.
    DONE = [
        attack for attack in (*on_the_ledger.ATTACKS, *on_the_rest.ATTACKS)
        if attack.refused in {DENIED, "23001", "23000"} or attack.by.endswith(("_forward", "_only_later", "_what_it_is"))
        if not attack.sql.startswith(("COPY", "SELECT"))
    ]  # fmt: skip

    @pytest.mark.parametrize("attack", DONE, ids=lambda attack: attack.name.replace(" ", "-"))
    def test_the_owner_gets_through_with_triggers_asleep(
        self, attack: Attack, books: Target, owner: "psycopg.Connection[Any]"
    ) -> None:
        owner.execute("BEGIN; SET LOCAL session_replication_role = replica")
        try:
            owner.execute(attack.sql.format(**books.facts))
            assert fingerprint(owner) != books.before
        finally:
            owner.execute("ROLLBACK")

    def test_a_transfer_that_is_right_in_everything_is_taken(self, books: Target) -> None:
        """So what refuses the forged ones is what is wrong with them."""
        with psycopg.connect(owners.url(connections.settings["default"])) as attacker:
            attacker.execute(transfer().format(**books.facts))
            assert fingerprint(attacker) != books.before
            attacker.rollback()

    def test_a_guard_that_is_missing_lets_it_through(self, books: Target, owner: "psycopg.Connection[Any]") -> None:
        """Without the constraint the same statement of the same login succeeds."""
        sql = "UPDATE wallet SET accrued = 'NaN' WHERE org_id = {acme}".format(**books.facts)
        definition = owner.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'wallet_accrued_bounded'"
        ).fetchall()[0][0]
        accrued = owner.execute("SELECT accrued FROM wallet WHERE org_id = %(acme)s", books.facts).fetchall()[0][0]
        owner.execute("ALTER TABLE wallet DROP CONSTRAINT wallet_accrued_bounded")
        try:
            assert attempted(sql) == ("", "")
        finally:
            owner.execute("UPDATE wallet SET accrued = %s WHERE org_id = %s", [accrued, books.facts["acme"]])
            owner.execute(f"ALTER TABLE wallet ADD CONSTRAINT wallet_accrued_bounded {definition}")
        assert attempted(sql) == ("23514", "wallet_accrued_bounded")
