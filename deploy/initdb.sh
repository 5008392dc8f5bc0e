#!/bin/sh
# PostgreSQL's image runs this once, when it makes its cluster.
set -eu
psql --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set owner_password="$DIBS_OWNER_PASSWORD" --set app_password="$DIBS_APP_PASSWORD" --file /deploy/roles.sql
