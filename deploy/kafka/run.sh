#!/bin/sh
# Starts the broker. Not by the image's own start script: that one writes its settings into the image's folders, which
# are read-only here, and not every version of it starts again from a volume that is formatted already.
# kafka-storage.sh does, with a switch of its own.
set -e
config=/tmp/server.properties
{
    cat /etc/stripsight/kafka/server.properties
    echo "advertised.listeners=INSIDE://kafka:19092,HOST://$KAFKA_HOST_ADDRESS"
} > "$config"
/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$KAFKA_CLUSTER_ID" --config "$config"
# Here and not in the compose file: scripts that are run beside the broker need neither its heap nor its agents.
export KAFKA_HEAP_OPTS="-Xms256m -Xmx${KAFKA_HEAP:-768m}"
export KAFKA_LOG4J_OPTS="-Dlog4j2.configurationFile=/etc/stripsight/kafka/log4j2.yaml"
export KAFKA_OPTS="$KAFKA_BROKER_OPTS"
exec /opt/kafka/bin/kafka-run-class.sh kafka.Kafka "$config"
