"""Usage events by day, and what feeds and follows them.

Partitions are made by a function of the owner's, so that the application needs no right to change tables.
"""

from django.db import migrations

EVENTS = """
-- Columns from wide to narrow; no foreign keys and no index but (ts, id): both were measured to cost ingest dearly.
CREATE TABLE usage_event (
    ts timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    accepted_at timestamptz NOT NULL,
    org_id bigint NOT NULL,
    key_id bigint NOT NULL,
    coverage_id bigint,
    input_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    price_id int NOT NULL,
    model_id smallint NOT NULL,
    gateway_id smallint NOT NULL,
    payer smallint NOT NULL CHECK (payer BETWEEN 1 AND 5),
    id uuid NOT NULL,
    CHECK (cached_tokens >= 0 AND cached_tokens <= input_tokens AND output_tokens >= 0)
) PARTITION BY RANGE (ts);
CREATE UNIQUE INDEX usage_event_once ON usage_event (ts, id);
CREATE TRIGGER usage_event_append_only BEFORE UPDATE OR DELETE ON usage_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE usage_seen (id uuid PRIMARY KEY, ts timestamptz NOT NULL);
CREATE INDEX usage_seen_age ON usage_seen USING brin (ts);

CREATE TABLE usage_delta (
    minute timestamptz NOT NULL,
    org_id bigint NOT NULL,
    key_id bigint NOT NULL,
    coverage_id bigint,
    events bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    late_tokens bigint NOT NULL,
    price_id int NOT NULL,
    model_id smallint NOT NULL,
    payer smallint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
"""

PARTITIONS = """
-- Makes the missing daily partitions of `days` days from `first` on; answers how many it made.
CREATE FUNCTION usage_partitions_make(first date, days int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    day date;
    part text;
    made int := 0;
BEGIN
    IF days NOT BETWEEN 1 AND 800 THEN
        RAISE EXCEPTION 'days must be between 1 and 800, not %', days;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('usage_partitions'));
    FOR day IN SELECT first + n FROM generate_series(0, days - 1) n LOOP
        part := 'usage_event_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('public.' || part) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.usage_event FOR VALUES FROM (%L) TO (%L)',
                part, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
            EXECUTE format('CREATE TRIGGER usage_event_no_truncate BEFORE TRUNCATE ON public.%I
                FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()', part);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

-- Drops the partitions of days before `first_kept`; refuses to touch the days in which usage is still accepted.
CREATE FUNCTION usage_partitions_drop(first_kept date) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    part text;
    dropped int := 0;
BEGIN
    IF first_kept > (now() AT TIME ZONE 'UTC')::date - 40 THEN
        RAISE EXCEPTION 'usage is kept at least 40 days';
    END IF;
    FOR part IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.usage_event'::regclass
            AND c.relname < 'usage_event_' || to_char(first_kept, 'YYYYMMDD')
    LOOP
        EXECUTE format('DROP TABLE public.%I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

SELECT usage_partitions_make((now() AT TIME ZONE 'UTC')::date - 37, 46);
"""

ROLLUPS = """
ALTER TABLE usage_hour SET (fillfactor = 80);
ALTER TABLE usage_minute SET (fillfactor = 80);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_ledger_guards")]
    operations = [migrations.RunSQL(sql) for sql in (EVENTS, PARTITIONS, ROLLUPS)]
