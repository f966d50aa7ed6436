"""Mail about notices: each is tried until it went out, then never again.

A notice is claimed by moving its next try into the future and committing that, so no row is locked while a mail server is
spoken to; whoever dies in between leaves it to the next run. A mail of which nobody can say whether it went out (the
connection broke, the process died) is counted before it is handed over and tried once more: at most two copies reach
anybody, and both have one Message-ID, by which mail programs fold them.
"""

import smtplib
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F

from billing.notices import recipients, rendering
from billing.notices.models import Mail, Notice, NoticeSettings

log = structlog.get_logger(__name__)

AT_ONCE = 200
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 15, 60, 240, 720, 1440))
"""After each try that failed; after the last one the notice is `failed` and staff see it. In all a bit under two days."""
MOST_UNCLEAR = 2
REFUSED = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused, smtplib.SMTPNotSupportedError)
"""What a mail server says when it has not taken the mail. Any other failure leaves that open."""


class ServerAway(Exception):
    """The mail server cannot be reached: the others wait for the next run, and are not counted as tried."""


def send(*, now: datetime) -> int:
    """Send everything that is due; answers how many mails went out. Never in a transaction: a rollback calls none back."""
    sent, server = 0, mail.get_connection()
    try:
        for _ in range(AT_ONCE):
            notice = _claim(now)
            if notice is None:
                break
            sent += _deliver(notice, server, now)
    except ServerAway:
        pass
    finally:
        _hang_up(server)
    return sent


def again(notice: Notice, *, now: datetime) -> bool:
    """Staff want a mail that could not be sent to be tried again; False when that is not where it stands."""
    failed = Notice.objects.filter(pk=notice.pk, mail=Mail.FAILED)
    return bool(failed.update(mail=Mail.WAITING, tries=0, unclear=0, error="", next_try_at=now))


def _claim(now: datetime) -> Notice | None:
    with transaction.atomic():
        notice = (
            Notice.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("wallet__organization")
            .filter(mail=Mail.WAITING, next_try_at__lte=now)
            .order_by("next_try_at", "id")
            .first()
        )
        if notice is not None:
            notice.tries += 1
            notice.next_try_at = now + PAUSES[min(notice.tries, len(PAUSES)) - 1]
            notice.save(update_fields=["tries", "next_try_at"])
        return notice


def _deliver(notice: Notice, server: BaseEmailBackend, now: datetime) -> int:
    """Answers 1 when it went out; raises `ServerAway`."""
    wishes = NoticeSettings.objects.select_related("asked_by").filter(pk=notice.wallet_id).first()
    if not recipients.wants(notice, wishes):
        _move(notice, mail=Mail.MUTED)
        return 0
    people = recipients.of(notice, wishes)
    if not people.addresses:
        return _not_sent(notice, "Nobody to send it to", for_good=True)
    if notice.unclear >= MOST_UNCLEAR:
        return _not_sent(notice, notice.error or "Nobody knows whether it went out", for_good=True)
    try:
        message = _message(notice, people, server)
    except Exception as error:
        return _not_sent(notice, type(error).__name__)
    try:
        server.open()
    except Exception as error:
        _not_sent(notice, type(error).__name__)
        raise ServerAway from error
    return _hand_over(notice, message, server, now)


def _hand_over(notice: Notice, message: EmailMultiAlternatives, server: BaseEmailBackend, now: datetime) -> int:
    """From here on it may have gone out, whatever happens: that is written down first, and taken back by a clear no."""
    _move(notice, unclear=F("unclear") + 1)
    try:
        message.send()
    except Exception as error:
        if isinstance(error, REFUSED):
            _move(notice, unclear=F("unclear") - 1)
        # What the connection is good for now is anybody's guess: the next mail gets a new one.
        _hang_up(server)
        return _not_sent(notice, type(error).__name__)
    _move(notice, mail=Mail.SENT, sent_at=now, sent_to=len(message.to), unclear=F("unclear") - 1, error="")
    log.info("notice_sent", notice=notice.pk, kind=notice.kind, recipients=len(message.to))
    return 1


def _not_sent(notice: Notice, error: str, *, for_good: bool = False) -> int:
    """Only the kind of a failure is kept: its words may hold addresses."""
    over = for_good or notice.tries >= len(PAUSES)
    _move(notice, error=error, **({"mail": Mail.FAILED} if over else {}))
    log.warning("notice_not_sent", notice=notice.pk, kind=notice.kind, tries=notice.tries, error=error, over=over)
    return 0


def _move(notice: Notice, **to: object) -> None:
    """Where somebody else has sent it meanwhile, it stays sent."""
    Notice.objects.filter(pk=notice.pk).exclude(mail=Mail.SENT).update(**to)


def _message(notice: Notice, people: recipients.Recipients, server: BaseEmailBackend) -> EmailMultiAlternatives:
    worded = rendering.mail(notice, why=people.why.format(name=notice.wallet.organization))
    message = EmailMultiAlternatives(
        worded.subject,
        worded.text,
        to=list(people.addresses),
        reply_to=[settings.SUPPORT["email"]],
        headers={
            "Message-ID": f"<notice-{notice.pk}@{urlsplit(settings.PUBLIC_URL).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=server,
    )
    message.attach_alternative(worded.html, "text/html")
    return message


def _hang_up(server: BaseEmailBackend) -> None:
    try:
        server.close()
    except Exception as error:
        log.info("mail_server_not_closed", error=type(error).__name__)
