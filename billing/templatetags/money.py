"""Money, tokens and moments in pages: `billing.wording`, with the exact value in the mark-up.

{% usd amount %}  {% usd amount signed=True %}  {% usd_down balance %}  {% usd_exact amount decimals=7 %}
{% money_in amount %}  {% forecast amount %}  {{ price.input|price }}  {% card "visa" "4242" %}
{% tokens n %}  {% count n %}  {{ n|round_tokens }}  {{ share|percent }}  {{ share|change }}  {{ length|duration }}
{% usd rule.threshold_cents|dollars %}  {{ key.public_id|short_id }}  {% when at %}  {% when at year=False utc=False %}
{% day at %}  {% clock at %}  {% moment at %} (in the reader's zone, too)
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import wording
from billing.money import from_cents

register = template.Library()

Amount = Decimal | int


@register.simple_tag
def usd(amount: Amount, *, signed: bool = False) -> SafeString:
    """To cents, half up. The exact amount is in `value`, and in `title` where rounding hides something."""
    return _money(Decimal(amount), wording.usd(Decimal(amount), signed=signed))


@register.simple_tag
def usd_down(amount: Amount) -> SafeString:
    """A balance: rounded down, never more than there is."""
    return _money(Decimal(amount), wording.usd_down(Decimal(amount)))


@register.simple_tag
def money_in(amount: Amount) -> SafeString:
    """Money that came in: a plus and the colour of success."""
    return format_html(
        '<span class="money-in">{}</span>', _money(Decimal(amount), wording.usd(Decimal(amount), signed=True))
    )


@register.simple_tag
def forecast(amount: Amount) -> SafeString:
    return _money(Decimal(amount), wording.forecast(Decimal(amount)))


@register.simple_tag
def usd_exact(amount: Amount, decimals: int | None = None) -> SafeString:
    """In full: cents in ink, further digits muted. `decimals` is the same for a whole column."""
    worded = wording.exact(Decimal(amount), decimals)
    value = wording.plain(Decimal(amount))
    if not worded.tail:
        return format_html('<data value="{}">{}</data>', value, worded.ink)
    return format_html('<data value="{}">{}<span class="exact-tail">{}</span></data>', value, worded.ink, worded.tail)


@register.filter
def dollars(cents: int) -> Decimal:
    """Whole cents as US dollars, for `usd`."""
    return from_cents(cents)


@register.filter
def price(usd_per_million: Decimal) -> str:
    return wording.price(usd_per_million)


@register.simple_tag
def tokens(number: int) -> SafeString:
    """ "18.06 M", with the exact count in `title`."""
    short, full = wording.tokens(number), wording.count(number)
    if short == full:
        return format_html('<data value="{}">{}</data>', number, short)
    return format_html('<data value="{}" title="{}">{}</data>', number, full, short)


@register.filter
def round_tokens(number: int) -> str:
    """ "120 M": limits and allowances."""
    return wording.round_tokens(number)


@register.simple_tag
def count(number: int) -> SafeString:
    return format_html('<data value="{}">{}</data>', number, wording.count(number))


@register.filter
def percent(share: Decimal) -> str:
    return wording.percent(share)


@register.filter
def short_price(usd_a_month: Decimal) -> str:
    """ "$50" where it is whole dollars, else "$49.50"."""
    return f"${usd_a_month:,.0f}" if usd_a_month == usd_a_month.to_integral_value() else wording.usd(usd_a_month)


@register.filter
def change(share: Decimal) -> str:
    """A share with its sign: "+29.7 %"."""
    return wording.percent(share, signed=True)


@register.filter
def duration(length: timedelta) -> str:
    return wording.duration(length)


@register.filter
def whole_days(length: timedelta) -> str:
    """ "20 d"; on the last day hours and minutes."""
    return wording.duration(timedelta(days=length.days) if length.days else length)


@register.filter
def short_id(public_id: str) -> str:
    return wording.short_id(public_id)


@register.simple_tag
def card(brand: str, last4: str) -> str:
    return wording.card(brand, last4)


@register.simple_tag
def when(at: datetime, *, year: bool = True, utc: bool = True, seconds: bool = False) -> SafeString:
    return _time(at, wording.moment(at, year=year, utc=utc, seconds=seconds))


@register.simple_tag
def moment(at: datetime) -> SafeString:
    """The moment at which something happens, for pages on which that is decided: "19 Apr 2026, 14:03 UTC", and beside it
    the same where the reader is, which only his browser knows (`purser.js`)."""
    iso = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html('<time datetime="{}" data-here>{}</time>', iso, wording.moment(at))


@register.simple_tag
def day(at: datetime | date, *, year: bool = True) -> SafeString:
    worded = wording.day(at, year=year)
    if isinstance(at, datetime):
        return _time(at, worded)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), worded)


@register.simple_tag
def clock(at: datetime, *, utc: bool = True, seconds: bool = False) -> SafeString:
    return _time(at, wording.clock(at, utc=utc, seconds=seconds))


def _money(amount: Decimal, worded: str) -> SafeString:
    value = wording.plain(amount)
    if wording.decimals_needed(amount) <= 2:
        return format_html('<data value="{}">{}</data>', value, worded)
    return format_html('<data value="{}" title="{} USD exactly">{}</data>', value, str(wording.exact(amount)), worded)


def _time(at: datetime, worded: str) -> SafeString:
    """The reader's own time is in `title` when we know the zone (another than UTC has been activated)."""
    iso = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    zone = timezone.get_current_timezone()
    if zone.utcoffset(at) == timedelta(0):
        return format_html('<time datetime="{}">{}</time>', iso, worded)
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, wording.local_clock(at, zone), worded)
