"""The limits feed: one clock row numbers changes in the order of their commits."""

from django.db import migrations

FEED = """
INSERT INTO limits_clock (id) VALUES (1);
INSERT INTO limits_answer (org_id) VALUES (0);

-- Call it last before a commit: it holds the clock row until then, so that version order is commit order.
CREATE FUNCTION limits_touch(orgs bigint[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    stamp bigint;
BEGIN
    UPDATE limits_clock SET v = v + 1 WHERE id = 1 RETURNING v INTO stamp;
    INSERT INTO limits_answer (org_id, version, changed_at)
        SELECT DISTINCT o, stamp, now() FROM unnest(orgs) o ORDER BY o
        ON CONFLICT (org_id) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at;
    PERFORM pg_notify('limits', '');
    RETURN stamp;
END $$;

-- A key that is made, changed or revoked is news to every gateway.
CREATE FUNCTION api_key_is_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM limits_touch(ARRAY[NEW.org_id]);
    RETURN NULL;
END $$;
CREATE TRIGGER api_key_is_news AFTER INSERT OR UPDATE OF revoked_at, expires_at, cap_usd ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_is_news();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_usage_partitions")]
    operations = [migrations.RunSQL(FEED)]
