#!/bin/sh
# prometheusrule.sh [NAME]: rules.yml as a PrometheusRule of the Prometheus Operator, on stdout.
# `| kubectl label --local -f - release=... -o yaml | kubectl apply -f -` adds what the operator selects by.
set -eu
cat <<HEAD
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ${1:-rectifier}
spec:
HEAD
sed 's/^\(.\)/  \1/' "$(dirname "$0")/rules.yml"
