"""Plans of organizations, to look at: what runs, what was paid for which time, what is scheduled, what was to be collected.

Nothing is changed here: plans are begun, changed and ended by their customers and the clock, by the rules.
"""

from typing import Any, ClassVar

from django.contrib import admin

from billing import wording
from billing.admin.reading import ReadOnly, exact, lines
from billing.money import from_cents
from billing.subscriptions.models import Change, Charge, PaidPeriod, Subscription


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly[Subscription]):
    list_display = ("organization", "plan", "state", "price", "number", "ends_at", "next_at", "tries", "ended_as")
    list_filter = ("state", "plan", "ended_as")
    list_select_related = ("wallet__organization", "plan")
    search_fields = ("wallet__organization__slug", "=public_id")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-pk")
    readonly_fields = ("covers", "periods", "scheduled", "charges")

    @admin.display(ordering="wallet_id")
    def organization(self, running: Subscription) -> object:
        return running.wallet.organization

    @admin.display(description="a month", ordering="price_cents")
    def price(self, running: Subscription) -> str:
        return exact(from_cents(running.price_cents))

    @admin.display(description="covers")
    def covers(self, running: Subscription) -> str:
        listed = running.covered.select_related("model").order_by("model__slug")
        return ", ".join(f"{one.model.slug}{'' if one.open else ' (no longer)'}" for one in listed)

    @admin.display(description="paid periods")
    def periods(self, running: Subscription) -> str:
        fees = running.periods.select_related("plan").order_by("-pk")
        return lines(
            f"{fee.number}{f'.{fee.part}' if fee.part else ''}: {fee.plan}, {exact(from_cents(fee.charged_cents))} for "
            f"{wording.moment(fee.starts_at)} to {wording.moment(fee.ends_at)}, "
            f"{exact(from_cents(fee.earned_cents))} of it earned"
            for fee in fees
        )

    @admin.display(description="scheduled changes")
    def scheduled(self, running: Subscription) -> str:
        changes = running.changes.select_related("plan", "made_by").order_by("-pk")
        return lines(
            f"{wording.moment(one.effective_at)}: {one.plan or 'ends'}, by {one.made_by} on {wording.moment(one.made_at)}"
            f"{_became(one)}"
            for one in changes
        )

    @admin.display(description="charges")
    def charges(self, running: Subscription) -> str:
        made = running.charges.select_related("plan", "intent").order_by("-pk")
        return lines(
            f"{wording.moment(one.made_at)}: {one.get_kind_display()} {one.number}, {one.plan}, "
            f"{exact(from_cents(one.amount_cents))}, {one.intent.get_state_display() if one.intent else 'free'}"
            for one in made
        )


def _became(change: Change) -> str:
    if change.withdrawn_at:
        return f"; withdrawn on {wording.moment(change.withdrawn_at)}"
    return f"; done on {wording.moment(change.applied_at)}" if change.applied_at else ""


class OfPlans(ReadOnly[Any]):
    """What the tables of plans have in common."""

    list_select_related: ClassVar[tuple[str, ...]] = ("wallet__organization", "subscription", "plan")
    search_fields: ClassVar[tuple[str, ...]] = ("wallet__organization__slug", "=subscription__public_id")

    @admin.display(ordering="wallet_id")
    def organization(self, row: Any) -> object:
        return row.wallet.organization


@admin.register(PaidPeriod)
class PaidPeriodAdmin(OfPlans):
    list_display = ("organization", "plan", "number", "part", "charged", "earned", "starts_at", "ends_at", "paid_at")
    list_filter = ("plan",)
    date_hierarchy = "starts_at"
    ordering = ("-starts_at", "-pk")

    @admin.display(ordering="charged_cents")
    def charged(self, fee: PaidPeriod) -> str:
        return exact(from_cents(fee.charged_cents))

    @admin.display(ordering="earned_cents")
    def earned(self, fee: PaidPeriod) -> str:
        return exact(from_cents(fee.earned_cents))


@admin.register(Change)
class ChangeAdmin(OfPlans):
    """`plan` empty: it ends."""

    list_display = ("organization", "subscription", "plan", "effective_at", "made_by", "withdrawn_at", "applied_at")
    list_filter = ("plan",)
    list_select_related = ("wallet__organization", "subscription", "plan", "made_by")
    date_hierarchy = "effective_at"
    ordering = ("-effective_at", "-pk")


@admin.register(Charge)
class ChargeAdmin(OfPlans):
    list_display = ("organization", "kind", "plan", "number", "amount", "intent", "payment", "made_by", "made_at")
    list_filter = ("kind", "plan")
    list_select_related = ("wallet__organization", "plan", "intent", "made_by")
    search_fields = ("wallet__organization__slug", "=subscription__public_id", "=intent__id")
    date_hierarchy = "made_at"
    ordering = ("-made_at", "-pk")

    @admin.display(ordering="amount_cents")
    def amount(self, charge: Charge) -> str:
        return exact(from_cents(charge.amount_cents))

    @admin.display(ordering="intent__state")
    def payment(self, charge: Charge) -> str:
        return str(charge.intent.get_state_display()) if charge.intent else "Free"
