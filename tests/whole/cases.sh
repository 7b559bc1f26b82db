#!/bin/bash
# cases.sh FOLDER PROGRAMS: all cases of a folder of acceptance cases, each a script of its own
# that uses one real server behind fdsup; 77 means that it could not be tried here.
set -u
export SERVER_KIND=fdsup FDSUP=$2/fdsup FDSUPCTL=$2/fdsupctl FDSUP_LIBEXEC=$2
CASES=$1 FDSUP_HOOK=$(cd "$(dirname "$0")" && pwd)/cases-hook.sh
export CASES FDSUP_HOOK
passed=0 failed=0 skipped=0
for case in "$1"/cases/*.sh "$1"/interop/*.sh; do
	output=$(timeout -k 10 120 bash "$case" 2>&1 < /dev/null)
	case $? in
	0) passed=$((passed + 1)) ;;
	77) skipped=$((skipped + 1)) ;;
	*) failed=$((failed + 1)) ;;
	esac
	printf '%s\n' "$output"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
