# Sourced: a fresh Redis of Debian's server on a free loopback port, which syncs every write; stopped when the shell ends.
if ! command -v redis-server >/dev/null; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server) >/dev/null 2>&1
fi
redis_dir=$(mktemp -d /tmp/remit-redis.XXXXXX)
redis_port=$(.venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$redis_dir" --save "" --appendonly yes --appendfsync always \
  --aof-load-truncated no --logfile "$redis_dir/log" >/dev/null &
redis_pid=$!
stop_redis() {
  kill "$redis_pid" 2>/dev/null
  wait "$redis_pid" 2>/dev/null
  rm -rf "$redis_dir"
}
redis_up=""
for _ in $(seq 100); do
  if [ "$(redis-cli -p "$redis_port" ping 2>/dev/null)" = PONG ]; then
    redis_up=yes
    break
  fi
  sleep 0.1
done
if [ -z "$redis_up" ]; then
  echo "Redis did not start; the end of its log:" >&2
  tail -20 "$redis_dir/log" >&2
  exit 1
fi
trap 'stop_redis; for stop in stop_mariadb stop_postgres; do if declare -F "$stop" >/dev/null; then "$stop"; fi; done' EXIT
export REMIT_TEST_REDIS="redis://127.0.0.1:$redis_port/0"
