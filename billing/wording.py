"""How numbers, money and moments are worded: on pages, in e-mails and on statements alike.

Pure functions from values to text; nothing here knows HTML, settings or the clock. Money is exact `Decimal` USD,
moments are aware datetimes worded in UTC. Gaps inside one figure are no-break spaces: "18.06 M" never breaks in two.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext

NBSP = "\u00a0"
MINUS = "\u2212"
CENT = Decimal("0.01")
MOST_DECIMALS = 12

# --- Money -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exact:
    """An amount in full: `ink` ends at the cents ("−$6.50"), `tail` is what follows ("54129", or "")."""

    ink: str
    tail: str

    def __str__(self) -> str:
        return self.ink + self.tail


def usd(amount: Decimal, *, signed: bool = False) -> str:
    """To cents, half up: "$1,284.10", "−$6.51". Not zero but below a cent: "<$0.01".

    `signed` puts a plus before money in.
    """
    return _cents(amount, ROUND_HALF_UP, signed=signed)


def usd_down(amount: Decimal) -> str:
    """A balance, to cents and always down, so that no page shows more than there is."""
    return _cents(amount, ROUND_FLOOR, signed=False)


def forecast(amount: Decimal) -> str:
    """What has not happened yet: "≈ $130.00"."""
    return f"≈{NBSP}{usd(amount)}"


def exact(amount: Decimal, decimals: int | None = None) -> Exact:
    """In full, truncated and never rounded. `decimals` (2 to 12) is one for a whole column, else as many as it has."""
    places = decimals_needed(amount) if decimals is None else max(2, min(decimals, MOST_DECIMALS))
    digits = f"{_quantized(abs(amount), places, ROUND_DOWN):,f}"
    cut = len(digits) - (places - 2)
    return Exact(f"{_sign(amount)}${digits[:cut]}", digits[cut:])


def decimals_needed(*amounts: Decimal) -> int:
    """The decimals a column of these amounts needs so that none is cut: 2 to 12."""
    return max((_decimals(amount) for amount in amounts), default=2)


def column_decimals(amounts: Iterable[Decimal]) -> int:
    return decimals_needed(*amounts)


def price(usd_per_million: Decimal) -> str:
    """A list price with every digit it has, at least cents: "$0.35", "$0.1255"."""
    return str(exact(usd_per_million))


def plain(amount: Decimal) -> str:
    """The digits alone, for machines: "6.5054129"."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def _cents(amount: Decimal, rounding: str, *, signed: bool) -> str:
    sign = "+" if signed and amount > 0 else _sign(amount)
    if 0 < amount < CENT or (-CENT < amount < 0 and rounding != ROUND_FLOOR):
        return f"{sign or ''}<$0.01"
    cents = _quantized(amount, 2, rounding)
    return f"{sign}${abs(cents):,f}"


def _sign(amount: Decimal) -> str:
    return MINUS if amount < 0 else ""


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return min(max(2, -exponent), MOST_DECIMALS) if isinstance(exponent, int) else 2


def _quantized(amount: Decimal, places: int, rounding: str) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return amount.quantize(Decimal(1).scaleb(-places), rounding=rounding)


# --- Tokens, counts, shares ------------------------------------------------------------------------------------------


def count(number: int) -> str:
    """In full: "1,000,000"."""
    return f"{number:,}".replace("-", MINUS)


def tokens(number: int) -> str:
    """Short: "18.06 M", "189.5 M", "1.23 B"; below a thousand in full.

    Two decimals below 100, one below 1,000, none above.
    """
    size = abs(number)
    if size < 1_000:
        return count(number)
    sign = MINUS if number < 0 else ""
    for power, letter in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "B")):
        mantissa = _mantissa(Decimal(size) / power)
        if mantissa < 1_000 or letter == "B":
            return f"{sign}{mantissa:,f}{NBSP}{letter}"
    raise AssertionError("unreachable: B has no upper end")


def round_tokens(number: int) -> str:
    """A limit or allowance without trailing zeros: "120 M", "2.5 M"; `tokens` when it is not round."""
    for power, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if abs(number) >= power and (number * 100) % power == 0:
            return f"{plain(Decimal(number) / power).replace('-', MINUS)}{NBSP}{letter}"
    return tokens(number)


def _mantissa(value: Decimal) -> Decimal:
    """Rounded half up; a value that rounds up to the next bracket takes that bracket's decimals (99.996 is 100.0)."""
    for places, ceiling in ((2, 100), (1, 1_000)):
        rounded = _quantized(value, places, ROUND_HALF_UP)
        if rounded < ceiling:
            return rounded
    return _quantized(value, 0, ROUND_HALF_UP)


def percent(share: Decimal, *, signed: bool = False) -> str:
    """A share of one as "+29.7 %"."""
    value = _quantized(share * 100, 1, ROUND_HALF_UP)
    sign = "+" if signed and value > 0 else _sign(value)
    return f"{sign}{abs(value):,f}{NBSP}%"


def short_id(public_id: str) -> str:
    """First four, ellipsis, last four; a prefix such as "pk_" stays: "pk_7f2c…a81c"."""
    head, mark, rest = public_id.rpartition("_")
    if len(rest) <= 9:
        return public_id
    return f"{head}{mark}{rest[:4]}…{rest[-4:]}"


CARD_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "discover": "Discover",
    "eftpos_au": "Eftpos",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


def card(brand: str, last4: str) -> str:
    """ "Visa ending 4242". A brand we do not know is "Card"."""
    return f"{CARD_BRANDS.get(brand.lower(), 'Card')} ending{NBSP}{last4}"


def card_expiry(month: int, year: int) -> str:
    return f"{month:02d}/{year}"


# --- Moments ---------------------------------------------------------------------------------------------------------

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(at: datetime, *, year: bool = True, utc: bool = True, seconds: bool = False) -> str:
    """ "14 Apr 2026, 12:41 UTC"; without the year where it is obvious, without UTC where the column says it."""
    return f"{day(at, year=year)}, {clock(at, utc=utc, seconds=seconds)}"


def day(at: datetime | date, *, year: bool = True) -> str:
    """ "14 Apr 2026" or "14 Apr", in one piece."""
    on = _utc(at).date() if isinstance(at, datetime) else at
    return f"{on.day}{NBSP}{MONTHS[on.month - 1]}" + (f"{NBSP}{on.year}" if year else "")


def clock(at: datetime, *, utc: bool = True, seconds: bool = False) -> str:
    """ "12:41 UTC"."""
    return f"{_utc(at):{'%H:%M:%S' if seconds else '%H:%M'}}" + (f"{NBSP}UTC" if utc else "")


def local_clock(at: datetime, zone: tzinfo) -> str:
    """The same moment where the reader is: "14:41 in Berlin"."""
    place = str(zone).rpartition("/")[2].replace("_", " ")
    local = at.astimezone(zone)
    elsewhen = "" if local.date() == _utc(at).date() else f"{day(local.date(), year=False)}, "
    return f"{elsewhen}{local:%H:%M} in {place}"


def duration(length: timedelta) -> str:
    """ "5 d 1 h 22 min"; below a minute "8 s". Parts that are zero are left out; never negative."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds}{NBSP}s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86_400
    parts = ((days, "d"), (hours, "h"), (minutes, "min"))
    return " ".join(f"{number:,}{NBSP}{unit}" for number, unit in parts if number)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a zone cannot be worded")
    return at.astimezone(UTC)
