"""What is attacked: books with a past, committed, and a fingerprint of everything in the database."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection, transaction

from billing import flows, periods
from billing.coverage import base
from billing.coverage.models import Payer, PayerBase
from billing.ledger import accounts, posting, wallets
from billing.ledger.chart import Code
from billing.ledger.models import CreditGrant
from billing.metering import ingest
from billing.metering.reversing import Reversal
from billing.payments import answers
from billing.payments.models import Intent, Refund
from billing.payments.outcomes import Paid
from billing.settlement import ceilings
from billing.statements import issuing
from billing.subscriptions.models import PriceRise
from billing.webhooks.models import InboxEvent
from orgs import keys
from orgs.models import Role, User
from tests import owners
from tests.factories import catalog, contracts, months, plans, usage
from tests.factories import orgs as people

Facts = dict[str, Any]

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'django_session'
"""
CATALOG = """
SELECT md5(string_agg(said, E'\\n' ORDER BY said)) FROM (
    SELECT concat_ws('|', 'class', oid, relname, relkind, relowner, relacl, relrowsecurity) AS said FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws('|', 'column', attrelid, attname, atttypid, attnotnull, attacl) FROM pg_attribute
        WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT concat_ws('|', 'trigger', tgrelid, tgname, tgfoid, tgenabled, tgtype) FROM pg_trigger
        WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws('|', 'constraint', conrelid, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    UNION ALL SELECT concat_ws('|', 'function', oid, proname, prosrc, proowner, proacl, proconfig, prosecdef) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws('|', 'schema', nspname, nspowner, nspacl) FROM pg_namespace
        WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT concat_ws('|', 'role', rolname, rolsuper, rolcreatedb, rolcreaterole) FROM pg_roles
        WHERE rolname ~ '^(purser|postgres|mine)'
    UNION ALL SELECT concat_ws('|', 'setting', setdatabase, setrole, setconfig) FROM pg_db_role_setting
    UNION ALL SELECT concat_ws('|', 'database', datname, datdba, datacl) FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT concat_ws('|', 'extension', extname) FROM pg_extension
    UNION ALL SELECT concat_ws('|', 'rule', rulename) FROM pg_rewrite WHERE rulename <> '_RETURN'
) x
"""


@dataclass(frozen=True, slots=True)
class Target:
    """`facts` fill in the names that attacks use; `before` is the fingerprint of all that is attacked."""

    facts: Facts
    now: datetime
    before: dict[str, str]


def fingerprint(of: "psycopg.Connection[Any]") -> dict[str, str]:
    """Every row of every table, and all that guards them, each as one sum."""
    names = [name for (name,) in of.execute(TABLES).fetchall()]
    sums = " UNION ALL ".join(
        f"SELECT '{name}', md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM \"{name}\" t" for name in names
    )
    return dict(of.execute(f"{sums} UNION ALL SELECT 'the catalog', ({CATALOG})").fetchall())


