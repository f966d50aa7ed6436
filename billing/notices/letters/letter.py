"""What a letter is made of: facts in, words and links out. Pure but for the addresses of pages, which Django knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.urls import NoReverseMatch, reverse

from billing import wording
from billing.money import usd


@dataclass(frozen=True, slots=True)
class About:
    """Whom a letter is about and who writes it. `said_at`: when what it tells of happened."""

    name: str
    slug: str
    brand: str
    said_at: datetime


class Facts:
    """The facts of a notice, read by type. A fact that is missing where it is needed raises `KeyError`."""

    def __init__(self, facts: Mapping[str, str | int | bool | None]) -> None:
        self._facts = facts

    def has(self, name: str) -> bool:
        """Whether it is there and says something."""
        return self._facts.get(name) not in (None, "", False)

    def usd(self, name: str) -> Decimal:
        return usd(str(self._facts[name]))

    def money(self, name: str) -> str:
        """An amount, in words: "$130.02"."""
        return wording.usd(self.usd(name))

    def balance(self, name: str) -> str:
        """A balance, in words: rounded down, never more than there is."""
        return wording.usd_down(self.usd(name))

    def at(self, name: str) -> datetime:
        return datetime.fromisoformat(str(self._facts[name]))

    def moment(self, name: str) -> str:
        return wording.moment(self.at(name))

    def text(self, name: str) -> str:
        return str(self._facts.get(name) or "")

    def number(self, name: str) -> int:
        return int(str(self._facts[name]))

    def card(self, brand: str = "card_brand", last4: str = "card_last4") -> str:
        return wording.card(self.text(brand), self.text(last4))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the small table; `total` stands under a rule."""

    label: str
    value: str
    total: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """`path` begins with a slash. `signed`: it opens something for whoever has it, and is for the mail alone."""

    label: str
    path: str
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """`subject` starts with the fact. `label` and `figure` stand on top; `sentences` tell it, `notes` say what goes with it.

    `subject` and `sentences` are also what the portal lists.
    """

    subject: str
    label: str
    figure: str
    sentences: tuple[str, ...]
    button: Link
    link: Link
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()


def page(about: About, name: str, label: str, *, anchor: str = "", **part: str) -> Link:
    """A page of the organization. Where there is none of that name it is the Billing page: the letter goes out anyway."""
    try:
        path = reverse(f"billing:{name}", kwargs={"slug": about.slug, **part})
    except NoReverseMatch:
        path = reverse("billing:billing", kwargs={"slug": about.slug})
    return Link(label, path + (f"#{anchor}" if anchor else ""))


def signed(name: str, token: str, label: str) -> Link:
    """A page that is opened by its token."""
    return Link(label, reverse(f"billing:{name}", kwargs={"token": token}), signed=True)


def told(*sentences: str) -> tuple[str, ...]:
    """Those that say something."""
    return tuple(sentence for sentence in sentences if sentence)
