"""What the application may do in the database: one list, applied by its owner at the end of each `manage.py migrate`.

The application reads every table. What else it may do is said here, table by table; a table without a line is closed to it.
It owns nothing, makes nothing, empties nothing, and reaches the partitions of `usage_event` only through their parent.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

ALL = "*"
"""Every column."""


@dataclass(frozen=True, slots=True)
class May:
    """Beside SELECT. `insert` and `update` name columns, or ALL of them; where Django saves whole rows it needs ALL, and
    triggers see to what must stay (`billing/migrations/`)."""

    insert: str = ""
    update: str = ""
    delete: bool = False


READ = May()
APPEND = May(insert=ALL)
KEEP = May(insert=ALL, update=ALL)
ANYTHING = May(insert=ALL, update=ALL, delete=True)
LINK = May(insert=ALL, delete=True)

RIGHTS: dict[str, May] = {
    # The ledger. Balances, numbers and hashes are moved by the trigger `transfer_verified` alone, as the owner. Where an
    # id stands in keys, the database gives it.
    "transfer": May(
        insert="org_id period seq debit_id credit_id amount reason key cause_kind cause_id effective_at posted_at hour"
        " model_id note_digest hash"
    ),
    "transfer_note": APPEND,
    "credit_grant": APPEND,
    "account": May(
        insert="org_id code balance accrued granted expires_at exhausted held held_since",
        update="accrued exhausted held held_since expires_at",
    ),
    "accrual": May(insert="org_id account_id model_id hour amount closes_at", update="id amount", delete=True),
    "wallet": May(update="accrued"),
    "ledger_period": READ,
    # What is sold.
    "ai_model": May(insert=ALL, update="slug name provider deprecated_on"),
    "price": APPEND,
    "rate_limit": ANYTHING,
    "plan": KEEP,
    "plan_covers": LINK,
    # Who pays.
    "coverage": May(insert=ALL, update="valid_to", delete=True),  # what was dated ahead; what was used stays (trigger)
    "payer_base": May(update="payer since covered"),
    # Money coming in, and back.
    "payment_intent": KEEP,
    "payment_method": May(
        insert=ALL, update="is_default detached_at checked_at released_at brand last4 exp_month exp_year"
    ),
    "card_setup": KEEP,
    "stripe_customer": APPEND,
    "refund": KEEP,
    "dispute": KEEP,
    "dispute_movement": APPEND,
    "reconciliation": KEEP,
    "reconciliation_finding": APPEND,
    "inbox_event": May(insert=ALL, update="state tries next_try_at done_at error"),
    # Reserved capacity.
    "contract": May(
        insert=ALL,
        update="state starts_on ends_on overage_limit_cents offered_at accepted_at active_from over_at ended_as",
    ),
    "contract_model": May(insert=ALL, update="since until live"),
    "contract_acceptance": APPEND,
    "contract_act": APPEND,
    "contract_month": May(insert=ALL, update="total posted returned begun_at closed_at lapsed_at"),
    "contract_line": May(insert=ALL, update="tokens", delete=True),
    "contract_due": May(insert=ALL, update="amount_cents stage intent_id tries first_failed_at next_try_at paid_at"),
    # Plans.
    "subscription": KEEP,
    "subscription_model": May(insert=ALL, update="open"),
    "subscription_period": May(insert=ALL, update="earned_cents earned_until"),
    "plan_quote": APPEND,
    "plan_charge": APPEND,
    "plan_price_rise": APPEND,
    "plan_change": May(insert=ALL, update="withdrawn_by_id withdrawn_at applied_at"),
    # On the way down.
    "recharge_consent": APPEND,
    "recharge_rule": KEEP,
    "recharge_attempt": May(insert=ALL, update="finish_id"),
    # At period end. A month is closed by `ledger_period_close`, as the owner.
    "settlement": May(insert=ALL, update="stage intent_id tries first_failed_at next_try_at"),
    "overdraft_ceiling": APPEND,
    # What people are told.
    "notice": May(insert=ALL, update="mail tries next_try_at sent_at sent_to unclear error"),
    "notice_settings": KEEP,
    # What people keep. Numbers are given by moving the counter, one at a time (trigger).
    "billing_details": KEEP,
    "document_counter": May(update="last"),
    "statement": APPEND,
    "statement_party": APPEND,
    "receipt": APPEND,
    "receipt_party": APPEND,
    "low_balance_armed": LINK,
    # Use coming in.
    "usage_event": APPEND,
    "usage_seen": LINK,
    "usage_delta": LINK,
    "usage_minute": May(insert=ALL, update="events input_tokens cached_tokens output_tokens cost", delete=True),
    "usage_hour": May(insert=ALL, update="events input_tokens cached_tokens output_tokens late_tokens cost"),
    "usage_refused": May(insert=ALL, update="reingested_at"),
    "usage_reversal": APPEND,
    "allowance_day": May(insert=ALL, update="tokens"),
    "key_spend": May(insert=ALL, update="spent"),
    "sweep_run": LINK,
    "gateway": May(insert=ALL, update="last_seen_at complete_through retired_at"),
    "gateway_token": May(insert=ALL, update="revoked_at"),
    # What a key may do. The clock and new answers are moved by `limits_touch`, as the owner.
    "limits_clock": READ,
    "limits_answer": May(update="open digest"),
    "limits_resolved": APPEND,
    # People and organizations.
    "organization": KEEP,
    "membership": May(insert=ALL, update="role", delete=True),
    "api_key": May(insert=ALL, update="revoked_at last_used_at expires_at cap_usd"),
    "app_user": KEEP,
    "app_user_groups": LINK,
    "app_user_user_permissions": LINK,
    # Of the libraries.
    "account_emailaddress": ANYTHING,
    "account_emailconfirmation": ANYTHING,
    "auth_group": ANYTHING,
    "auth_group_permissions": LINK,
    "auth_permission": READ,
    "django_admin_log": APPEND,
    "django_content_type": READ,
    "django_migrations": READ,
    "django_session": ANYTHING,
}

FUNCTIONS = (
    "dispute_rank",  # in constraints of `dispute`
    "ledger_period_close",
    "limits_touch",
    "transfer_canonical",  # `verify_ledger` follows the chains with it
    "usage_partitions_drop",
    "usage_partitions_make",
)
"""What the application may call; every other function works within triggers only."""

Right = tuple[str, str, str]
"""Table, privilege, and the column it is limited to, or nothing."""

HELD = """
SELECT c.relname, a.privilege_type, ''
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    AND a.grantee IN (0, %(role)s::regrole)
UNION ALL
SELECT c.relname, a.privilege_type, t.attname
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.attisdropped AND a.grantee IN (0, %(role)s::regrole)
"""
FUNCTIONS_OPEN = """
SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.pronamespace = 'public'::regnamespace AND a.grantee IN (0, %(role)s::regrole)
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
OURS = """
SELECT pg_has_role(d.datdba, 'USAGE'), pg_has_role(n.nspowner, 'USAGE')
FROM pg_database d, pg_namespace n WHERE d.datname = current_database() AND n.nspname = 'public'
"""


