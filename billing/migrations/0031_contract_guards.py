"""What the database itself guarantees about reserved capacity. See `billing/ledger/README.md`."""

from django.db import migrations

SAME_ORGANIZATION = """
-- What belongs to a contract belongs to its organization, and so does the payment that is made for it.
ALTER TABLE contract_model ADD CONSTRAINT contract_model_same_organization
    FOREIGN KEY (org_id, contract_id) REFERENCES contract (org_id, id);
ALTER TABLE contract_acceptance ADD CONSTRAINT contract_acceptance_same_organization
    FOREIGN KEY (org_id, contract_id) REFERENCES contract (org_id, id);
ALTER TABLE contract_act ADD CONSTRAINT contract_act_same_organization
    FOREIGN KEY (org_id, contract_id) REFERENCES contract (org_id, id);
ALTER TABLE contract_month ADD CONSTRAINT contract_month_same_organization
    FOREIGN KEY (org_id, contract_id) REFERENCES contract (org_id, id);
ALTER TABLE contract_line ADD CONSTRAINT contract_line_same_organization
    FOREIGN KEY (org_id, month_id) REFERENCES contract_month (org_id, id);
ALTER TABLE contract_due ADD CONSTRAINT contract_due_same_organization
    FOREIGN KEY (org_id, contract_id) REFERENCES contract (org_id, id);
ALTER TABLE contract_due ADD CONSTRAINT contract_due_month_same_organization
    FOREIGN KEY (org_id, month_id) REFERENCES contract_month (org_id, id);
ALTER TABLE contract_due ADD CONSTRAINT contract_due_intent_same_organization
    FOREIGN KEY (org_id, intent_id) REFERENCES payment_intent (org_id, id);
"""

ADDS_UP = """
-- contract_adds_up: a month costs its tokens, to the cent. contract_of_twelve_months: nothing is shorter or longer.
ALTER TABLE contract ADD CONSTRAINT contract_adds_up CHECK (tokens * price_usd * 100 = amount_cents);
ALTER TABLE contract ADD CONSTRAINT contract_of_twelve_months CHECK (ends_on = (starts_on + interval '1 year')::date);
-- contract_acceptance_hashed: the digest is that of the words.
ALTER TABLE contract_acceptance ADD CONSTRAINT contract_acceptance_hashed
    CHECK (digest = sha256(convert_to(text, 'UTF8')) AND name <> '');
"""

RESERVED = """
-- contract_model_reserved: two accepted contracts never cover one model at once.
ALTER TABLE contract_model ADD CONSTRAINT contract_model_reserved EXCLUDE USING gist (
    int8range(org_id, org_id, '[]') WITH &&,
    int4range(model_id::int, model_id::int, '[]') WITH &&,
    daterange(since, until) WITH &&
) WHERE (live);
-- coverage_reserved_by_contract: no plan is dated into the time for which a contract was accepted. Its own cover comes with
-- its first payment, and is then an obstacle by itself (coverage_never_overlaps).
CREATE FUNCTION coverage_reserved_by_contract() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM contract_model WHERE org_id = NEW.org_id AND model_id = NEW.model_id AND live
            AND tstzrange(since AT TIME ZONE 'UTC', until AT TIME ZONE 'UTC') && tstzrange(NEW.valid_from, NEW.valid_to)
    ) THEN
        RAISE EXCEPTION 'model % is reserved by a contract of organization %', NEW.model_id, NEW.org_id
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'coverage_reserved_by_contract';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER coverage_reserved_by_contract BEFORE INSERT OR UPDATE OF valid_to ON coverage
    FOR EACH ROW WHEN (NEW.payer = 3) EXECUTE FUNCTION coverage_reserved_by_contract();
"""

