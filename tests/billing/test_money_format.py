"""How figures read. The examples are the ones people will see; the properties say what must hold for every figure."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from billing import wording

NBSP = "\u00a0"
AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=12)


def shown(template: str, **context: object) -> str:
    return Template("{% load money %}" + template).render(Context(context))


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "worded"),
        [
            ("0", "$0.00"),
            ("1284.1", "$1,284.10"),
            ("6.5054129", "$6.51"),
            ("6.505", "$6.51"),
            ("6.504999999999", "$6.50"),
            ("-6.5054129", "−$6.51"),
            ("0.0099", "<$0.01"),
            ("0.000000000001", "<$0.01"),
            ("-0.004", "−<$0.01"),
            ("0.01", "$0.01"),
        ],
    )
    def test_lists_round_to_cents_half_up(self, amount: str, worded: str) -> None:
        assert wording.usd(Decimal(amount)) == worded

    @pytest.mark.parametrize(
        ("amount", "worded"),
        [("173.509999", "$173.50"), ("0.004", "<$0.01"), ("-0.004", "−$0.01"), ("-3.501", "−$3.51"), ("0", "$0.00")],
    )
    def test_balances_round_down(self, amount: str, worded: str) -> None:
        assert wording.usd_down(Decimal(amount)) == worded

    @given(AMOUNTS)
    def test_a_balance_never_promises_more_than_there_is(self, amount: Decimal) -> None:
        worded = wording.usd_down(amount)
        if worded == "<$0.01":
            assert 0 < amount < Decimal("0.01")
        else:
            promised = Decimal(worded.replace("−", "-").replace("$", "").replace(",", ""))
            assert promised <= amount
            assert promised == amount.quantize(Decimal("0.01"), ROUND_FLOOR)

    def test_only_money_in_carries_a_plus(self) -> None:
        assert wording.usd(Decimal(60), signed=True) == "+$60.00"
        assert wording.usd(Decimal(-60), signed=True) == "−$60.00"
        assert wording.usd(Decimal(0), signed=True) == "$0.00"
        assert wording.usd(Decimal(60)) == "$60.00"

    def test_forecasts_look_different_from_facts(self) -> None:
        assert wording.forecast(Decimal(130)) == f"≈{NBSP}$130.00"

    def test_exact_amounts_part_at_the_cents_and_are_never_rounded(self) -> None:
        assert wording.exact(Decimal("6.5054129")) == wording.Exact("$6.50", "54129")
        assert wording.exact(Decimal("-1284.999999"), 4) == wording.Exact("−$1,284.99", "99")
        assert wording.exact(Decimal("6.5"), 7) == wording.Exact("$6.50", "00000")
        assert wording.exact(Decimal("100")) == wording.Exact("$100.00", "")

    @given(AMOUNTS)
    def test_exact_amounts_say_the_amount_itself(self, amount: Decimal) -> None:
        said = str(wording.exact(amount, 12)).replace("−", "-").replace("$", "").replace(",", "")
        assert Decimal(said) == amount

    def test_a_column_takes_the_decimals_of_its_longest_amount(self) -> None:
        column = [Decimal("6.5054129"), Decimal("0.1"), Decimal("3")]
        assert wording.decimals_needed(*column) == 7
        assert wording.decimals_needed() == 2

    def test_prices_keep_every_digit(self) -> None:
        assert [wording.price(Decimal(text)) for text in ("0.35", "0.1", "0.12550")] == ["$0.35", "$0.10", "$0.1255"]

    def test_machines_get_plain_digits(self) -> None:
        assert [wording.plain(Decimal(text)) for text in ("6.50541290", "100.00", "1E+3", "0.000")] == [
            "6.5054129",
            "100",
            "1000",
            "0",
        ]


class TestTokens:
    @pytest.mark.parametrize(
        ("number", "worded"),
        [
            (0, "0"),
            (999, "999"),
            (1_000, f"1.00{NBSP}k"),
            (8_900, f"8.90{NBSP}k"),
            (18_059_974, f"18.06{NBSP}M"),
            (189_512_000, f"189.5{NBSP}M"),
            (1_230_000_000, f"1.23{NBSP}B"),
            (1_234_000_000_000, f"1,234{NBSP}B"),
            (99_996_000, f"100.0{NBSP}M"),
            (999_960, f"1.00{NBSP}M"),
            (-8_900, f"−8.90{NBSP}k"),
        ],
    )
    def test_two_decimals_below_a_hundred_one_below_a_thousand(self, number: int, worded: str) -> None:
        assert wording.tokens(number) == worded

    @given(st.integers(min_value=1_000, max_value=10**14))
    def test_short_counts_are_within_half_a_percent(self, number: int) -> None:
        mantissa, letter = wording.tokens(number).split(NBSP)
        said = Decimal(mantissa.replace(",", "")) * {"k": 10**3, "M": 10**6, "B": 10**9}[letter]
        assert abs(said - number) / number <= Decimal("0.005")

    def test_limits_come_without_needless_zeros(self) -> None:
        assert wording.round_tokens(120_000_000) == f"120{NBSP}M"
        assert wording.round_tokens(2_500_000) == f"2.5{NBSP}M"
        assert wording.round_tokens(18_059_974) == f"18.06{NBSP}M"
        assert wording.round_tokens(500) == "500"

    def test_counts_in_full(self) -> None:
        assert wording.count(1_000_000) == "1,000,000"


class TestTheRest:
    def test_percent(self) -> None:
        assert wording.percent(Decimal("0.2966"), signed=True) == f"+29.7{NBSP}%"
        assert wording.percent(Decimal("-0.05")) == f"−5.0{NBSP}%"

    def test_ids_keep_their_ends(self) -> None:
        assert wording.short_id("pk_7f2c1b9d0e3fa81c") == "pk_7f2c…a81c"
        assert wording.short_id("pk_short") == "pk_short"

    def test_cards_are_named_by_their_ending(self) -> None:
        assert wording.card("visa", "4242") == f"Visa ending{NBSP}4242"
        assert wording.card("something-new", "4242") == f"Card ending{NBSP}4242"
        assert wording.card_expiry(3, 2027) == "03/2027"

    def test_durations(self) -> None:
        assert wording.duration(timedelta(seconds=8)) == f"8{NBSP}s"
        assert wording.duration(timedelta(days=5, hours=1, minutes=22)) == f"5{NBSP}d 1{NBSP}h 22{NBSP}min"
        assert wording.duration(timedelta(hours=3)) == f"3{NBSP}h"
        assert wording.duration(timedelta(seconds=-5)) == f"0{NBSP}s"


class TestMoments:
    AT = datetime(2026, 4, 14, 12, 41, 5, tzinfo=UTC)

    def test_utc_with_day_and_month_in_one_piece(self) -> None:
        assert wording.moment(self.AT) == f"14{NBSP}Apr{NBSP}2026, 12:41{NBSP}UTC"
        assert wording.moment(self.AT, year=False, utc=False) == f"14{NBSP}Apr, 12:41"
        assert wording.clock(self.AT, seconds=True) == f"12:41:05{NBSP}UTC"
        assert wording.day(date(2026, 1, 31)) == f"31{NBSP}Jan{NBSP}2026"

    def test_another_zone_is_worded_in_utc(self) -> None:
        assert wording.moment(self.AT.astimezone(ZoneInfo("Asia/Tokyo"))) == wording.moment(self.AT)

    def test_a_moment_without_a_zone_is_refused(self) -> None:
        with pytest.raises(ValueError, match="zone"):
            wording.clock(self.AT.replace(tzinfo=None))

    def test_local_time_names_the_place_and_the_day_when_it_differs(self) -> None:
        assert wording.local_clock(self.AT, ZoneInfo("Europe/Berlin")) == "14:41 in Berlin"
        assert wording.local_clock(self.AT, ZoneInfo("Pacific/Auckland")) == f"15{NBSP}Apr, 00:41 in Auckland"


class TestMarkUp:
    """What the tags put around the words: the exact value for machines and for whoever asks."""

    def test_a_rounded_amount_carries_the_exact_one(self) -> None:
        assert shown("{% usd x %}", x=Decimal("6.5054129")) == (
            '<data value="6.5054129" title="$6.5054129 USD exactly">$6.51</data>'
        )
        assert shown("{% usd x %}", x=Decimal("6.500000000000")) == '<data value="6.5">$6.50</data>'

    def test_an_exact_amount_has_a_quiet_tail(self) -> None:
        assert shown("{% usd_exact x %}", x=Decimal("6.5054129")) == (
            '<data value="6.5054129">$6.50<span class="exact-tail">54129</span></data>'
        )

    def test_small_amounts_are_escaped(self) -> None:
        assert ">&lt;$0.01</data>" in shown("{% usd x %}", x=Decimal("0.001"))

    def test_money_in_has_its_own_colour(self) -> None:
        assert shown("{% money_in x %}", x=Decimal(60)) == (
            '<span class="money-in"><data value="60">+$60.00</data></span>'
        )

    def test_tokens_tell_the_exact_count(self) -> None:
        assert shown("{% tokens n %}", n=18_059_974) == (
            f'<data value="18059974" title="18,059,974">18.06{NBSP}M</data>'
        )

    def test_moments_are_time_elements_in_utc(self) -> None:
        at = datetime(2026, 4, 14, 14, 41, tzinfo=ZoneInfo("Europe/Berlin"))
        assert shown("{% when at %}", at=at) == (
            f'<time datetime="2026-04-14T12:41:00Z">14{NBSP}Apr{NBSP}2026, 12:41{NBSP}UTC</time>'
        )

    def test_the_readers_own_time_is_in_the_title(self) -> None:
        with timezone.override(ZoneInfo("Europe/Berlin")):
            assert 'title="14:41 in Berlin"' in shown("{% clock at %}", at=TestMoments.AT)
