#!/bin/bash
# Health check: asks the broker for the versions of its API (request 18, version 0), to which any client is entitled,
# and takes it as healthy when an answer comes. Kafka's own scripts would start a Java machine for it every time, on
# processors that the model needs.
exec 3<>/dev/tcp/127.0.0.1/19092 || exit 1
# length 16, request 18, version 0, correlation 1, client "health"
printf '\x00\x00\x00\x10\x00\x12\x00\x00\x00\x00\x00\x01\x00\x06health' >&3
# length, correlation and error code of the answer
[ "$(timeout 3 head -c 10 <&3 | wc -c)" -eq 10 ]
