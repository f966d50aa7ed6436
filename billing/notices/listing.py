"""What an organization was told, newest first, page by page."""

from dataclasses import dataclass
from typing import Any

import structlog
from django.db.models import Q
from django.urls import NoReverseMatch

from billing.notices import rendering
from billing.notices.models import Kind, Mail, Notice

log = structlog.get_logger(__name__)

PAGE = 20


@dataclass(frozen=True, slots=True)
class Told:
    """A notice in the words of its letter. To how many its mail went is said; to whom is kept nowhere."""

    notice: Notice
    title: str
    sentences: tuple[str, ...]

    @property
    def shape(self) -> str:
        """Of the mail's mark: ok, waiting, failed or ended."""
        return {Mail.SENT: "ok", Mail.FAILED: "failed", Mail.MUTED: "ended"}.get(Mail(self.notice.mail), "waiting")

    @property
    def mail(self) -> str:
        match self.notice.mail:
            case Mail.SENT:
                many = self.notice.sent_to
                return f"E-mailed to {many} {'address' if many == 1 else 'addresses'}"
            case Mail.MUTED if self.notice.kind == Kind.BILLING_EMAIL:
                return "Not e-mailed: not asked for any more"
            case Mail.MUTED:
                return "Not by e-mail, as you chose"
            case Mail.FAILED:
                return "The e-mail could not be sent"
        return "The e-mail is on its way"


@dataclass(frozen=True, slots=True)
class Page:
    """`newer`, `older`: whether there are any beyond it."""

    told: tuple[Told, ...]
    newer: bool
    older: bool


def named(org_id: int, name: str) -> Notice | None:
    """The notice of this organization that a cursor names, None for any other text."""
    if not name.isascii() or not name.isdigit() or len(name) > 18:
        return None
    return Notice.objects.filter(wallet=org_id, pk=int(name)).first()


def read(org_id: int, *, before: Notice | None = None, after: Notice | None = None, size: int = PAGE) -> Page:
    """The newest page, the one older than `before` or the one newer than `after`. One query."""
    mine = Notice.objects.filter(wallet=org_id).select_related("wallet__organization")
    if after is not None:
        rows = list(mine.filter(_beyond(after, "gt")).order_by("created_at", "id")[: size + 1])
        return Page(tuple(_told(row) for row in reversed(rows[:size])), newer=len(rows) > size, older=True)
    if before is not None:
        mine = mine.filter(_beyond(before, "lt"))
    rows = list(mine.order_by("-created_at", "-id")[: size + 1])
    return Page(tuple(_told(row) for row in rows[:size]), newer=before is not None, older=len(rows) > size)


def number(org_id: int) -> int:
    return Notice.objects.filter(wallet=org_id).count()


def _beyond(notice: Notice, way: str) -> Q:
    then: dict[str, Any] = {f"created_at__{way}": notice.created_at}
    return Q(**then) | Q(created_at=notice.created_at, **{f"id__{way}": notice.pk})


def _told(notice: Notice) -> Told:
    """One whose words cannot be made, by facts that are missing, is listed by its kind: the others are not held up."""
    try:
        letter = rendering.letter(notice)
    except (KeyError, ValueError, NoReverseMatch):
        log.exception("notice_without_words", notice=notice.pk, kind=notice.kind)
        return Told(notice, notice.get_kind_display(), ())
    return Told(notice, letter.subject, letter.sentences)
