"""The addresses of billing: pages for people, doors for machines."""

from django.urls import URLPattern, URLResolver, path

from billing.api import limits as api_limits
from billing.api import reference
from billing.api import usage as api_usage
from billing.views import (
    alerts,
    billing,
    buying,
    cards,
    contracts,
    details,
    ledger,
    limits,
    overview,
    recharge,
    recharge_links,
    statements,
    usage,
)
from billing.webhooks import endpoints

app_name = "billing"
urlpatterns: list[URLPattern | URLResolver] = [
    path("o/<slug:slug>/", overview.overview, name="overview"),
    path("o/<slug:slug>/usage", usage.usage, name="usage"),
    path("o/<slug:slug>/billing", billing.billing, name="billing"),
    path("o/<slug:slug>/billing/ledger/<str:line>", ledger.why, name="why"),
    path("o/<slug:slug>/limits", limits.limits, name="limits"),
    path("api/v1/usage", api_usage.report, name="api_usage"),
    path("api/v1/usage/reversals", api_usage.reverse, name="api_usage_reversals"),
    path("api/v1/limits", api_limits.refresh, name="api_limits"),
    path("api/v1/limits/resolve", api_limits.resolve, name="api_limits_resolve"),
    path("api/v1/limits/me", api_limits.me, name="api_limits_me"),
    path("api/v1/limits/changes", api_limits.changes, name="api_limits_changes"),
    path("api/v1/openapi.json", reference.document, name="api_openapi"),
    path("api/docs", reference.page, name="api_docs"),
    path("o/<slug:slug>/billing/buy", buying.buy, name="buy"),
    path("o/<slug:slug>/billing/purchases/<uuid:intent_id>", buying.purchase, name="purchase"),
    path("o/<slug:slug>/billing/purchases/<uuid:intent_id>/check", buying.purchase_check, name="purchase_check"),
    path("o/<slug:slug>/billing/purchases/<uuid:intent_id>/cancel", buying.purchase_cancel, name="purchase_cancel"),
    path("o/<slug:slug>/billing/details", details.details, name="details"),
    path("o/<slug:slug>/statements", statements.statements, name="statements"),
    path("o/<slug:slug>/statements/verify_statement.py", statements.statement_verifier, name="statement_verifier"),
    path("o/<slug:slug>/statements/<str:number>.pdf", statements.statement_pdf, name="statement_pdf"),
    path("o/<slug:slug>/statements/<str:number>.csv", statements.statement_csv, name="statement_csv"),
    path("o/<slug:slug>/statements/<str:number>.json", statements.statement_json, name="statement_json"),
    path("o/<slug:slug>/statements/<str:number>", statements.statement, name="statement"),
    path("o/<slug:slug>/receipts/<uuid:intent_id>", statements.receipt, name="receipt"),
    path("o/<slug:slug>/receipts/<uuid:intent_id>.pdf", statements.receipt_pdf, name="receipt_pdf"),
    path("o/<slug:slug>/billing/credits.ics", billing.expiry_calendar, name="expiry_calendar"),
    path("o/<slug:slug>/alerts", alerts.alerts, name="alerts"),
    path("o/<slug:slug>/alerts/settings", alerts.settings, name="alert_settings"),
    path("o/<slug:slug>/billing/cards", cards.cards, name="cards"),
    path("o/<slug:slug>/billing/cards/add", cards.add, name="card_add"),
    path("o/<slug:slug>/billing/cards/added/<uuid:setup_id>", cards.setup, name="card_setup"),
    path("o/<slug:slug>/billing/cards/added/<uuid:setup_id>/check", cards.setup_check, name="card_setup_check"),
    path("o/<slug:slug>/billing/cards/added/<uuid:setup_id>/cancel", cards.setup_cancel, name="card_setup_cancel"),
    path("o/<slug:slug>/billing/cards/<int:card_id>/default", cards.make_default, name="card_default"),
    path("o/<slug:slug>/billing/cards/<int:card_id>/remove", cards.remove, name="card_remove"),
    path("o/<slug:slug>/billing/recharge", recharge.recharge, name="recharge"),
    path("o/<slug:slug>/billing/recharge/save", recharge.save, name="recharge_save"),
    path("o/<slug:slug>/billing/recharge/off", recharge.off, name="recharge_off"),
    path("o/<slug:slug>/billing/contracts/<uuid:contract_id>", contracts.contract, name="contract"),
    path("o/<slug:slug>/billing/contracts/<uuid:contract_id>/accept", contracts.accept, name="contract_accept"),
    path("o/<slug:slug>/billing/contracts/<uuid:contract_id>/limit", contracts.limit, name="contract_limit"),
    path("o/<slug:slug>/billing/contracts/<uuid:contract_id>/pay", contracts.pay, name="contract_pay"),
    path("recharge/stop/<str:token>", recharge_links.stop, name="recharge_stop"),
    path("recharge/finish/<str:token>", recharge_links.finish, name="recharge_finish"),
    path("recharge/paid/<uuid:intent_id>", recharge_links.paid, name="recharge_paid"),
    path("webhooks/stripe", endpoints.stripe, name="stripe_webhook"),
]
