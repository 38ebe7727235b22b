# Sourced: a fresh Redis of Debian's server on a free loopback port, which syncs every write; stopped when the shell ends.
# shellcheck source=/dev/null
source scripts/ci/lib.sh
if ! command -v redis-server >/dev/null; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server) >/dev/null 2>&1
fi
redis_dir=$(mktemp -d /tmp/remit-redis.XXXXXX)
redis_port=$(free_port)
redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$redis_dir" --save "" --appendonly yes --appendfsync always \
  --aof-load-truncated no --logfile "$redis_dir/log" >/dev/null &
redis_pid=$!
stop_redis() {
  kill "$redis_pid" 2>/dev/null
  wait "$redis_pid" 2>/dev/null
  rm -rf "$redis_dir"
}
trap stop_services EXIT
redis_answers() { [ "$(redis-cli -p "$redis_port" ping 2>/dev/null)" = PONG ]; }
await_start Redis "$redis_pid" "$redis_dir/log" redis_answers
export REMIT_TEST_REDIS="redis://127.0.0.1:$redis_port/0"
