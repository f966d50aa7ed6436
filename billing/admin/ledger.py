"""The ledger, to look at, and the acts of staff that change what an organization has or owes."""

from django.contrib import admin

from billing.admin import ceilings, moving
from billing.admin.acts import WithActs
from billing.admin.reading import ReadOnly, exact
from billing.ledger.models import Account, CreditGrant, Transfer, Wallet


@admin.register(Wallet)
class WalletAdmin(WithActs[Wallet]):
    acts = (moving.GIVE, moving.FORGIVE, moving.LET_GO, ceilings.SET)
    list_display = ("id", "organization", "settled", "not_posted")
    list_select_related = ("organization",)
    search_fields = ("organization__slug", "organization__name")

    @admin.display(description="settled", ordering="posted")
    def settled(self, wallet: Wallet) -> str:
        return exact(wallet.posted)

    @admin.display(description="accrued", ordering="accrued")
    def not_posted(self, wallet: Wallet) -> str:
        return exact(wallet.accrued)


@admin.register(Account)
class AccountAdmin(ReadOnly[Account]):
    list_display = (
        "id",
        "wallet_id",
        "code",
        "balance_exact",
        "accrued_exact",
        "granted_exact",
        "expires_at",
        "exhausted",
    )
    list_filter = ("code", "exhausted", "held")
    search_fields = ("=id", "=wallet__id", "wallet__organization__slug")

    @admin.display(description="balance", ordering="balance")
    def balance_exact(self, account: Account) -> str:
        return exact(account.balance)

    @admin.display(description="accrued", ordering="accrued")
    def accrued_exact(self, account: Account) -> str:
        return exact(account.accrued)

    @admin.display(description="granted", ordering="granted")
    def granted_exact(self, account: Account) -> str:
        return exact(account.granted)


@admin.register(CreditGrant)
class CreditGrantAdmin(ReadOnly[CreditGrant]):
    list_display = ("title", "organization", "source", "granted", "left", "expires_at", "issued_at")
    list_select_related = ("account", "wallet__organization")
    list_filter = ("source",)
    search_fields = ("title", "key", "=payment_id", "wallet__organization__slug")
    date_hierarchy = "issued_at"

    @admin.display(ordering="wallet_id")
    def organization(self, grant: CreditGrant) -> object:
        return grant.wallet.organization

    @admin.display(ordering="account__granted")
    def granted(self, grant: CreditGrant) -> str:
        return exact(grant.account.granted)

    @admin.display()
    def left(self, grant: CreditGrant) -> str:
        return exact(grant.account.rest)

    @admin.display(ordering="account__expires_at")
    def expires_at(self, grant: CreditGrant) -> object:
        return grant.account.expires_at


@admin.register(Transfer)
class TransferAdmin(ReadOnly[Transfer]):
    list_display = ("effective_at", "organization", "reason", "moves", "amount_exact", "chain")
    list_select_related = ("wallet__organization", "debit", "credit")
    list_filter = ("reason", "period")
    search_fields = ("=key", "=cause_id", "wallet__organization__slug")
    readonly_fields = ("hash_hex", "note_text")
    exclude = ("hash", "note_digest")

    @admin.display(ordering="wallet_id")
    def organization(self, transfer: Transfer) -> object:
        return transfer.wallet.organization or "The house"

    @admin.display(description="from, to")
    def moves(self, transfer: Transfer) -> str:
        return f"{transfer.debit.code} → {transfer.credit.code}"

    @admin.display(description="amount", ordering="amount")
    def amount_exact(self, transfer: Transfer) -> str:
        return exact(transfer.amount)

    @admin.display(description="number", ordering="id")
    def chain(self, transfer: Transfer) -> str:
        return f"{transfer.period:%Y-%m} {transfer.seq}"

    @admin.display(description="hash")
    def hash_hex(self, transfer: Transfer) -> str:
        return bytes(transfer.hash).hex()

    @admin.display(description="note")
    def note_text(self, transfer: Transfer) -> str:
        note = getattr(transfer, "note", None)
        return note.text if note else ""
