"""The ends of open grants as a calendar file (RFC 5545). Pure: grants in, text out.

A grant keeps its UID, so a file that is loaded again moves or rewords the events of the last one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from billing import wording
from billing.graphs.credits import Credit

LINE = 75
"""The most octets in a line; longer ones are folded."""


def file(grants: Iterable[Credit], *, name: str, host: str, address: str, now: datetime) -> str:
    """One event for each grant of which something is left and whose end is ahead. `name`: the organization's;
    `host`: ours, for the UIDs; `address`: of the page that shows the grants."""
    open_ = [grant for grant in grants if grant.rest > 0 and grant.expires_at > now]
    return document([_event(grant, name, host, address, now) for grant in open_], title=f"Credit of {name}")


def document(events: Iterable[list[str]], *, title: str) -> str:
    """The whole file; an event is its lines, unfolded."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Purser//Credit expiry//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{text(title)}",
        *(line for event in events for line in event),
        "END:VCALENDAR",
    ]
    return "".join(f"{folded(line)}\r\n" for line in lines)


def _event(grant: Credit, name: str, host: str, address: str, now: datetime) -> list[str]:
    left = wording.usd_down(grant.rest)
    held = " Held while its payment is disputed: it ends later by that time." if grant.held else ""
    told = f"{grant.title} of {wording.day(grant.issued_at)}: {left} was left on {wording.moment(now)}.{held}"
    return [
        "BEGIN:VEVENT",
        f"UID:grant-{grant.account_id}@{host}",
        f"DTSTAMP:{stamp(now)}",
        f"DTSTART:{stamp(grant.expires_at)}",
        f"SUMMARY:{text(f'{left} of credit expires, {name}')}",
        f"DESCRIPTION:{text(told)}",
        f"URL:{address}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def stamp(at: datetime) -> str:
    """ "20270414T124200Z"."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def text(value: str) -> str:
    """Escaped as the format wants it; line breaks of any kind are one."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(escaped.splitlines())


def folded(line: str) -> str:
    """In pieces of at most 75 octets, never through a letter; each but the first begins with a space."""
    pieces, piece = [], ""
    for letter in line:
        if len((piece + letter).encode()) > LINE:
            pieces.append(piece)
            piece = " "
        piece += letter
    return "\r\n".join([*pieces, piece])
