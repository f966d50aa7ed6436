"""Finding the accounts an organization has beside its grants."""

from collections.abc import Iterable

from billing.ledger.chart import GRANT_CODES, HOUSE_CODES, Code
from billing.ledger.models import Account


def of(org_id: int, code: Code) -> int:
    """The id of an organization's account of this code, opened when it is first needed. Lock the wallet first."""
    if code in GRANT_CODES or code in HOUSE_CODES:
        raise ValueError(f"{code.label} is not one account of an organization")
    account, _ = Account.objects.get_or_create(wallet_id=org_id, code=code)
    return account.pk


def overdrafts(org_ids: Iterable[int]) -> dict[int, int]:
    """Organization -> its overdraft account."""
    return dict(Account.objects.filter(wallet__in=list(org_ids), code=Code.OVERDRAFT).values_list("wallet_id", "id"))


def codes(account_ids: Iterable[int]) -> dict[int, int]:
    """Account -> its number in the chart. House accounts carry theirs as id."""
    wanted = set(account_ids)
    house = {int(code): int(code) for code in HOUSE_CODES if code in wanted}
    return house | dict(Account.objects.filter(id__in=wanted - house.keys()).values_list("id", "code"))
