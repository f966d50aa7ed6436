"""What the database itself guarantees about statements and receipts. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- A statement is of a month of its organization's books, a receipt of a payment of its own.
ALTER TABLE statement ADD CONSTRAINT statement_of_its_month
    FOREIGN KEY (org_id, period) REFERENCES ledger_period (org_id, period);
ALTER TABLE receipt ADD CONSTRAINT receipt_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
"""

COUNTERS = """
INSERT INTO document_counter (series, last) VALUES ('statement', 0), ('receipt', 0);
"""

NUMBERS = """
-- document_counter_counts: numbers are given one at a time, and none is taken back.
CREATE FUNCTION document_counter_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the numbers of % go on by one', OLD.series
        USING ERRCODE = 'check_violation', CONSTRAINT = 'document_counter_counts';
END $$;
CREATE TRIGGER document_counter_counts BEFORE UPDATE ON document_counter FOR EACH ROW
    WHEN (NEW.last <> OLD.last + 1 OR NEW.series <> OLD.series) EXECUTE FUNCTION document_counter_counts();
CREATE TRIGGER document_counter_kept BEFORE DELETE ON document_counter FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER document_counter_no_truncate BEFORE TRUNCATE ON document_counter
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

STATEMENTS = """
-- A statement is of a closed month, later than every other of its organization, numbered next to the last one, and its hash
-- is what it says: over the hash of the one before, the head of the month's chain, and its words.
CREATE FUNCTION statement_verified() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    month ledger_period;
    before bytea;
    fault text;
BEGIN
    SELECT * INTO month FROM ledger_period WHERE org_id = NEW.org_id AND period = NEW.period;
    SELECT hash INTO before FROM statement WHERE org_id = NEW.org_id AND period < NEW.period ORDER BY period DESC LIMIT 1;
    fault := CASE
        WHEN month.closed_at IS NULL THEN 'statement_of_closed_month'
        WHEN EXISTS (SELECT FROM statement WHERE org_id = NEW.org_id AND period > NEW.period) THEN 'statement_in_order'
        WHEN NEW.number <> (SELECT last FROM document_counter WHERE series = 'statement')
            OR NEW.number > 1 AND NOT EXISTS (SELECT FROM statement WHERE number = NEW.number - 1)
            THEN 'statement_numbered_next'
        WHEN NEW.ledger_head <> month.head
            OR NEW.hash <> sha256(coalesce(before, decode(repeat('00', 32), 'hex')) || NEW.ledger_head
                || convert_to(NEW.body, 'UTF8'))
            THEN 'statement_hashed'
    END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'statement % of organization %: %', NEW.number, NEW.org_id, fault
            USING ERRCODE = 'check_violation', CONSTRAINT = fault;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER statement_verified BEFORE INSERT ON statement FOR EACH ROW EXECUTE FUNCTION statement_verified();
"""

RECEIPTS = """
-- A receipt is of a payment that was paid, numbered next to the last one.
CREATE FUNCTION receipt_verified() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    fault := CASE
        WHEN NOT EXISTS (SELECT FROM payment_intent WHERE id = NEW.intent_id AND state = 'succeeded')
            THEN 'receipt_of_paid_payment'
        WHEN NEW.number <> (SELECT last FROM document_counter WHERE series = 'receipt')
            OR NEW.number > 1 AND NOT EXISTS (SELECT FROM receipt WHERE number = NEW.number - 1)
            THEN 'receipt_numbered_next'
    END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'receipt % of payment %: %', NEW.number, NEW.intent_id, fault
            USING ERRCODE = 'check_violation', CONSTRAINT = fault;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER receipt_verified BEFORE INSERT ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_verified();
"""

FOR_EVER = "".join(
    f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
    f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
    for table in ("statement", "receipt")
) + "".join(
    # Erased when an organization is deleted, never reworded.
    f"CREATE TRIGGER {table}_not_reworded BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
    for table in ("statement_party", "receipt_party")
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0020_statements")]
    operations = [
        migrations.RunSQL(sql) for sql in (SAME_ORGANIZATION, COUNTERS, NUMBERS, STATEMENTS, RECEIPTS, FOR_EVER)
    ]
