#!/bin/sh
# One HTTP answer for a scrape of Prometheus: what `fdsupctl metrics` says, or 503 and why.

# The whole request is read: closing a connection with unread data resets it, and the answer is lost.
carriage_return=$(printf '\r')
read -r request || exit 0
while read -r line && [ -n "${line%"$carriage_return"}" ]; do :; done

status='200 OK' type='application/openmetrics-text; version=1.0.0; charset=utf-8'
body=$(fdsupctl metrics 2>&1) || status='503 Service Unavailable' type=text/plain

printf 'HTTP/1.0 %s\r\nContent-Type: %s\r\n\r\n' "$status" "$type"
case $request in
HEAD*) ;;
*) printf '%s\n' "$body" ;;
esac
