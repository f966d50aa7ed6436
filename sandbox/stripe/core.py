"""The sandbox itself: one request in, one response out, whatever carries them.

`handle` is safe to call from many threads: a request is carried out under one lock and committed whole. A fault that
waits does so outside the lock, with its idempotency key taken, as a slow request at Stripe would.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from . import access, admin, calls, errors, expansion, hosted, routes, timers, validation
from .books import Books, Obj
from .calls import Call
from .client import Admin
from .faults import Fault, Faults
from .idempotency import Keys, Stored
from .webhooks import Delivery, Outbox, check_endpoint
from .wire import Fate, Request, Response, json_response
from .world import Asked, Settings, World


class Sandbox:
    """A Stripe of one's own.

    clock: seconds since 1970, what `created` shows (real time by default).
    wire_clock: the clock of webhook signatures and retries; `clock` unless given.
    seed: makes ids, secrets and chance repeatable.
    state: a file in which everything survives a restart.
    patience: None makes a slow request really wait. A number of seconds makes nothing wait: a request slower than that
        times out at once for its sender and is carried out when `run_late` is called.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        wire_clock: Callable[[], float] | None = None,
        seed: int | None = None,
        state: Path | None = None,
        settings: Settings | None = None,
        patience: float | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.settings: Settings = settings or Settings()
        check_endpoint(self.settings.webhook_url)
        self.books: Books = Books(state)
        self.faults: Faults = Faults(seed)
        self.keys = Keys(self.books)
        rng = random.Random(seed) if seed is not None else random.SystemRandom()
        self.world: World = World(self.books, rng, clock, self.settings, self._publish)
        self.outbox = Outbox(
            self.books, self.settings, self.faults, wire_clock or clock, lambda: self.world.new_id("delivery")
        )
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)
        self.admin = Admin(self.handle)
        self.late: list[Call] = []
        self._patience = patience
        self.changed = threading.Condition(self.lock)

    def _publish(self, event: Obj) -> None:
        self.outbox.publish(event)

    def handle(self, request: Request) -> Response:
        """Answer one request to the API (`/v1/`), to the hosted pages (`/c/`) or to the admin (`/_sandbox/`)."""
        refused = access.check_host(request)
        if refused:
            return refused
        if request.path.startswith("/v1/"):
            return self._api(request)
        with self.transaction():
            if request.path.startswith("/_sandbox/"):
                return admin.answer(self, request)
            return hosted.answer(self.world, request)

    def transaction(self) -> Transaction:
        """The lock, due timers first, everything committed at the end."""
        return Transaction(self)

    def _api(self, request: Request) -> Response:
        with self.lock:
            request_id = self.world.new_id("request")
        response, note = self._answered(request, request_id)
        with self.lock:
            seen = {"id": request_id, "method": request.method, "path": request.path, "status": response.status,
                    "idempotency_key": request.headers.get("idempotency-key")}  # fmt: skip
            self.requests.append(seen | note)
        return response

    def _answered(self, request: Request, request_id: str) -> tuple[Response, dict[str, Any]]:
        note: dict[str, Any] = {}
        try:
            access.check_key(request)
            with self.lock:
                fault = self.faults.for_request(request.method, request.path)
            if fault:
                note = {"fault": f"{fault.kind} {fault.moment}"}
            return calls.before(fault, request_id) or self._keyed(request, request_id, fault), note
        except errors.ApiError as error:
            headers = calls.headers_of(request, request_id) | error.headers
            return json_response(error.status, error.body(request_id), headers), note

    def _keyed(self, request: Request, request_id: str, fault: Fault | None) -> Response:
        """The request with its idempotency key, if it has one."""
        route, ids = routes.matching(request.method, request.path)
        form = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
        params = validation.typed(form, route.shape, route.modelled)
        expansion.check(route.kind, params.get("expand", []))
        call = Call(request, request_id, form, fault, partial(route.answer, self.world, ids), params)
        if call.key:
            with self.lock:
                stored = self.keys.begin(call.key, request.path, form, self.world.now())
            if stored:
                return self._too_slow(fault) or call.sent(calls.replayed(stored, request, request_id))
        too_slow = self._too_slow(fault)
        if too_slow:
            # The key stays taken: to the sender's next try this request is still under way.
            self.late.append(call)
        return too_slow or self._executed_and_released(call)

    def _too_slow(self, fault: Fault | None) -> Response | None:
        """Wait, where this request is slow. What its sender hears when that is longer than `patience`."""
        if fault is None or fault.kind != "slow":
            return None
        if self._patience is not None:
            return Response(504, fate=Fate(hang=fault.seconds)) if fault.seconds > self._patience else None
        time.sleep(fault.seconds)
        return None

    def _executed_and_released(self, call: Call) -> Response:
        try:
            return self._executed(call)
        finally:
            if call.key:
                with self.lock:
                    self.keys.release(call.key)

    def _executed(self, call: Call) -> Response:
        """Carry the request out, remember the answer under its key, and let the fault have what is left of it."""
        fault, expand = call.fault, call.params.pop("expand", [])
        with self.transaction():
            self.world.asked = Asked(call.request_id, call.key)
            try:
                if fault and fault.kind == "error" and fault.moment == "before":
                    raise calls.broken(fault)
                answer = expansion.expanded(self.world, call.answer(call.params), expand)
                response, remembered = json_response(200, answer, call.headers()), True
            except errors.ApiError as error:
                response, remembered = call.refusal(error), error.stored
            finally:
                self.world.asked = Asked()
            if fault and fault.kind == "error" and fault.moment == "after" and fault.remembered:
                response, remembered = call.refusal(calls.broken(fault)), True
            if call.key and remembered:
                stored = Stored(response.status, response.body.decode(), call.request_id)
                self.keys.finish(call.key, call.request.path, call.form, self.world.now(), stored)
        return call.sent(response)

    def run_late(self) -> list[Response]:
        """Carry out what its senders gave up on (see `patience`); the answers nobody reads."""
        waiting, self.late = self.late, []
        return [self._executed_and_released(call) for call in waiting]

    def tick(self) -> None:
        """Do what has come due on the sandbox's clock; every transaction does it too. The caller holds the lock."""
        timers.run_due(self.world)

    def deliveries(self) -> list[Delivery]:
        """The webhooks to send now. Report each with `delivered`; until then it comes again."""
        with self.transaction():
            pass
        with self.lock:
            return self.outbox.due()

    def delivered(self, delivery: Delivery, status: int | None) -> None:
        """How a delivery went: the HTTP status, None when nobody answered."""
        with self.transaction():
            self.outbox.report(delivery.id, status)

    def reset(self) -> None:
        """Forget everything, faults and clock too."""
        self.books.forget()
        self.faults.clear()
        self.keys.forget()
        self.requests.clear()

    def close(self) -> None:
        with self.lock:
            self.books.close()


class Transaction:
    """See `Sandbox.transaction`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __enter__(self) -> None:
        self._sandbox.lock.acquire()
        try:
            self._sandbox.tick()
        except BaseException:
            self._sandbox.lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self._sandbox.tick()
            self._sandbox.books.commit()
            self._sandbox.changed.notify_all()
        finally:
            self._sandbox.lock.release()
