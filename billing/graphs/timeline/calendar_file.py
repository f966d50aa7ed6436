"""What is fixed on the timeline, as a calendar file (RFC 5545). Pure. Forecasts are left out: they would move each day."""

from collections import Counter
from datetime import datetime

from billing import wording
from billing.graphs.expiry_calendar import document, stamp, text
from billing.graphs.timeline.items import Item, Kind, Timeline

LEFT_OUT = (Kind.MONTH_CLOSE,)
"""Nothing for anybody to see to."""


def file(told: Timeline, *, name: str, host: str, address: str) -> str:
    """`name`: the organization's; `host`: ours, for the UIDs; `address`: of the page."""
    seen: Counter[str] = Counter()
    events = []
    for one in told.items:
        if one.fixed and one.kind not in LEFT_OUT:
            place = f"{one.kind}-{stamp(one.at)}"
            seen[place] += 1
            events.append(_event(one, f"{place}-{seen[place]}@{host}", name, address, told.since))
    return document(events, title=f"Money of {name}")


def _event(one: Item, uid: str, name: str, address: str, now: datetime) -> list[str]:
    amount = f"{wording.usd(one.charge)}, " if one.charge and one.exact else ""
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{stamp(now)}",
        f"DTSTART:{stamp(one.at)}",
        f"SUMMARY:{text(f'{amount}{one.title}, {name}')}",
        f"DESCRIPTION:{text(one.detail or one.title)}",
        f"URL:{address}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]
