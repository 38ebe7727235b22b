#!/usr/bin/env bash
# Starts DynamoDB Local, the second opinion on the store in DynamoDB, and prints what to export:
#
#     eval "$(scripts/ci/dynamodb_local.sh)"
#
# Needs Java 17 and Maven. Stop it with: kill "$(cat .cache/dynamodb-local/pid)"
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "$0")/lib.sh"

PORT=${PORT:-4580}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache/dynamodb-local}
LIB=${LIB:-$ROOT/.cache/dynamodb-local/lib}
VERSION=3.1.0

# any answer will do: without a signature it is a refusal
health() { curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$PORT/"; }

start() {
    # env -i: it would send telemetry about, and needs nothing of, its surroundings
    env -i PATH=/usr/bin:/bin HOME="$HOME_DIR" DDB_LOCAL_TELEMETRY=0 AWS_REGION=us-east-1 \
        nohup java -Xmx512m -XX:TieredStopAtLevel=1 -Djava.library.path="$LIB" -cp "$LIB/*" \
        software.amazon.dynamodb.services.local.main.ServerRunner -inMemory -sharedDb -disableTelemetry -port "$PORT" \
        >"$HOME_DIR/log" 2>&1 </dev/null &
    echo $! >"$HOME_DIR/pid"
    await_start "DynamoDB Local" "$(cat "$HOME_DIR/pid")" "$HOME_DIR/log" health
}

mkdir -p "$HOME_DIR"
if ! health; then
    maven "$LIB" software.amazon.dynamodb DynamoDBLocal "$VERSION" >&2
    start
fi
echo "export REMIT_TEST_DYNAMODB=http://127.0.0.1:$PORT"