COVER = """
-- coverage_is_dated_ahead: the cover of a plan may end sooner or later than was dated, that of a contract sooner; what never
-- was used of a plan may go. Whose it is, of which model, paid by what and since when stays; nothing else ever changes.
CREATE OR REPLACE FUNCTION coverage_is_dated_ahead() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.payer NOT IN (3, 4)
        OR TG_OP = 'UPDATE' AND (OLD.id, OLD.org_id, OLD.model_id, OLD.payer, OLD.source_id, OLD.valid_from)
            IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.model_id, NEW.payer, NEW.source_id, NEW.valid_from)
        OR TG_OP = 'UPDATE' AND OLD.payer = 4 AND NEW.valid_to > OLD.valid_to
        OR TG_OP = 'DELETE' AND (
            OLD.payer = 4
            OR EXISTS (SELECT 1 FROM allowance_day WHERE org_id = OLD.org_id AND coverage_id = OLD.id)
            OR EXISTS (SELECT 1 FROM usage_delta WHERE org_id = OLD.org_id AND coverage_id = OLD.id)) THEN
        RAISE EXCEPTION 'coverage % stays as it was', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'coverage_is_dated_ahead';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
DROP TRIGGER IF EXISTS coverage_is_dated_ahead ON coverage;
CREATE TRIGGER coverage_is_dated_ahead BEFORE UPDATE OR DELETE ON coverage
    FOR EACH ROW EXECUTE FUNCTION coverage_is_dated_ahead();
DROP TRIGGER IF EXISTS coverage_no_truncate ON coverage;
CREATE TRIGGER coverage_no_truncate BEFORE TRUNCATE ON coverage FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

MOVES_FORWARD = """
-- contract_moves_forward: what was offered stays what was offered; only an accepted one that has not begun may start later.
-- contract_accepted_in_words: none is accepted without the words and the person. contract_ended_by_two: none is ended for
-- non-payment by fewer than two people.
CREATE FUNCTION contract_moves_forward() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    goes CONSTANT jsonb := '{"draft": ["offered", "withdrawn"], "offered": ["accepted", "withdrawn"],
        "accepted": ["active", "withdrawn"], "active": ["past_due", "ended"], "past_due": ["active", "ended"]}';
BEGIN
    IF (OLD.id, OLD.org_id, OLD.public_id, OLD.drafted_at) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.public_id, NEW.drafted_at)
        OR NEW.state <> OLD.state AND NOT coalesce(goes -> OLD.state ? NEW.state, false)
        OR (OLD.tokens, OLD.price_usd, OLD.overage_usd, OLD.amount_cents)
            IS DISTINCT FROM (NEW.tokens, NEW.price_usd, NEW.overage_usd, NEW.amount_cents)
        OR NEW.starts_on <> OLD.starts_on AND NOT (OLD.state = 'accepted' AND NEW.state = 'accepted'
            AND NEW.starts_on > OLD.starts_on)
        OR OLD.accepted_at IS NOT NULL AND NEW.accepted_at IS DISTINCT FROM OLD.accepted_at
        OR OLD.active_from IS NOT NULL AND NEW.active_from IS DISTINCT FROM OLD.active_from
        OR OLD.over_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'contract % cannot go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_moves_forward';
    END IF;
    IF NEW.state = 'accepted' AND NOT EXISTS (SELECT 1 FROM contract_acceptance WHERE contract_id = NEW.id) THEN
        RAISE EXCEPTION 'contract % was accepted by nobody', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_accepted_in_words';
    END IF;
    IF NEW.ended_as = 'unpaid' AND OLD.ended_as <> 'unpaid' AND 2 <> (
        SELECT count(DISTINCT act) FROM contract_act
        WHERE contract_id = NEW.id AND act IN ('end_proposed', 'end_approved')) THEN
        RAISE EXCEPTION 'contract % was not ended by two people', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_ended_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_moves_forward BEFORE UPDATE ON contract FOR EACH ROW EXECUTE FUNCTION contract_moves_forward();

-- contract_begins_as_draft: nobody writes down a contract that is already accepted, or over.
CREATE FUNCTION contract_begins_as_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a contract begins as a draft'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_begins_as_draft';
END $$;
CREATE TRIGGER contract_begins_as_draft BEFORE INSERT ON contract
    FOR EACH ROW WHEN (NEW.state <> 'draft') EXECUTE FUNCTION contract_begins_as_draft();

