"""The application's login may do what `portal/rights.py` lists: nothing more, and nothing less. PostgreSQL is asked."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from billing.metering import partitions
from portal import rights, roles
from portal.rights import RIGHTS
from tests import owners

pytestmark = [pytest.mark.django_db, pytest.mark.money]

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
"""
HIDDEN = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND CASE
    WHEN relkind = 'S' THEN has_sequence_privilege(oid, 'USAGE, SELECT, UPDATE')
    WHEN relispartition AND relkind = 'r' OR relkind IN ('v', 'm', 'f') THEN
        has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege(oid, 'SELECT, INSERT, UPDATE, REFERENCES')
    ELSE false END
"""


def asked(sql: str, *values: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return sorted(str(row[0]) for row in cursor.fetchall())


def columns(table: str, privilege: str) -> set[str]:
    found = asked(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
        " AND has_column_privilege(attrelid, attnum, %s)",
        table,
        privilege,
    )
    return set(found)


def test_the_tests_are_the_application() -> None:
    assert roles.name(connection) == connection.settings_dict["USER"] == "purser_app"


def test_every_table_has_its_line() -> None:
    assert asked(TABLES) == sorted(RIGHTS)


@pytest.mark.parametrize("table", sorted(RIGHTS))
def test_it_may_do_what_is_listed_and_nothing_else(table: str) -> None:
    may = RIGHTS[table]
    every = set(
        asked(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", table
        )
    )
    assert columns(table, "SELECT") == every
    assert columns(table, "INSERT") == (every if may.insert == rights.ALL else set(may.insert.split()))
    assert columns(table, "UPDATE") == (every if may.update == rights.ALL else set(may.update.split()))
    assert columns(table, "REFERENCES") == set()
    for privilege, allowed in {"DELETE": may.delete, "TRUNCATE": False, "TRIGGER": False}.items():
        assert asked("SELECT has_table_privilege(%s, %s)", table, privilege) == [str(allowed)]


def test_partitions_views_and_sequences_are_closed() -> None:
    partitions.make(datetime.now(UTC))
    assert len(asked("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")) > 40
    assert asked(HIDDEN) == []


def test_it_may_call_what_is_listed() -> None:
    callable_ = asked(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')"
    )
    assert callable_ == sorted(rights.FUNCTIONS)


def test_what_works_as_the_owner_looks_for_nothing_where_others_may_write() -> None:
    loose = asked(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, public, pg_temp']"
    )
    assert loose == []


def test_it_makes_nothing_and_owns_nothing_and_is_nobody_else() -> None:
    database = connection.settings_dict["NAME"]
    assert asked(
        "SELECT has_database_privilege(%s, 'CREATE') OR has_database_privilege(%s, 'TEMP')", database, database
    ) == ["False"]
    assert asked("SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE')") == []
    assert asked("SELECT oid FROM pg_class WHERE relowner = current_user::regrole") == []
    assert asked("SELECT oid FROM pg_proc WHERE proowner = current_user::regrole") == []
    assert asked("SELECT roleid FROM pg_auth_members WHERE member = current_user::regrole") == []
    assert asked(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles"
        " WHERE rolname = current_user"
    ) == ["False"]


@pytest.mark.usefixtures("as_owner")
class TestApplied:
    """At the end of `migrate`, as the owner."""

    def test_a_table_without_a_line_is_closed_and_one_that_was_opened_by_hand_is_put_right(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE forgotten (id int)")
            cursor.execute("GRANT ALL ON forgotten TO PUBLIC")
            cursor.execute("GRANT UPDATE (balance), DELETE ON account TO purser_app")
            cursor.execute("REVOKE SELECT ON wallet FROM purser_app")
            cursor.execute("CREATE FUNCTION careless() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        rights.apply(connection, "purser_app")
        says = "SELECT has_table_privilege('purser_app', %s, %s)"
        assert asked(says, "forgotten", "SELECT") == ["False"]
        assert asked(says, "account", "DELETE") == ["False"]
        assert asked("SELECT has_column_privilege('purser_app', 'account', 'balance', 'UPDATE')") == ["False"]
        assert asked(says, "wallet", "SELECT") == ["True"]
        assert asked("SELECT has_function_privilege('purser_app', 'careless()', 'EXECUTE')") == ["False"]
        assert "forgotten" in asked(TABLES)  # which is what fails above for a new table

    def test_again_it_touches_nothing(self) -> None:
        acls = "SELECT concat(relname, relacl, xmin) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        rights.apply(connection, "purser_app")
        before = asked(acls)
        rights.apply(connection, "purser_app")
        assert asked(acls) == before


def test_another_login_is_for_a_block_outside_of_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="not within a transaction"), roles.as_owner(connection):
        raise AssertionError
    with owners.connected() as owner:
        assert owner.execute("SELECT current_user").fetchone() == ("purser_owner",)


@pytest.mark.django_db(transaction=True)
def test_the_owner_comes_and_goes() -> None:
    with roles.as_owner(connection):
        assert roles.name(connection) == "purser_owner"
    assert roles.name(connection) == "purser_app"
