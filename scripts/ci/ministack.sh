#!/usr/bin/env bash
# Starts the AWS emulator that the tests marked `service` need, and prints what to export:
#
#     eval "$(scripts/ci/ministack.sh)"
#
# Its model calls go to an OpenAI-compatible proxy which the test itself serves on $PROXY_PORT.
# Stop it with: kill "$(cat .cache/ministack/pid)"
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "$0")/lib.sh"

PORT=${PORT:-4570}
PROXY_PORT=${PROXY_PORT:-18080}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache/ministack}
VENV=$HOME_DIR/venv
RUN=$HOME_DIR/run

health() { curl -sf --max-time 2 "http://127.0.0.1:$PORT/_ministack/health" >/dev/null; }

install() {
    [ -x "$VENV/bin/ministack" ] && return
    local uv
    uv=$(find_uv "$ROOT")
    # a venv of its own: ministack pins botocore, and Lambda handlers could import whatever lies beside it
    "$uv" venv --quiet --clear --python "$ROOT/.venv/bin/python" "$VENV"
    "$uv" pip install --quiet --python "$VENV/bin/python" ministack==1.5.33 boto3==1.43.106 ${EXTRA:+"$EXTRA"}
}

start() {
    mkdir -p "$RUN/tmp" "$RUN/state" "$RUN/s3"
    # env -i: Lambda workers inherit the emulator's environment, secrets included
    env -i PATH=/usr/bin:/bin HOME="$RUN" LANG=C.UTF-8 TMPDIR="$RUN/tmp" \
        BIND_HOST=127.0.0.1 GATEWAY_PORT="$PORT" STATE_DIR="$RUN/state" S3_DATA_DIR="$RUN/s3" IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 \
        SFN_WAIT_SCALE=0 \
        MINISTACK_BEDROCK_PROXY_URL="http://127.0.0.1:$PROXY_PORT" \
        nohup "$VENV/bin/ministack" >"$RUN/log" 2>&1 </dev/null &
    echo $! >"$HOME_DIR/pid"
    await_start ministack "$(cat "$HOME_DIR/pid")" "$RUN/log" health
}

mkdir -p "$HOME_DIR"
if ! health; then
    install >&2
    start
fi
echo "export REMIT_TEST_MINISTACK=http://127.0.0.1:$PORT"
echo "export REMIT_TEST_MINISTACK_PROXY_PORT=$PROXY_PORT"
