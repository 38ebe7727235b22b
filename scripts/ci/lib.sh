# Sourced by the scripts beside it, from the root of the repository or by their own path: what they share.

# free_port: a port of loopback that nobody has
free_port() {
  .venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# find_uv ROOT: the uv of this machine, or that of the environment
find_uv() { command -v uv || echo "${UV:-$1/.venv/bin/uv}"; }

# maven LIB GROUP ARTIFACT VERSION: an artifact of Maven Central and all that it needs, in the directory LIB; with Java 17
maven() {
  local lib=$1 group=$2 artifact=$3 version=$4 work
  [ "$(cat "$lib/.version" 2>/dev/null)" = "$version" ] && return
  if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless maven >/dev/null
  fi
  work=$(mktemp -d)
  cat >"$work/pom.xml" <<XML
<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>local</artifactId><version>1</version>
<dependencies><dependency><groupId>$group</groupId><artifactId>$artifact</artifactId>
<version>$version</version></dependency></dependencies></project>
XML
  rm -rf "$lib"
  mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$lib"
  rm -rf "$work"
  echo "$version" >"$lib/.version"
}

# await_start NAME PID LOG PROBE...: until the probe succeeds; ends the shell with the end of the log when the process does, or after a while
await_start() {
  local name=$1 pid=$2 log=$3
  shift 3
  for _ in $(seq 300); do
    "$@" && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "$name did not start; the end of its log:" >&2
  tail -20 "$log" >&2
  exit 1
}

# stop_services: stops whatever was started in this shell, the last first
stop_services() {
  local stop
  for stop in stop_athena stop_kafka stop_dynamodb stop_ministack stop_pgvector stop_redis stop_mariadb stop_postgres; do
    if declare -F "$stop" >/dev/null; then "$stop" || true; fi
  done
}
