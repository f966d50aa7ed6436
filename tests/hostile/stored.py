"""What is stored, and what a strict reader would have stored: the rule by which "nothing is coerced" is judged.

White space around a text and runs of it in a name are typing, not content. Everything else has to be there as it was sent,
in the one way of writing it that the form names: dollars and whole cents, a day as YYYY-MM-DD, a choice as it is called.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import check_password

from billing.contracts.models import Contract, ContractAct
from billing.ledger.models import CreditGrant, Transfer
from billing.notices.models import NoticeSettings
from billing.notices.wishes import CHOOSABLE
from billing.payments.card_setups import CardSetup
from billing.payments.models import Intent, PaymentMethod, Refund
from billing.recharge.models import Rule as RechargeRule
from billing.settlement.models import OverdraftCeiling
from billing.statements.models import BillingDetails
from billing.subscriptions.models import Change, Quote, Subscription
from orgs.models import ApiKey, Membership, Organization, User

Rows = dict[str, set[tuple[Any, ...]]]
Says = dict[str, str]
Rule = Callable[[Says, Rows, Rows], bool]
"""(what was sent, what is gone, what is new) -> whether that is what was sent."""

TABLES: dict[str, Callable[[], Any]] = {
    "intents": lambda: Intent.objects.values_list("amount_cents", "key", "wallet_id", "purpose", "state"),
    "alerts": lambda: [
        (row.wallet_id, row.billing_email or row.asked_email, str(row.muted), str(row.low_balance))
        for row in NoticeSettings.objects.all()
    ],
    "cards": lambda: PaymentMethod.objects.values_list("pk", "is_default", "detached_at"),
    "card setups": lambda: CardSetup.objects.values_list("key", "wallet_id", "state"),
    "rules": lambda: RechargeRule.objects.values_list(
        "threshold_cents", "recharge_to_cents", "cap_cents", "per_day", "method_id", "standing"
    ),
    "keys": lambda: ApiKey.objects.values_list("public_id", "name", "expires_at", "revoked_at", "organization_id"),
    "organizations": lambda: Organization.objects.values_list("pk", "name", "kind", "slug"),
    "members": lambda: Membership.objects.values_list("organization_id", "user_id", "role"),
    "details": lambda: BillingDetails.objects.values_list("pk", "legal_name", "address", "country", "tax_id"),
    "people": lambda: User.objects.values_list(
        "pk", "email", "name", "is_staff", "is_superuser", "is_active", "password"
    ),
    "refunds": lambda: Refund.objects.values_list("amount_cents", "reason", "key", "intent_id"),
    "grants": lambda: CreditGrant.objects.values_list(
        "pk", "title", "reason", "source", "account__granted", "account__expires_at"
    ),
    "ceilings": lambda: OverdraftCeiling.objects.values_list("wallet_id", "usd", "reason"),
    "contracts": lambda: Contract.objects.values_list("pk", "state", "overage_limit_cents"),
    "contract acts": lambda: ContractAct.objects.values_list("pk", "act", "reason"),
    "plan quotes": lambda: Quote.objects.values_list("pk", "plan__slug", "kind", "amount_cents"),
    "plan changes": lambda: Change.objects.values_list("pk", "plan__slug", "withdrawn_at", "applied_at"),
    "plan cards": lambda: Subscription.objects.values_list("pk", "method_id", "state", "plan__slug"),
    "transfers": lambda: Transfer.objects.values_list("pk", "amount", "reason"),
}


def rows() -> Rows:
    return {name: set(read()) for name, read in TABLES.items()}


def moved(before: Rows, after: Rows) -> tuple[Rows, Rows]:
    """What is gone and what is new, of the tables that changed."""
    gone = {name: before[name] - after[name] for name in before if before[name] - after[name]}
    new = {name: after[name] - before[name] for name in after if after[name] - before[name]}
    return gone, new


# --- How a strict reader reads ------------------------------------------------------------------------------------------


def line(text: str) -> str:
    return " ".join(text.split())


def cents(text: str) -> int | None:
    text = text.strip()
    plain = re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]{1,2})?", text, re.ASCII)
    return int(Decimal(text) * 100) if plain else None


def day(text: str) -> datetime | None:
    plain = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip(), re.ASCII)
    return datetime.combine(date.fromisoformat(text.strip()), time.min, UTC) if plain else None


# --- The rules, one for each kind of form ----------------------------------------------------------------------------------


def one(new: Rows, table: str) -> tuple[Any, ...] | None:
    """The only new row there is, if it is of this table."""
    if set(new) == {table} and len(new[table]) == 1:
        return next(iter(new[table]))
    return None


def nothing(says: Says, gone: Rows, new: Rows) -> bool:
    return False


def bought(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "intents")
    amount = cents(says.get("other", "").strip() or says.get("preset", ""))
    return bool(
        row and not gone
        and row[:2] == (amount, f"buy:{UUID(says['nonce'].strip()).hex}")
        and says["seen"].strip() == str(amount) and says["version"].strip() == "0:0"
    )  # fmt: skip


def canceled(says: Says, gone: Rows, new: Rows) -> bool:
    """The address says which; the body says nothing."""
    return set(gone) == set(new) == {"intents"} and {row[4] for row in new["intents"]} == {"canceled"}


def plan_quoted(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "plan quotes")
    return bool(row and not gone and row[1:3] == (says["plan"], "upgrade"))


def plan_agreed(says: Says, gone: Rows, new: Rows) -> bool:
    """On Stripe's page; the amount is the quote's, whatever is sent."""
    row = one(new, "intents")
    return bool(row and not gone and row[1].startswith("plan:") and row[3] == "subscription" and says["card"] == "page")


def plan_canceled(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "plan changes")
    return bool(row and not gone and row[1:] == (None, None, None) and says["seen"] == "active:1:0")


def plan_card_chosen(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "plan cards")
    return bool(row and str(row[1]) == says["card"] and row[2:] == ("active", "code-pro"))


def card_begun(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "card setups")
    return bool(row and not gone and row[0] == f"card:{UUID(says['nonce'].strip()).hex}")


def contract_withdrawn(says: Says, gone: Rows, new: Rows) -> bool:
    """Once, in these words, when it is confirmed."""
    acts, contracts = new.get("contract acts", set()), new.get("contracts", set())
    said = says["confirmed"] == "yes" and {row[1:] for row in acts} == {("withdrawn", says["reason"].strip())}
    return said and {row[1] for row in contracts} == {"withdrawn"} and set(new) == {"contracts", "contract acts"}


def card_chosen(says: Says, gone: Rows, new: Rows) -> bool:
    """The address says which: it is the default now, and the one before is not."""
    return set(gone) == set(new) == {"cards"} and sorted(row[1] for row in new["cards"]) == [False, True]


def card_removed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "cards")
    return bool(row and set(gone) == {"cards"} and row[2])


def recharge_agreed(says: Says, gone: Rows, new: Rows) -> bool:
    row, cap = one(new, "rules"), says["cap"].strip()
    amounts = (cents(says["threshold"]), cents(says["recharge_to"]), cents(cap) if cap else None)
    shown = ":".join(str(part) for part in (*(amounts[:2]), "" if amounts[2] is None else amounts[2]))
    return bool(
        row and not gone
        and row == (*amounts, int(says["per_day"]), int(says["card"]), "on")
        and says["seen"].strip() == f"{shown}:{says['per_day']}:{says['card']}:0"
        and says["consent"].strip() == "yes" and int(says["version"]) == 0
    )  # fmt: skip


def key_made(says: Says, gone: Rows, new: Rows) -> bool:
    row, ends = one(new, "keys"), says.get("expires_on", "").strip()
    return bool(row and not gone and row[1] == line(says["name"]) and row[2] == (day(ends) if ends else None))


def detailed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "details")
    lines = [line(one) for one in says["address"].splitlines() if line(one)]
    wanted = (line(says["legal_name"]), "\n".join(lines), says["country"], line(says["tax_id"]))
    return bool(row and not gone and row[1:] == wanted)


def key_revoked(says: Says, gone: Rows, new: Rows) -> bool:
    return set(gone) == set(new) == {"keys"} and len(new["keys"]) == 1


def renamed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "organizations")
    return bool(row and set(gone) == {"organizations"} and row[1] == line(says["name"]))


def founded(says: Says, gone: Rows, new: Rows) -> bool:
    names = [row[1] for row in new.get("organizations", ())]
    return not gone and set(new) == {"organizations", "members"} and names == [line(says["name"])]


def person_renamed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "people")
    return bool(row and row[2] == line(says["name"]))


def alerts_kept(says: Says, gone: Rows, new: Rows) -> bool:
    """There was no row before."""
    row, ticks = one(new, "alerts"), {kind.value: says[kind] for kind in CHOOSABLE if kind in says}
    amounts = [cents(text) for text in map(str.strip, says.get("thresholds", "").splitlines()) if text]
    known = sorted((amount for amount in amounts if amount is not None), reverse=True)
    return bool(
        row and not gone
        and row[1] == says.get("billing_email", "").strip()
        and row[2] == str([kind.value for kind in CHOOSABLE if kind not in ticks]) and set(ticks.values()) <= {"on"}
        and len(set(known)) == len(amounts) and row[3] == str([f"{Decimal(amount) / 100:.2f}" for amount in known])
    )  # fmt: skip


def role_changed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "members")
    return bool(row and row[2] == says["role"])


def member_gone(says: Says, gone: Rows, new: Rows) -> bool:
    return not new and set(gone) == {"members"} and len(gone["members"]) == 1


def signed_up(says: Says, gone: Rows, new: Rows) -> bool:
    made = list(new.get("people", ()))
    return bool(
        not gone and len(made) == 1
        and made[0][1] == says["email"].strip().lower() and made[0][3:5] == (False, False)
        and check_password(says["password1"], made[0][6])
    )  # fmt: skip


def password_changed(says: Says, gone: Rows, new: Rows) -> bool:
    row = one(new, "people")
    return bool(row and says["password1"] == says["password2"] and check_password(says["password1"], row[6]))


def newlines(text: str) -> str:
    """Browsers send the end of a line as two characters, other programs as one of them: it is one end of a line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def refunded(says: Says, gone: Rows, new: Rows) -> bool:
    made = list(new.get("refunds", ()))
    return (
        len(made) == 1 and says.get("confirmed") == "yes" and made[0][0] == cents(says["amount"])
        and newlines(made[0][1]) == newlines(says["reason"].strip())
    )  # fmt: skip


def ceiling_set(says: Says, gone: Rows, new: Rows) -> bool:
    made, amount = list(new.get("ceilings", ())), cents(says["amount"])
    return (
        len(made) == 1 and set(new) == {"ceilings"} and not gone and says.get("confirmed") == "yes" and amount is not None
        and made[0][1] == Decimal(amount) / 100 and newlines(made[0][2]) == newlines(says["reason"].strip())
    )  # fmt: skip


def given(says: Says, gone: Rows, new: Rows) -> bool:
    made, amount = list(new.get("grants", ())), cents(says["amount"])
    return (
        len(made) == 1 and says.get("confirmed") == "yes" and amount is not None
        and made[0][4] == Decimal(amount) / 100 and made[0][5] - timedelta(days=1) == day(says["last_day"])
        and line(made[0][2]) == line(says["reason"])
    )  # fmt: skip
