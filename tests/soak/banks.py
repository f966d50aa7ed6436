"""What happens at Stripe without Purser: refunds in its dashboard, banks that inquire, dispute, withdraw and give back."""

import random
import threading
from typing import Any

from sandbox.stripe.client import Admin, Refused
from tests.soak.diary import Diary

REASONS = ("requested_by_customer", "duplicate", "fraudulent")
STEPS = ("withdraw", "reinstate", "escalate", "win", "lose", "drop")


class Banks:
    """All of them. What Stripe does not allow is tried and refused."""

    def __init__(self, stripe: Admin, diary: Diary, chance: random.Random) -> None:
        self.stripe, self.diary, self.chance = stripe, diary, chance
        self._disputed: set[str] = set()
        self._disputes: list[str] = []
        self._refunds: list[str] = []

    def work(self, over: threading.Event, pause: float) -> None:
        while not over.wait(self.chance.uniform(0.2, 2) * pause):
            paid = [row for row in self.stripe.books()["charges"] if row["status"] == "succeeded"]
            act = self.chance.choice(
                (self._refund, self._refund, self._dispute, self._move_on, self._move_on, self._fail)
            )
            try:
                if paid:
                    act(self.chance.choice(paid))
            except Refused:
                self.diary.count("acts that Stripe refused to banks")

    def _refund(self, charge: dict[str, Any]) -> None:
        amount = self.chance.randrange(1, charge["amount"] // 2)
        made = self.stripe.refund(charge["id"], amount=amount, reason=self.chance.choice(REASONS))
        self._refunds.append(made["id"])
        self.diary.count("refunds made in Stripe's dashboard")

    def _fail(self, charge: dict[str, Any]) -> None:
        """A bank sends a refund back, even one that had arrived."""
        if self._refunds:
            self.stripe.fail_refund(self.chance.choice(self._refunds))
            self.diary.count("refunds sent back by a bank")

    def _dispute(self, charge: dict[str, Any]) -> None:
        if charge["id"] in self._disputed:
            return
        inquiry, withdraw = self.chance.random() < 0.3, self.chance.random() < 0.6
        self._disputed.add(charge["id"])
        made = self.stripe.dispute(charge["id"], inquiry=inquiry, withdraw=withdraw)
        self._disputes.append(made["id"])
        self.diary.count("disputes opened")

    def _move_on(self, charge: dict[str, Any]) -> None:
        if self._disputes:
            self.stripe.call("POST", f"/disputes/{self.chance.choice(self._disputes)}/{self.chance.choice(STEPS)}")
            self.diary.count("steps of disputes")
