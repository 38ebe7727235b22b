# Sourced: a fresh MariaDB of Debian's server on a free loopback port; stopped when the shell ends.
# shellcheck source=/dev/null
source scripts/ci/lib.sh
if [ ! -x /usr/sbin/mariadbd ]; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mariadb-server) >/dev/null 2>&1
fi
maria_dir=$(mktemp -d /tmp/remit-maria.XXXXXX)
maria_port=$(free_port)
maria_user=$(id -un)
if [ "$(id -u)" = 0 ]; then
  maria_user=mysql
  chown mysql "$maria_dir"
fi
mariadb-install-db --no-defaults --user="$maria_user" --datadir="$maria_dir/data" --auth-root-authentication-method=normal \
  --skip-test-db >/dev/null
/usr/sbin/mariadbd --no-defaults --user="$maria_user" --datadir="$maria_dir/data" --port="$maria_port" --bind-address=127.0.0.1 \
  --socket="$maria_dir/socket" --pid-file="$maria_dir/pid" --innodb-flush-log-at-trx-commit=0 >"$maria_dir/log" 2>&1 &
maria_pid=$!
stop_mariadb() {
  kill "$maria_pid" 2>/dev/null
  wait "$maria_pid" 2>/dev/null
  rm -rf "$maria_dir"
}
trap stop_services EXIT
maria_answers() { mariadb-admin --no-defaults --socket="$maria_dir/socket" --user=root ping >/dev/null 2>&1; }
await_start MariaDB "$maria_pid" "$maria_dir/log" maria_answers
mariadb --no-defaults --socket="$maria_dir/socket" --user=root --execute="
  CREATE USER remit@'127.0.0.1' IDENTIFIED BY 'remit'; CREATE DATABASE remit CHARACTER SET utf8mb4;
  GRANT ALL ON *.* TO remit@'127.0.0.1' WITH GRANT OPTION"
export REMIT_TEST_MARIADB="mysql://remit:remit@127.0.0.1:$maria_port/remit"
