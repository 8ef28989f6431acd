#!/bin/sh
# Watches, and has Home Assistant know of it: the sensor comes by MQTT discovery, its state by the exec line of gate.yaml.
# vl2/events has every answer and event as JSON; vl2/state says online, and offline when this has ended or its network is
# gone.
# Needs mosquitto-clients.
# Usage: watch.sh [OPTION OF VL2 WATCH...] gate.yaml
#   BROKER, BROKER_PORT   where the broker is; else 127.0.0.1 and 1883
set -eu
export BROKER="${BROKER:-127.0.0.1}" BROKER_PORT="${BROKER_PORT:-1883}"
publish() { mosquitto_pub -h "$BROKER" -p "$BROKER_PORT" "$@"; }

publish -r -t homeassistant/sensor/vl2_gate/config -f "$(dirname "$0")/gate.json"
trap 'publish -r -t vl2/state -m offline' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
publish -r -t vl2/state -m online
# The broker itself says offline where this connection is lost.
vl2 watch "$@" | publish -l -t vl2/events --will-topic vl2/state --will-payload offline --will-retain