def made() -> Target:
    """Acme has bought, been given, used, taken back, got money back and been disputed; Charlie's Team has bought too,
    and has a plan."""
    now = datetime.now(UTC).replace(microsecond=0)
    then = now - timedelta(days=33)
    usage.days(now)
    model = catalog.model()
    gateway = usage.gateway(now=now)
    alice, bob = people.person("alice@example.com", "Alice Archer"), people.person("bob@example.com", "Bob Baker")
    charlie = people.person("charlie@example.com", "Charlie Cole")
    acme, theirs = people.team(alice, "Acme", slug="acme"), people.team(charlie, "Charlie's", slug="charlies")
    people.member(acme, bob, Role.DEVELOPER)
    key, revoked = people.key(acme, "prod", now=then), people.key(acme, "old")
    keys.revoke(revoked.key, now=now)
    flows.grant_promotional(
        acme.pk, Decimal(1), key="then", title="Welcome credit", reason="welcome", expires_at=then + timedelta(days=1),
        issued_by=None, now=then,
    )  # fmt: skip
    flows.expire(now=now)
    paid, disputed = _paid(acme.pk, 100_00, "1", now), _paid(acme.pk, 50_00, "2", now)
    promo = usage.given(acme, "5.00", now=now)
    stranger = usage.bought(theirs, "20.00", now=now)
    events = _used(key.key.public_id, gateway.pk, now - timedelta(seconds=5))
    flows.reverse_usage(Reversal(uuid4(), events[0], "a test", gateway.pk), now=now)
    _refunded(paid, now)
    _disputed(disputed, now)
    opened = Intent.objects.create(
        wallet_id=acme.pk, purpose="credits", amount_cents=500, key=f"buy:{uuid4()}", created_at=now
    )
    InboxEvent.objects.create(
        provider="stripe", provider_event_id="evt_1", type="charge.succeeded", body='{"id": "evt_1"}', received_at=now,
        state="done", next_try_at=now, done_at=now,
    )  # fmt: skip
    _noted(acme.pk, now)
    _used(key.key.public_id, gateway.pk, now)
    PayerBase.objects.filter(wallet_id=theirs.pk).update(since=now - timedelta(days=3))
    base.flip(theirs.pk, Payer.MARKETPLACE, now - timedelta(days=1))
    base.flip(theirs.pk, Payer.CREDITS, now)
    _contracted(alice, now)
    running = plans.begun(theirs, catalog.plan(model), charlie, now=now)
    PriceRise.objects.create(
        wallet_id=theirs.pk, subscription=running, plan_id=running.plan_id, from_cents=50_00, to_cents=60_00, told_at=now,
        effective_at=now + timedelta(days=31),
    )  # fmt: skip
    flows.cancel_plan(theirs.pk, running.public_id, by=charlie.pk, now=now)
    LogEntry.objects.create(user=alice, object_repr="x", action_flag=CHANGE, change_message="Looked.")
    grants = {grant.payment_id: grant.account_id for grant in CreditGrant.objects.filter(wallet_id=acme.pk)}
    facts = {
        "acme": acme.pk, "charlies": theirs.pk, "alice": alice.pk, "key": key.key.pk, "revoked": revoked.key.pk,
        "grant": grants[paid.pk], "promo": promo.account_id, "theirs": stranger.account_id,
        "spent": CreditGrant.objects.get(key="promo:then").account_id, "overdraft": accounts.of(acme.pk, Code.OVERDRAFT),
        "clawback": accounts.of(acme.pk, Code.CLAWBACK_DEBT), "pending": accounts.of(acme.pk, Code.REFUND_PENDING),
        "paid": paid.pk, "open": opened.pk, "model": model.pk, "now": now.isoformat(),
        "month": periods.month_of(now), "middle": periods.month_of(now) + timedelta(days=14),
        "closed": periods.month_of(then), "used_key": f"pay:{paid.pk}",
        "day": f"usage_event_{now:%Y%m%d}", "database": connection.settings_dict["NAME"],
    }  # fmt: skip
    ceilings.put(acme.pk, Decimal(20), reason="A test", nonce=uuid4(), by=alice.pk, now=now)
    months.closed(now)
    with transaction.atomic():
        issuing.issue(acme.pk, facts["closed"], now=now)
    with owners.connected() as owner:
        return Target(facts, now, fingerprint(owner))


def _contracted(alice: User, now: datetime) -> None:
    """Another Team of hers has a contract that runs since the first of this month, and a draft for the same model."""
    team, model, first = (
        people.team(alice, "Reserved", slug="reserved"),
        catalog.model("reserved"),
        periods.month_of(now),
    )
    contracts.running(team, alice, model, now=periods.month_start(first), starts_on=first)
    contracts.drafted(team, alice, model, starts_on=first)


def _paid(org_id: int, cents: int, name: str, now: datetime) -> Intent:
    """Bought and paid, as Stripe tells it."""
    intent = Intent.objects.create(
        wallet_id=org_id, purpose="credits", amount_cents=cents, key=f"buy:{uuid4()}", created_at=now
    )
    flows.payment_outcome(intent.pk, Paid(cents, "usd", f"pi_{name}", f"ch_{name}", now), now=now)
    intent.refresh_from_db()
    return intent


def _used(public_id: str, gateway_id: int, now: datetime) -> list[UUID]:
    """Some of today's usage, charged."""
    at = now - timedelta(seconds=1)
    events = [usage.event(public_id, at, id=id, input_tokens=3_000_000) for id in (uuid4(), uuid4(), usage.v7(at))]
    assert ingest.ingest(usage.batch(*events), gateway_id=gateway_id, now=now).accepted == len(events)
    flows.sweep(now=now)
    return [event.id for event in events]


def _refunded(intent: Intent, now: datetime) -> None:
    """Ten dollars, in Stripe's dashboard."""
    told = answers.Refund("re_1", "succeeded", 10_00, "usd", "ch_1", "pi_1", now)
    assert flows.refund_told(told, now=now)
    assert Refund.objects.get().intent_id == intent.pk


def _disputed(intent: Intent, now: datetime) -> None:
    """All of it: withdrawn at Stripe, and open."""
    withdrawn = answers.Movement("txn_1", -50_00, "usd", now)
    told = answers.Dispute("dp_1", "needs_response", "fraudulent", 50_00, "usd", "ch_2", "pi_2", now, (withdrawn,))
    dispute = flows.dispute_told(told, now=now)
    assert dispute is not None
    assert dispute.intent_id == intent.pk


def _noted(org_id: int, now: datetime) -> None:
    with transaction.atomic():
        wallets.lock([org_id])
        overdraft = accounts.of(org_id, Code.OVERDRAFT)
        cause = posting.Cause("test", "1")
        lent = posting.Entry(
            org_id, overdraft, Code.GOODWILL, Decimal(1), "goodwill", "noted:1", cause, now, note="asked by phone"
        )
        back = posting.Entry(org_id, Code.GOODWILL, overdraft, Decimal(1), "goodwill", "noted:2", cause, now)
        posting.post([lent, back], now=now)
