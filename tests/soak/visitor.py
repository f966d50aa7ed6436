"""Somebody in front of a browser: signs in, and when nobody answers asks again, for as long as patience lasts."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.soak.browser import Away, Browser, Page
from tests.soak.diary import Diary

T = TypeVar("T")
PATIENCE = 90.0
"""Seconds after which they go away, wherever they are."""
HURRY = 20.0


class GivenUp(Exception):
    """It took too long."""


class Visitor:
    """One person. `over` asks them to finish and go."""

    def __init__(self, email: str, password: str, diary: Diary, chance: random.Random, over: threading.Event) -> None:
        self.email, self.password, self.diary, self.chance, self.over = email, password, diary, chance, over
        self.browser = Browser()
        self._until = 0.0
        self._hurried = False

    def live(self, act: Callable[[], object], pause: float) -> None:
        """Does it again and again, with about so many seconds between."""
        while not self.over.wait(self.chance.uniform(0.2, 2) * pause):
            self._until = time.monotonic() + PATIENCE
            try:
                act()
            except GivenUp:
                self.diary.count("people who gave up")

    def arrive(self, url: str) -> None:
        """Signs in before there is any trouble: who has to try often is taken for somebody who guesses passwords."""
        self._until = time.monotonic() + PATIENCE
        self.signed_in(url)

    def signed_in(self, url: str) -> Page:
        """The page at this address, after signing in where that is asked for."""
        page = self.open(url)
        while (login := page.form(having="password")) is not None or page.status == 403:
            if login is not None:
                self.open(login.action, login.fields | {"login": self.email, "password": self.password})
            self.breathe()
            page = self.open(url)
        return page

    def open(self, url: str, fields: dict[str, str] | None = None) -> Page:
        return self.answered(lambda: self.browser.open(url, fields))

    def answered(self, ask: Callable[[], T]) -> T:
        """Asks until there is an answer: the browser's own "try again"."""
        while True:
            try:
                return ask()
            except Away:
                self.diary.count("pages that had to be asked for again")
                self.breathe()

    def breathe(self) -> None:
        """A moment. The end of the soak makes people hurry."""
        if self.over.is_set() and not self._hurried:
            self._until, self._hurried = min(self._until, time.monotonic() + HURRY), True
        if time.monotonic() > self._until:
            raise GivenUp
        time.sleep(self.chance.uniform(0.3, 0.9))
