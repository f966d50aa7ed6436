"""Attacks that ask for more power than the application has: over tables, guards, roles and the machine."""

from tests.attacks.attack import Attack

GUARDS = [
    Attack("put a trigger to sleep", "ALTER TABLE transfer DISABLE TRIGGER transfer_verified"),
    Attack("put all triggers to sleep", "ALTER TABLE account DISABLE TRIGGER ALL"),
    Attack("put the session's triggers to sleep", "SET session_replication_role = replica"),
    Attack("... for ever", "ALTER ROLE CURRENT_USER SET session_replication_role = replica"),
    Attack("... by the function", "SELECT set_config('session_replication_role', 'replica', false)"),
    Attack("drop a trigger", "DROP TRIGGER transfer_append_only ON transfer"),
    Attack("drop a constraint", "ALTER TABLE account DROP CONSTRAINT account_grant_within_granted"),
    Attack("drop a key", "ALTER TABLE transfer DROP CONSTRAINT transfer_key_key"),
    Attack("drop an index", "DROP INDEX inbox_event_once"),
    Attack("drop a table", "DROP TABLE transfer CASCADE"),
    Attack("drop a guard", "DROP FUNCTION transfer_verified() CASCADE"),
    Attack("replace a guard", "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NEW; END'"),
    Attack("loosen a guard", "ALTER FUNCTION transfer_verified() SECURITY INVOKER"),
    Attack("point a guard elsewhere", "ALTER FUNCTION transfer_verified() SET search_path = pg_temp, public"),
    Attack("take a guard over", "ALTER FUNCTION transfer_verified() OWNER TO CURRENT_USER"),
    Attack("call a guard", "SELECT transfer_verified()"),
    Attack("add a column", "ALTER TABLE account ADD COLUMN bonus numeric"),
    Attack("rename a table", "ALTER TABLE transfer RENAME TO history"),
    Attack("another type", "ALTER TABLE transfer ALTER COLUMN amount TYPE float"),
    Attack("take a table over", "ALTER TABLE transfer OWNER TO CURRENT_USER"),
    Attack("a rule instead of an insert", "CREATE RULE r AS ON INSERT TO transfer DO INSTEAD NOTHING"),
    Attack("a trigger of one's own", "CREATE TRIGGER mine BEFORE INSERT ON transfer FOR EACH ROW EXECUTE FUNCTION"
        " suppress_redundant_updates_trigger()"),
    Attack("a policy of one's own", "ALTER TABLE transfer ENABLE ROW LEVEL SECURITY"),
    Attack("move the counter of accounts", "SELECT setval('account_id_seq', 1)"),
]  # fmt: skip

SHADOWS = [
    Attack("a temporary table in front of a real one", "CREATE TEMP TABLE account AS SELECT * FROM account"),
    Attack("a function in front of a real one", "CREATE FUNCTION public.sha256(bytea)"
        " RETURNS bytea LANGUAGE sql AS 'SELECT $1'"),
    Attack("a temporary function", "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'"),
    Attack("a schema in front of the real one", "CREATE SCHEMA mine"),
    Attack("a table of one's own", "CREATE TABLE public.wallet2 (org_id bigint)"),
    Attack("a view over others' rows", "CREATE VIEW peek AS SELECT * FROM api_key"),
    Attack("an operator of one's own", "CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)"),
    Attack("a type of one's own", "CREATE DOMAIN usd AS numeric"),
    Attack("an extension", "CREATE EXTENSION pg_stat_statements"),
    Attack("another database's tables", "CREATE EXTENSION postgres_fdw"),
    Attack("a function of the machine", "CREATE FUNCTION mine() RETURNS int LANGUAGE c AS '/tmp/evil.so', 'evil'"),
    Attack("a publication of every row", "CREATE PUBLICATION leak FOR ALL TABLES"),
    Attack("a guard that looks elsewhere, without a last owner",
        "SET search_path = pg_catalog; DELETE FROM public.membership WHERE org_id = {acme} AND role = 'owner'",
        "23514", "membership_keeps_an_owner"),
    Attack("a guard that looks elsewhere, with a price in the past",
        "SET search_path = pg_catalog; INSERT INTO public.price (model_id, valid_from, input_usd, cached_usd, output_usd)"
        " VALUES ({model}, '2020-01-01', 0, 0, 0)", "23514", "price_follows_the_last"),
]  # fmt: skip

