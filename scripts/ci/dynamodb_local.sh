#!/usr/bin/env bash
# Starts DynamoDB Local, the second opinion on the store in DynamoDB, and prints what to export:
#
#     eval "$(scripts/ci/dynamodb_local.sh)"
#
# Needs Java 17 and Maven. Stop it with: kill "$(cat .cache/dynamodb-local/pid)"
set -euo pipefail

PORT=${PORT:-4580}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache/dynamodb-local}
LIB=${LIB:-$ROOT/.cache/dynamodb-local/lib}
VERSION=3.1.0

# any answer will do: without a signature it is a refusal
health() { curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/"; }

install() {
    [ "$(cat "$LIB/.version" 2>/dev/null)" = "$VERSION" ] && return
    if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
        apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless maven >/dev/null
    fi
    local work
    work=$(mktemp -d)
    cat >"$work/pom.xml" <<XML
<project><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>local</artifactId><version>1</version>
<dependencies><dependency><groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId>
<version>$VERSION</version></dependency></dependencies></project>
XML
    rm -rf "$LIB"
    mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$LIB"
    rm -rf "$work"
    echo "$VERSION" >"$LIB/.version"
}

start() {
    # env -i: it would send telemetry about, and needs nothing of, its surroundings
    env -i PATH=/usr/bin:/bin HOME="$HOME_DIR" DDB_LOCAL_TELEMETRY=0 AWS_REGION=us-east-1 \
        nohup java -Xmx512m -XX:TieredStopAtLevel=1 -Djava.library.path="$LIB" -cp "$LIB/*" \
        software.amazon.dynamodb.services.local.main.ServerRunner -inMemory -sharedDb -disableTelemetry -port "$PORT" \
        >"$HOME_DIR/log" 2>&1 </dev/null &
    echo $! >"$HOME_DIR/pid"
    for _ in $(seq 300); do
        health && return
        kill -0 "$(cat "$HOME_DIR/pid")" 2>/dev/null || break
        sleep 0.1
    done
    echo "DynamoDB Local did not start; the end of its log:" >&2
    tail -20 "$HOME_DIR/log" >&2
    exit 1
}

mkdir -p "$HOME_DIR"
if ! health; then
    install >&2
    start
fi
echo "export REMIT_TEST_DYNAMODB=http://127.0.0.1:$PORT"
