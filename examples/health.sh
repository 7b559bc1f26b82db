#!/bin/sh
# A health check for a load balancer: one HTTP answer, 200 or 503, and why.
#
# It fails while the file $HEALTH_MAINTENANCE exists (touch it to take this machine out of service
# without stopping anything), when a file system of $HEALTH_DISKS is fuller than $HEALTH_DISK_PERCENT,
# or, if $HEALTH_MAX_LOAD is set, when the load of the last minute is above it.

: "${HEALTH_MAINTENANCE:=/run/maintenance}" "${HEALTH_DISKS:=/}" "${HEALTH_DISK_PERCENT:=95}"

# The whole request is read: closing a connection with unread data resets it, and the answer is lost.
carriage_return=$(printf '\r')
read -r request || exit 0
while read -r line && [ -n "${line%"$carriage_return"}" ]; do :; done

reasons() {
	[ ! -e "$HEALTH_MAINTENANCE" ] || echo "in maintenance: $HEALTH_MAINTENANCE exists"
	# shellcheck disable=SC2086 # a list of words
	LC_ALL=C df -P $HEALTH_DISKS 2>&1 | awk -v most="$HEALTH_DISK_PERCENT" '
		$1 == "Filesystem" { next }
		$5 !~ /^[0-9]+%$/ { print "cannot tell: " $0; next }
		$5 + 0 > most { print $6 " is " $5 " full" }'
	[ -z "$HEALTH_MAX_LOAD" ] || awk -v most="$HEALTH_MAX_LOAD" '
		$1 > most + 0 { print "load " $1 " is above " most }' /proc/loadavg
}

reasons=$(reasons)
status='200 OK'
body=${reasons:-ok}
[ -z "$reasons" ] || status='503 Service Unavailable'

printf 'HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n' \
	"$status" $((${#body} + 1))
case $request in
HEAD*) ;;
*) printf '%s\n' "$body" ;;
esac