-- contract_model_stays: which model, at which rates; only when it is reserved changes.
CREATE TRIGGER contract_model_stays BEFORE UPDATE ON contract_model FOR EACH ROW
    WHEN ((OLD.id, OLD.contract_id, OLD.org_id, OLD.model_id, OLD.requests_per_minute, OLD.requests_per_hour,
           OLD.tokens_per_minute, OLD.tokens_per_hour)
        IS DISTINCT FROM (NEW.id, NEW.contract_id, NEW.org_id, NEW.model_id, NEW.requests_per_minute,
           NEW.requests_per_hour, NEW.tokens_per_minute, NEW.tokens_per_hour))
    EXECUTE FUNCTION refuse_change();

-- contract_month_moves_forward: what a month costs stays; what began has begun, what is closed or lapsed is so for ever.
CREATE FUNCTION contract_month_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'month % of contract % stays as it was', OLD.period, OLD.contract_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_month_moves_forward';
END $$;
CREATE TRIGGER contract_month_moves_forward BEFORE UPDATE ON contract_month FOR EACH ROW
    WHEN ((OLD.id, OLD.contract_id, OLD.org_id, OLD.period, OLD.tokens, OLD.amount_cents)
            IS DISTINCT FROM (NEW.id, NEW.contract_id, NEW.org_id, NEW.period, NEW.tokens, NEW.amount_cents)
        OR OLD.begun_at IS NOT NULL AND NEW.begun_at IS DISTINCT FROM OLD.begun_at
        OR OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at
        OR OLD.lapsed_at IS NOT NULL AND NEW.lapsed_at IS DISTINCT FROM OLD.lapsed_at
        OR NEW.returned < OLD.returned)
    EXECUTE FUNCTION contract_month_moves_forward();

-- contract_due_moves_forward: what is due may become less, never more; what is over stays over, unless its money arrives.
CREATE FUNCTION contract_due_moves_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'due % cannot go from % to %', OLD.id, OLD.stage, NEW.stage
        USING ERRCODE = 'check_violation', CONSTRAINT = 'contract_due_moves_forward';
END $$;
CREATE TRIGGER contract_due_moves_forward BEFORE UPDATE ON contract_due FOR EACH ROW
    WHEN ((OLD.id, OLD.contract_id, OLD.month_id, OLD.org_id, OLD.what, OLD.number, OLD.due_at, OLD.closes_at)
            IS DISTINCT FROM (NEW.id, NEW.contract_id, NEW.month_id, NEW.org_id, NEW.what, NEW.number, NEW.due_at,
                NEW.closes_at)
        OR NEW.amount_cents > OLD.amount_cents OR NEW.tries < OLD.tries
        OR OLD.stage IN ('over', 'lapsed') AND NEW.stage NOT IN ('paid', OLD.stage)
        OR OLD.stage = 'paid' AND NEW.stage <> 'paid')
    EXECUTE FUNCTION contract_due_moves_forward();
"""

FOR_EVER = (
    """
-- What was accepted and done stays as it was said; nothing of a contract is removed, but a line that is posted.
CREATE TRIGGER contract_acceptance_append_only BEFORE UPDATE OR DELETE ON contract_acceptance
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER contract_act_append_only BEFORE UPDATE OR DELETE ON contract_act
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
    + "".join(
        f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();\n"
        for table in ("contract", "contract_model", "contract_month", "contract_due")
    )
    + "".join(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();\n"
        for table in (
            "contract", "contract_model", "contract_acceptance", "contract_act", "contract_month", "contract_due",
            "contract_line",
        )
    )
)  # fmt: skip

NO_CHARGE_WHILE_DISPUTED = """
-- payment_intent_not_while_disputed: of every saved card that is charged without its customer, also for a contract.
DROP TRIGGER payment_intent_not_while_disputed ON payment_intent;
CREATE TRIGGER payment_intent_not_while_disputed BEFORE INSERT ON payment_intent
    FOR EACH ROW WHEN (NEW.method_id IS NOT NULL) EXECUTE FUNCTION payment_intent_not_while_disputed();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0030_contracts")]
    operations = [
        migrations.RunSQL(sql)
        for sql in (
            SAME_ORGANIZATION,
            ADDS_UP,
            RESERVED,
            COVER,
            MOVES_FORWARD,
            FOR_EVER,
            NO_CHARGE_WHILE_DISPUTED,
        )
    ]