def wanted(tables: set[str]) -> set[Right]:
    """The list as rights, for those of these tables that have a line."""
    rights: set[Right] = set()
    for table, may in RIGHTS.items():
        if table in tables:
            rights.add((table, "SELECT", ""))
            rights |= {(table, "INSERT", column) for column in _columns(may.insert)}
            rights |= {(table, "UPDATE", column) for column in _columns(may.update)}
            rights |= {(table, "DELETE", "")} if may.delete else set()
    return rights


def apply(connection: BaseDatabaseWrapper, role: str) -> None:
    """As the owner: `role` and PUBLIC get what is listed and nothing else. Where it is so already, nothing is touched.

    In one transaction: whoever works meanwhile has the old rights or the new ones, and never none.
    """
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        quoted = connection.ops.quote_name(role)
        statements = [*_of_surroundings(cursor, quoted), *_of_tables(cursor, role, quoted)]
        statements += _of_functions(cursor, role, quoted)
        for statement in statements:
            cursor.execute(statement)


def _columns(said: str) -> list[str]:
    return [""] if said == ALL else said.split()


def _of_tables(cursor: CursorWrapper, role: str, quoted: str) -> list[str]:
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
    should = wanted({name for (name,) in cursor.fetchall()})
    cursor.execute(HELD, {"role": quoted})
    held = set(cursor.fetchall())
    statements = []
    for table in sorted({table for table, _, _ in held ^ should}):
        statements.append(f'REVOKE ALL ON public."{table}" FROM PUBLIC, {quoted}')
        for _, privilege, column in sorted(right for right in should if right[0] == table):
            of = f' ("{column}")' if column else ""
            statements.append(f'GRANT {privilege}{of} ON public."{table}" TO {quoted}')
    return statements


def _of_functions(cursor: CursorWrapper, role: str, quoted: str) -> list[str]:
    cursor.execute(FUNCTIONS_OPEN, {"role": quoted})
    open_to = [name for (name,) in cursor.fetchall()]
    cursor.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)",
        [list(FUNCTIONS)],
    )
    should = {name for (name,) in cursor.fetchall()}
    if sorted(open_to) == sorted(should):
        return []
    return [
        *(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC, {quoted}" for name in sorted(set(open_to))),
        *(f"GRANT EXECUTE ON FUNCTION {name} TO {quoted}" for name in sorted(should)),
    ]


def _of_surroundings(cursor: CursorWrapper, quoted: str) -> list[str]:
    """Of the database and the schema, where they are the owner's; else whoever owns them has to say the same
    (docs/operations.md)."""
    cursor.execute(OURS)
    database_ours, schema_ours = cursor.fetchone()
    cursor.execute("SELECT quote_ident(current_database())")
    (database,) = cursor.fetchone()
    statements = []
    if database_ours:
        statements += [
            f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC",  # a temporary table could stand in front of a real one
            f"REVOKE ALL ON DATABASE {database} FROM {quoted}",
            f"GRANT CONNECT ON DATABASE {database} TO {quoted}",
        ]
    if schema_ours:
        statements += [
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            f"REVOKE ALL ON SCHEMA public FROM {quoted}",
            f"GRANT USAGE ON SCHEMA public TO {quoted}",
        ]
    return statements
