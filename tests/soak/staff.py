"""Staff of a soak: in the admin they give promotional credit and refund payments, each act told back and confirmed."""

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tests.soak.diary import Act, Diary, Kind
from tests.soak.visitor import Visitor

MADE = {Kind.GIFT: "/admin/billing/creditgrant/", Kind.REFUND: "/admin/billing/refund/"}
"""Where one is led when it is done."""


class Staff(Visitor):
    def __init__(
        self, address: str, email: str, password: str, diary: Diary, chance: random.Random, over: threading.Event
    ) -> None:
        super().__init__(email, password, diary, chance, over)
        self.address = address

    def give(self, org_ids: Sequence[int]) -> None:
        org_id, amount = self.chance.choice(org_ids), Decimal(self.chance.randrange(1, 2000)) / 100
        ends = datetime.now(UTC).date() + timedelta(days=90)
        act = Act(Kind.GIFT, str(org_id), amount)
        self._do(act, f"wallet/{org_id}/give/", title="Goodwill", last_day=ends.isoformat())

    def refund(self) -> None:
        """A part of something that somebody bought."""
        paid = [purchase for purchase in self.diary.purchases if purchase.told_paid]
        if paid:
            intent_id = self.chance.choice(paid).intent_id
            act = Act(Kind.REFUND, str(intent_id), Decimal(self.chance.randrange(1, 1500)) / 100)
            self._do(act, f"intent/{intent_id}/refund/")

    def _do(self, act: Act, where: str, **fields: str) -> None:
        page = self.signed_in(f"{self.address}/admin/billing/{where}")
        form = page.form(having="nonce")
        if form is None:
            return self.diary.count(f"{act.kind}s that are not possible")
        act.nonce = UUID(form.fields["nonce"])
        page = self.open(form.action, form.fields | {"amount": str(act.amount), "reason": "A soak"} | fields)
        told = page.form(having="confirmed")
        if told is None:
            return self.diary.count(f"{act.kind}s that were refused")
        self.diary.acts.append(act)
        page = self.open(told.action, told.fields)
        act.told_done = MADE[act.kind] in page.url and page.url.endswith("/change/")
        return self.diary.count(f"{act.kind}s {'told as done' if act.told_done else 'whose outcome staff do not know'}")
