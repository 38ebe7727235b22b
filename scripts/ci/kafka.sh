#!/usr/bin/env bash
# Starts Apache Kafka, one broker that is its own controller, and prints what to export:
#
#     eval "$(scripts/ci/kafka.sh)"
#
# Needs Java 17 and Maven. Stop it with: kill "$(cat .cache/kafka/pid)"
#
# PORT takes anybody. PORT+2 says that it is at PORT+3, where a test has a proxy. PORT+4 takes user `remit`, password `remit-secret`.
set -euo pipefail
# shellcheck source=/dev/null
source "$(dirname "$0")/lib.sh"

PORT=${PORT:-4592}
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
HOME_DIR=${HOME_DIR:-$ROOT/.cache/kafka}
LIB=${LIB:-$ROOT/.cache/kafka/lib}
VERSION=4.1.1

health() { (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; }

# The group settings let tests see a dead member soon; a broker of one node replicates nothing.
configure() {
    cat >"$HOME_DIR/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((PORT + 1))
listeners=PLAINTEXT://127.0.0.1:$PORT,PROXIED://127.0.0.1:$((PORT + 2)),SASL://127.0.0.1:$((PORT + 4)),CONTROLLER://127.0.0.1:$((PORT + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT,PROXIED://127.0.0.1:$((PORT + 3)),SASL://127.0.0.1:$((PORT + 4))
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_remit="remit-secret";
log.dirs=$HOME_DIR/data
num.partitions=2
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=8388608
CONF
}

KAFKA=(env -i PATH=/usr/bin:/bin HOME="$HOME_DIR" java -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$LIB/*")

start() {
    configure
    # KEEP=1 keeps what the broker of before has written; each other start is a new broker
    if [ "${KEEP:-}" != 1 ] || [ ! -d "$HOME_DIR/data" ]; then
        rm -rf "$HOME_DIR/data"
        "${KAFKA[@]}" kafka.tools.StorageTool format -t remitremitremitremitre -c "$HOME_DIR/server.properties" >"$HOME_DIR/log" 2>&1
    fi
    nohup "${KAFKA[@]}" kafka.Kafka "$HOME_DIR/server.properties" >>"$HOME_DIR/log" 2>&1 </dev/null &
    echo $! >"$HOME_DIR/pid"
    await_start Kafka "$(cat "$HOME_DIR/pid")" "$HOME_DIR/log" health
}

mkdir -p "$HOME_DIR"
if ! health; then
    maven "$LIB" org.apache.kafka kafka_2.13 "$VERSION" >&2
    start
fi
echo "export REMIT_TEST_KAFKA=127.0.0.1:$PORT"
