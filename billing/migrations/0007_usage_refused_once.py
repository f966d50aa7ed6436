"""A refused event that is sent again is still one refused event."""

from django.db import migrations

ONCE = "CREATE UNIQUE INDEX usage_refused_once ON usage_refused (gateway_id, md5(event_id || reason || body::text));"


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_limits_resolved")]
    operations = [migrations.RunSQL(ONCE)]
