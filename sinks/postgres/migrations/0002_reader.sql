-- The role that analysts are made members of: GRANT bellbuoy_reader TO ann. It belongs to the whole server, so that it
-- may exist already.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bellbuoy_reader') THEN
    CREATE ROLE bellbuoy_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- the migration of another database was quicker
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the user may not create roles: let an administrator run CREATE ROLE bellbuoy_reader NOLOGIN';
END $$;

DO $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO bellbuoy_reader', current_schema());
  EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO bellbuoy_reader', current_schema());
  EXECUTE format(
    'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO bellbuoy_reader', current_schema());
END $$;
