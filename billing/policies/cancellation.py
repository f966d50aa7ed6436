"""The words of the cancellation policy, made from the rules. Pure.

`**…**` is what a button or a page is called. `{billing_email}` and `{usage_days}` are the operator's, from the settings,
and are filled in where the page is drawn. Whoever changes a word here, or a rule it tells of, makes a new
version (`versions.py`).
"""

from dataclasses import dataclass

from billing import periods
from billing.contracts import ending, terms
from billing.settlement import closing
from billing.subscriptions import arrears, calendar


@dataclass(frozen=True, slots=True)
class Rules:
    """The figures the policy tells of, each from the room whose rule it is."""

    contract_months: int = terms.MONTHS
    complete_hours: int = closing.AT_LATEST // periods.HOUR
    contract_told_days: int = ending.TOLD_BEFORE.days
    grace_days: int = calendar.GRACE.days
    arrears_days: int = arrears.WITHIN.days
    aws_wait_days: int = 30
    """Until an organization that left AWS may become an ordinary Team (A48): the room of that rule is not built yet."""


@dataclass(frozen=True, slots=True)
class Table:
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """`id` is the anchor. Steps are numbered and come before the paragraphs, a table after them."""

    id: str
    heading: str
    paragraphs: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`lead` says all of it in three sentences."""

    lead: str
    sections: tuple[Section, ...]


def policy(rules: Rules | None = None) -> Policy:
    """The policy as the rules are now."""
    rules = rules or Rules()
    [lead] = _paragraphs("""
        You can cancel a plan at any time, in two clicks, without talking to anyone. It ends at the end of the period that
        you have paid. You can undo it until then.
    """)
    parts = (_how(), _when(rules), _refunds(), _pausing(), _reserved(rules), _aws(rules), _deleting(rules), _kept())
    return Policy(lead, parts)


def _how() -> Section:
    steps = (
        "Open **Billing** and choose **Cancel plan**.",
        "Read the exact moment and what changes then, and choose **Cancel plan** with its day.",
    )
    said = _paragraphs("""
        Owners, admins and members with the billing role can do it. We confirm it by e-mail. If you cannot sign in,
        write to {billing_email} from your account’s address.

        Pay as you go has nothing to cancel. To stop automatic charges, open **Auto-recharge** and choose **Stop now**;
        a small negative balance may still be charged at the end of the month.
    """)
    return Section("how", "How to cancel", said, steps)


def _when(rules: Rules) -> Section:
    said = _paragraphs(f"""
        At the end of the current period, to the second. Until then your plan, its limits and its daily tokens stay as
        they are, and you can undo the cancellation. The same holds for a downgrade.

        If a renewal could not be charged, we try again for {rules.grace_days} days. Cancelling within them ends the plan
        at once and owes nothing; without a payment it ends by itself after them. If the plan worked on those days and
        you subscribe again within {rules.arrears_days} days, the days you had are charged first.
    """)
    return Section("when", "When it takes effect", said)


def _refunds() -> Section:
    said = _paragraphs("""
        A started period is not refunded in part. Purchased credit is final and stays usable until it expires, one year
        after purchase, with or without a plan.

        One exception: when we retire the last model of a plan, the plan ends with it, and the days you did not have
        are refunded to your card without your asking.

        Questions about a charge: {billing_email}.
    """)
    return Section("refunds", "Refunds", said)


def _pausing() -> Section:
    said = _paragraphs("""
        A plan cannot be paused. You can cancel and subscribe again later; a new subscription has a new day of the month
        and starts with a full payment.
    """)
    return Section("pausing", "Pausing", said)


def _reserved(rules: Rules) -> Section:
    said = _paragraphs(f"""
        A contract runs for its {rules.contract_months} months and ends by itself; it does not renew. We remind you
        {rules.contract_told_days} days before. You cannot end it early: each month’s commitment is charged at its start,
        used or not.

        We may end it early for non-payment. When the last of its models is retired it ends with it, and that month’s
        commitment is charged in proportion to its days.
    """)
    return Section("reserved", "Reserved capacity", said)


def _aws(rules: Rules) -> Section:
    said = _paragraphs(f"""
        If you subscribed through AWS Marketplace, cancel in the AWS console under **Manage subscriptions**. Access ends
        at once, not at the end of a period. AWS bills what was used until then.

        {rules.aws_wait_days} days later the organization can become an ordinary Team that pays us directly.
    """)
    return Section("aws", "AWS Marketplace", said)


def _deleting(rules: Rules) -> Section:
    said = _paragraphs(f"""
        An owner can export all data of an organization and delete it under **Settings**. Its keys stop at once; the
        rest follows when its usage is complete, {rules.complete_hours} hours later at the latest. Until then you can
        undo it; the keys stay off.

        A plan ends without refund, and you type your consent to that and to the loss of unused credit. A contract that
        still runs, or a dispute that is open, has to end first.
    """)
    return Section("deleting", "Deleting the account", said)


def _kept() -> Section:
    return Section(
        "kept",
        "What is kept and what is deleted",
        table=Table(
            ("Data", "When you cancel", "When you delete the account"),
            (
                ("API keys", "Stay", "Off at once"),
                ("Unused credit", "Stays until it expires", "Forfeited, you type your consent"),
                ("Auto-recharge", "Stays as you set it", "Off at once"),
                ("Name, e-mail, cards", "Stay", "Erased"),
                ("Ledger and statements", "Stay", "Kept without personal data"),
                (
                    "Usage, request by request",
                    "Kept {usage_days} days",
                    "Kept {usage_days} days, without personal data",
                ),
                ("Prompts and answers", "Never stored", "Never stored"),
            ),
        ),
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    """What an empty line parts, each in one line."""
    return tuple(" ".join(one.split()) for one in text.strip().split("\n\n"))
