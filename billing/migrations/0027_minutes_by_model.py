"""Usage by the minute tells models apart: what a plan's limits per minute would have been, and why a line was charged."""

from django.db import migrations, models

BY_MODEL = """
-- What is kept by the minute is made anew from its events, less what waits for the sweep.
DELETE FROM usage_minute;
ALTER TABLE usage_minute ADD COLUMN model_id smallint NOT NULL;
ALTER TABLE usage_minute DROP CONSTRAINT usage_minute_pkey;
ALTER TABLE usage_minute ADD CONSTRAINT usage_minute_pkey PRIMARY KEY (org_id, minute, model_id);
INSERT INTO usage_minute (org_id, minute, model_id, events, input_tokens, cached_tokens, output_tokens, cost)
SELECT org_id, minute, u.model_id, sum(u.events), sum(u.input_tokens), sum(u.cached_tokens), sum(u.output_tokens),
    sum(CASE WHEN payer = 2 THEN (u.input_tokens - u.cached_tokens) * p.input_usd + u.cached_tokens * p.cached_usd
        + u.output_tokens * p.output_usd ELSE 0 END)
FROM (
    SELECT org_id, date_trunc('minute', occurred_at, 'UTC') AS minute, model_id, price_id, payer, 1 AS events,
        input_tokens, cached_tokens, output_tokens
    FROM usage_event e
    WHERE ts >= now() - interval '36 days' AND occurred_at >= now() - interval '35 days'
        AND NOT EXISTS (SELECT FROM usage_reversal r WHERE r.event_id = e.id)
    UNION ALL
    SELECT org_id, minute, model_id, price_id, payer, -events, -input_tokens, -cached_tokens, -output_tokens
    FROM usage_delta WHERE minute >= now() - interval '35 days'
) u JOIN price p ON p.id = u.price_id
GROUP BY 1, 2, 3 HAVING sum(u.events) > 0;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0026_ceilings_guards")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(BY_MODEL)],
            state_operations=[
                migrations.AddField(
                    model_name="usageminute",
                    name="model_id",
                    field=models.SmallIntegerField(),
                    preserve_default=False,
                ),
                migrations.AlterField(
                    model_name="usageminute",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "org_id", "minute", "model_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
    ]
