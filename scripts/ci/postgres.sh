# Sourced: a fresh PostgreSQL cluster of Debian's server on a free loopback port; stopped when the shell ends.
# shellcheck source=/dev/null
source scripts/ci/lib.sh
pg_programs() { find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1; }
pg_bin=$(pg_programs || true)
if [ -z "$pg_bin" ]; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql) >/dev/null 2>&1
  pg_bin=$(pg_programs)
fi
pg_dir=$(mktemp -d /tmp/remit-pg.XXXXXX)
pg_port=$(free_port)
as_pg() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$pg_dir"
as_pg "$pg_bin/initdb" -D "$pg_dir/data" -A trust -U postgres >/dev/null
as_pg "$pg_bin/pg_ctl" -D "$pg_dir/data" -o "-p $pg_port -k $pg_dir -c listen_addresses=127.0.0.1 -c max_connections=200" -l "$pg_dir/log" -w start >/dev/null
stop_postgres() {
  as_pg "$pg_bin/pg_ctl" -D "$pg_dir/data" -m immediate stop >/dev/null 2>&1
  rm -rf "$pg_dir"
}
trap stop_services EXIT
export REMIT_TEST_POSTGRES="postgresql://postgres@127.0.0.1:$pg_port/postgres"
