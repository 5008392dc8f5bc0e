-- Two roles: one owns the tables and migrates, the other works with the rows and can change no table.
--
-- Once, as a superuser, or as whoever owns the database and may make roles:
--
--     createdb dibs
--     psql -d dibs -v owner_password=… -v app_password=… -f deploy/roles.sql
--
-- Then `dibs migrate`, `dibs restored` and `dibs verify` with the address of dibs_owner, everything else with that of
-- dibs_app. It may be run again: it changes nothing but the passwords.
\set ON_ERROR_STOP on

SELECT 'CREATE ROLE dibs_owner LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dibs_owner') \gexec
SELECT 'CREATE ROLE dibs_app LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dibs_app') \gexec
ALTER ROLE dibs_owner PASSWORD :'owner_password';
ALTER ROLE dibs_app PASSWORD :'app_password';

-- Nobody but the two comes in, and only the owner makes anything, not even temporary tables.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO dibs_owner, dibs_app;
GRANT CREATE ON DATABASE :"DBNAME" TO dibs_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO dibs_owner;
GRANT USAGE ON SCHEMA public TO dibs_app;

-- What the owner will make, and what it has made.
ALTER DEFAULT PRIVILEGES FOR ROLE dibs_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dibs_app;
ALTER DEFAULT PRIVILEGES FOR ROLE dibs_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO dibs_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO dibs_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO dibs_app;
