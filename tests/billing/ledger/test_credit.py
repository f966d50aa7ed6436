"""Credit comes in, pays what is owed, and is drawn in the right order."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from billing.ledger import accruals, balances, expiry, grants, wallets
from billing.ledger.grants import NotAGrant
from billing.ledger.models import Account, Accrual, GrantSource, Transfer

from .conftest import NOW, buy, promote, use

# Usage rollups are metering's; these tests draw without them.
pytestmark = [pytest.mark.django_db, pytest.mark.books_differ("usage_in_ledger", "credit_used")]


def amounts(org: int, reason: str) -> list[Decimal]:
    return list(Transfer.objects.filter(wallet=org, reason=reason).order_by("id").values_list("amount", flat=True))


def test_a_purchase_becomes_a_grant_that_expires_in_one_year(org: int) -> None:
    grant = buy(org, "100.00")

    assert grant.account.expires_at == NOW.replace(year=2027, minute=31, second=0)
    assert balances.of(org, now=NOW) == balances.Balance(settled=Decimal(100))
    assert Transfer.objects.get(key=f"pay:{grant.payment_id}").debit_id == 1000


def test_a_payment_makes_one_grant_however_often_it_is_told(org: int) -> None:
    first = buy(org, "100.00")
    assert first.payment_id is not None
    again = grants.issue_paid(
        org,
        Decimal(100),
        payment_id=first.payment_id,
        source=GrantSource.PURCHASE,
        title="Purchase",
        charged_at=NOW,
        now=NOW,
    )
    assert again == first
    assert balances.of(org, now=NOW).settled == 100


def test_usage_is_drawn_at_once_and_posted_when_its_hour_is_over(org: int, model: int) -> None:
    buy(org, "100.00")
    use(org, model, "6.5054129")

    before = balances.of(org, now=NOW)
    assert (before.settled, before.accrued, before.available) == (100, Decimal("6.5054129"), Decimal("93.4945871"))

    assert accruals.close_due(now=NOW + timedelta(minutes=10), watermark=None) == 0
    assert accruals.close_due(now=NOW + timedelta(minutes=45), watermark=None) == 1
    after = balances.of(org, now=NOW)
    assert (after.settled, after.accrued, after.available) == (Decimal("93.4945871"), 0, Decimal("93.4945871"))
    assert amounts(org, "usage") == [Decimal("6.5054129")]


def test_a_watermark_past_the_hour_posts_it_without_waiting(org: int, model: int) -> None:
    buy(org, "10.00")
    use(org, model, "1")
    one = NOW.replace(minute=0, second=0) + timedelta(hours=1)
    assert accruals.close_due(now=one + timedelta(seconds=1), watermark=one - timedelta(seconds=1)) == 0
    assert accruals.close_due(now=one + timedelta(seconds=1), watermark=one) == 1


def test_uses_of_one_hour_share_a_line_and_late_use_opens_the_next(org: int, model: int) -> None:
    buy(org, "10.00")
    use(org, model, "1")
    use(org, model, "2")
    assert Accrual.objects.get().amount == 3
    accruals.close_due(now=NOW + timedelta(hours=1), watermark=None)

    use(org, model, "0.5", at=NOW, now=NOW + timedelta(hours=3))
    late = Accrual.objects.get()
    assert late.closes_at == (NOW + timedelta(hours=4)).replace(minute=0, second=0)
    accruals.close_due(now=NOW + timedelta(hours=5), watermark=None)
    assert amounts(org, "usage") == [3, Decimal("0.5")]


def test_promotional_credit_with_the_earlier_end_is_used_first_and_is_never_revenue_without_its_contra(
    org: int, model: int
) -> None:
    buy(org, "100.00")
    promote(org, "20")
    use(org, model, "50")
    accruals.close_due(now=NOW + timedelta(hours=1), watermark=None)

    assert sorted(amounts(org, "usage")) == [20, 30]
    assert amounts(org, "promotion_used") == [20]


def test_usage_beyond_credit_is_overdraft_and_new_credit_pays_it_first(org: int, model: int) -> None:
    buy(org, "5.00")
    use(org, model, "8.25")
    overdrawn = balances.of(org, now=NOW)
    assert (overdrawn.available, overdrawn.overdraft) == (Decimal("-3.25"), Decimal("3.25"))

    grant = buy(org, "100.00")
    paid = balances.of(org, now=NOW)
    assert (paid.available, paid.overdraft) == (Decimal("96.75"), 0)
    assert amounts(org, "overdraft_paid") == [Decimal("3.25")]
    assert Account.objects.get(pk=grant.account_id).rest == Decimal("96.75")


def test_promotional_credit_pays_overdraft_as_a_promotion(org: int, model: int) -> None:
    use(org, model, "3")
    promote(org, "2")
    assert balances.of(org, now=NOW).overdraft == 1
    assert (amounts(org, "overdraft_paid"), amounts(org, "promotion_used")) == ([2], [2])
    assert Account.objects.get(code=2010).exhausted


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_nothing_cannot_be_granted(org: int, amount: str) -> None:
    with pytest.raises(NotAGrant):
        promote(org, amount)


class TestExpiry:
    """A1: the result depends on when usage occurred, never on when a task ran."""

    @pytest.fixture
    def end(self, org: int) -> datetime:
        grant = promote(org, "4", days=1)
        assert grant.account.expires_at is not None
        return grant.account.expires_at

    def test_from_its_end_a_grant_is_not_in_the_balance(self, org: int, end: datetime) -> None:
        assert balances.of(org, now=end - timedelta(seconds=1)).available == 4
        assert balances.of(org, now=end) == balances.Balance(settled=Decimal(4), held=Decimal(4))

    @pytest.mark.books_differ("overdraft_beside_credit")  # nothing is posted that would tell how late it is
    def test_usage_from_before_the_end_is_still_paid_when_it_arrives_after_it(
        self, org: int, model: int, end: datetime
    ) -> None:
        use(org, model, "1.00", at=end - timedelta(seconds=12), now=end + timedelta(seconds=5))
        use(org, model, "0.50", at=end + timedelta(seconds=23), now=end + timedelta(seconds=25))
        balance = balances.of(org, now=end + timedelta(seconds=25))
        assert (balance.held, balance.overdraft) == (3, Decimal("0.5"))

    def test_the_rest_moves_away_once_when_the_end_is_complete(self, org: int, end: datetime) -> None:
        later = end + timedelta(minutes=2)
        assert expiry.due(now=later, watermark=end - timedelta(seconds=1)) == []
        assert expiry.due(now=later, watermark=end) == [org]

        wallets.lock([org])
        assert expiry.expire([org], now=later, watermark=end) == 1
        assert expiry.expire([org], now=later, watermark=end) == 0
        transfer = Transfer.objects.get(reason="expiry")
        assert (transfer.credit_id, transfer.amount, transfer.effective_at) == (2090, 4, end)
        assert balances.of(org, now=later).settled == 0

    def test_after_72_hours_nobody_is_waited_for(self, org: int, end: datetime) -> None:
        assert expiry.due(now=end + timedelta(hours=71), watermark=None) == []
        assert expiry.due(now=end + timedelta(hours=72), watermark=None) == [org]

    def test_paid_credit_becomes_breakage(self, org: int, model: int) -> None:
        grant = buy(org, "10.00")
        end = grant.account.expires_at
        assert end is not None
        use(org, model, "2.5", at=end - timedelta(minutes=1))
        wallets.lock([org])
        expiry.expire([org], now=end + timedelta(hours=72), watermark=None)
        assert Transfer.objects.get(credit_id=4900).amount == Decimal("7.5")
        assert amounts(org, "usage") == [Decimal("2.5")]
