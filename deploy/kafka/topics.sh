#!/bin/sh
# Creates the topics that are missing, with their sizes and retention. Those that exist are left as they are: change
# them with kafka-configs.sh.
set -e
# The largest frame (kafka.max_message_bytes, 16 MiB) and its headers; a dead letter has headers of ours on top.
frame_bytes=16842752
record_bytes=16908288
days=86400000  # a day, in ms

topics() {
    /opt/kafka/bin/kafka-topics.sh --bootstrap-server "$KAFKA_BOOTSTRAP_SERVERS" "$@"
}

create() { # TOPIC CONFIG...
    topic=$1
    shift
    if ! echo "$existing" | grep -Fqx "$topic"; then
        # One partition keeps the order of a camera's frames, and of all results.
        topics --create --if-not-exists --topic "$topic" --partitions 1 --replication-factor 1 \
            $(printf -- '--config %s ' "$@")
    fi
}

existing=$(topics --list)
for camera in $CAMERAS; do
    # Images are large, and are needed until they are inspected and looked at.
    create "frames.$camera" max.message.bytes=$frame_bytes \
        retention.ms=$((FRAMES_RETENTION_HOURS * days / 24)) retention.bytes=$((FRAMES_RETENTION_GB * 1000000000))
done
# Records of a kind resemble each other, and every client reads gzip.
for results in defects inspections; do
    create "$results" max.message.bytes=$record_bytes compression.type=gzip \
        retention.ms=$((RESULTS_RETENTION_DAYS * days)) retention.bytes=$((RESULTS_RETENTION_GB * 1000000000))
done
create frames.dead-letter max.message.bytes=$record_bytes retention.ms=$((30 * days)) retention.bytes=5000000000
topics --list
