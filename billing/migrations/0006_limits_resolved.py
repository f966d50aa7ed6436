"""Which gateway has resolved which key, what was last told, and a catalog whose every change is news."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

CATALOG_TABLES = ("ai_model", "price", "rate_limit", "plan", "plan_covers")

# Whoever changes the catalog (a file, the admin, SQL): every process drops what it kept (organization 0).
CATALOG_IS_NEWS = """
CREATE FUNCTION catalog_is_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM limits_touch(ARRAY[0::bigint]);
    RETURN NULL;
END $$;
""" + "".join(
    f"""
CREATE TRIGGER {table}_is_news AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION catalog_is_news();
"""
    for table in CATALOG_TABLES
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_limits_feed"), ("orgs", "0002_guards")]
    operations = [
        migrations.AddField(
            model_name="limitsanswer",
            name="digest",
            field=models.CharField(db_default="", default="", max_length=32),
        ),
        migrations.CreateModel(
            name="LimitsResolved",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "gateway_id", "key_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "gateway",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="resolved", to="billing.gateway"
                    ),
                ),
                (
                    "key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="resolved", to="orgs.apikey"
                    ),
                ),
            ],
            options={"db_table": "limits_resolved"},
        ),
        migrations.RunSQL(CATALOG_IS_NEWS),
    ]
