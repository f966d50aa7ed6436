"""The doors for providers: verify the raw bytes, store once, answer. The work is done from the table (`inbox`)."""

import structlog
from celery import current_app
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import queue
from billing.webhooks import inbox, signature

log = structlog.get_logger(__name__)

BODY_LIMIT = 1024 * 1024
PROCESS_INBOX = "billing.tasks.process_inbox"
"""By name: the tasks are a room beside this one."""


@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """200 once the event is stored, also when it was before; 400 with a reason when it is not genuine; 413 over 1 MB."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return _refused(400, "length_malformed", "Content-Length is not a number.")
    if int(length[:20]) > BODY_LIMIT:
        return _refused(413, "too_large", f"An event is at most {BODY_LIMIT} bytes.")
    now = timezone.now()
    try:
        event = signature.verify(
            request.body, request.headers.get("Stripe-Signature", ""), secrets=settings.STRIPE_WEBHOOK_SECRETS, now=now
        )
    except signature.NotGenuine as refusal:
        log.warning("webhook_refused", provider="stripe", code=refusal.code)
        return _refused(400, refusal.code, str(refusal))
    for_us = event.livemode == settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))
    is_new = inbox.store("stripe", event.id, event.type, event.text, for_us=for_us, now=now)
    if is_new and for_us:
        queue.hint(current_app.signature(PROCESS_INBOX))
    return JsonResponse({"received": True})


def _refused(status: int, code: str, detail: str) -> HttpResponse:
    return JsonResponse({"error": {"code": code, "detail": detail}}, status=status)
