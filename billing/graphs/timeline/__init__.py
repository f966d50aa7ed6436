"""The money timeline: what happens with an organization's money in the next twelve months. Reads only; owns no rule.

READ FIRST. Each item comes from the room whose rule later executes it, so that what is previewed is what then happens:

    promised.py    plans and contracts       steps of `subscriptions.ahead` and `contracts.ahead`
    months.py      months that close         `settlement.closing` and `deciding`
    credit.py      grants that end           their `expires_at`; which of them is unused is a forecast
    forecasts.py   recharges, the end of credit, overage: at the pace of the last days (`spend.pace`), never a promise
    changes.py     cards and models that end
    items.py       what an item is           drawing.py   the lanes of the picture

An item is *fixed*: it happens at that moment as written unless somebody changes something; or a *forecast*: it depends on
what will be used. The two are told apart wherever they are shown, and an amount that depends on use is never shown as exact.
"""

from billing.graphs.timeline.items import Item, Kind, Lane, Month, Timeline
from billing.graphs.timeline.reading import of

__all__ = ["Item", "Kind", "Lane", "Month", "Timeline", "of"]