ROLES = [
    Attack("become the owner", "SET ROLE purser_owner"),
    Attack("become the superuser", "SET ROLE postgres"),
    Attack("... for the session", "SET SESSION AUTHORIZATION postgres"),
    Attack("reset to somebody more", "RESET ROLE; RESET SESSION AUTHORIZATION; UPDATE transfer SET amount = 1"),
    Attack("join the owner", "GRANT purser_owner TO CURRENT_USER"),
    Attack("become a superuser", "ALTER ROLE CURRENT_USER SUPERUSER"),
    Attack("make databases", "ALTER ROLE CURRENT_USER CREATEDB"),
    Attack("make roles", "CREATE ROLE mine LOGIN SUPERUSER"),
    Attack("the owner's password", "ALTER ROLE purser_owner PASSWORD 'mine'"),
    Attack("drop the owner", "DROP ROLE purser_owner"),
    Attack("grant oneself a table", "GRANT ALL ON transfer TO CURRENT_USER", nothing=True),
    Attack("grant oneself a column", "GRANT UPDATE (balance) ON account TO CURRENT_USER", nothing=True),
    Attack("grant oneself the schema", "GRANT CREATE ON SCHEMA public TO CURRENT_USER", nothing=True),
    Attack("grant oneself the database", "GRANT TEMP ON DATABASE {database} TO CURRENT_USER", nothing=True),
    Attack("grant everybody everything", "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC", nothing=True),
    Attack("everybody's default", "ALTER DEFAULT PRIVILEGES FOR ROLE purser_owner GRANT ALL ON TABLES TO PUBLIC"),
    Attack("a trigger by grant", "GRANT TRIGGER ON account TO CURRENT_USER", nothing=True),
    Attack("drop what the owner owns", "DROP OWNED BY purser_owner CASCADE"),
    Attack("hand over what the owner owns", "REASSIGN OWNED BY purser_owner TO CURRENT_USER"),
    Attack("another database", "CREATE DATABASE mine"),
    Attack("drop the database", "DROP DATABASE {database}"),
    Attack("read passwords", "SELECT rolpassword FROM pg_authid"),
]

MACHINE = [
    Attack("run a program", "COPY (SELECT 1) TO PROGRAM 'true'"),
    Attack("read a program", "COPY transfer_note (transfer_id, salt, text) FROM PROGRAM 'echo'"),
    Attack("write a file", "COPY transfer TO '/tmp/purser-attack'"),
    Attack("read a file into a table", "COPY usage_delta FROM '/etc/passwd'"),
    Attack("read a file", "SELECT pg_read_file('/etc/passwd')"),
    Attack("read a file as bytes", "SELECT pg_read_binary_file('PG_VERSION')"),
    Attack("list a folder", "SELECT pg_ls_dir('.')"),
    Attack("keep a file", "SELECT lo_import('/etc/passwd')"),
    Attack("write into a system table", "UPDATE pg_proc SET prosecdef = false WHERE proname = 'transfer_verified'"),
    Attack("drop a dependency", "DELETE FROM pg_trigger"),
    Attack("another configuration", "ALTER SYSTEM SET fsync = off"),
    Attack("reload the configuration", "SELECT pg_reload_conf()"),
    Attack("switch the log over", "SELECT pg_switch_wal()"),
    Attack("load a library", "LOAD '/tmp/evil.so'"),
    Attack("stop the owner's session", "SELECT pg_terminate_backend({owners_backend})"),
    Attack("checkpoint", "CHECKPOINT"),
]

ATTACKS = [*GUARDS, *SHADOWS, *ROLES, *MACHINE]
