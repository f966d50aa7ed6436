"""A letter as a mail: subject, text part and HTML part with the same sentences."""

from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings
from django.template.loader import render_to_string

from billing.notices import letters
from billing.notices.letters.letter import About, Facts, Letter, Link, page
from billing.notices.models import Kind, Notice

TEMPLATE = "billing/email/letter.html"


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str


def letter(notice: Notice) -> Letter:
    """The words of a notice. Reads its organization."""
    return letters.write(Kind(notice.kind), Facts(notice.facts), _about(notice))


def mail(notice: Notice, *, why: str) -> Mail:
    """`why`: the sentence that says why somebody gets it."""
    written, choose = letter(notice), page(_about(notice), "alerts", "Choose what you get", anchor="settings")
    shown = {
        "letter": written,
        "why": why,
        "brand": settings.BRAND,
        "house": _house()[0],
        "support": settings.SUPPORT,
        "button": _absolute(written.button),
        "link": _absolute(written.link),
        "choose": _absolute(choose),
    }
    # A subject is one line, whatever an organization is called.
    return Mail(" ".join(written.subject.split()), _text(written, choose, why), render_to_string(TEMPLATE, shown))


def _about(notice: Notice) -> About:
    organization = notice.wallet.organization
    assert organization is not None
    return About(organization.name, organization.slug, settings.BRAND["name"], notice.created_at)


def _text(written: Letter, choose: Link, why: str) -> str:
    blocks = [
        f"{written.label}\n{written.figure}",
        *written.sentences,
        "\n".join(f"{row.label}: {row.value}" for row in written.rows),
        *written.notes,
        f"{written.button.label}: {_absolute(written.button)}\n{written.link.label}: {_absolute(written.link)}",
        f"{why}\n{choose.label}: {_absolute(choose)}",
        "\n".join(_house()),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _house() -> list[str]:
    """Who writes, and whom to ask."""
    return [
        ", ".join([settings.ISSUER["name"], *settings.ISSUER["address"]]),
        f"Questions: {settings.SUPPORT['email']}",
    ]


def _absolute(link: Link) -> str:
    return urljoin(f"{settings.PUBLIC_URL}/", link.path)
