# Sourced by the scripts that build: installs what is missing, with apt-get and nothing else.
#
# An entry is "program:package" (found as a command) or "package" (a library, found by dpkg). What is
# there already, from whatever source, is left alone; without apt-get the build itself says what it
# lacks.

# shellcheck disable=SC2034 # for whoever sources this
packages_to_build="cc:build-essential make:build-essential cmake:cmake ninja:ninja-build
	pkg-config:pkg-config musl-gcc:musl-tools libconfig-dev libev-dev libjansson-dev
	libmnl-dev libseccomp-dev"

# packages_missing ENTRY... prints the packages, each once.
packages_missing() {
	local entry
	for entry; do
		case $entry in
		*:*) PATH=$PATH:/usr/sbin:/sbin command -v "${entry%%:*}" > /dev/null || echo "${entry#*:}" ;;
		*)
			command -v dpkg-query > /dev/null || continue
			[ "$(dpkg-query -W -f '${db:Status-Status}' "$entry" 2> /dev/null)" = installed ] ||
				echo "$entry"
			;;
		esac
	done | sort -u
}

# packages_need ENTRY... returns when all of them are installed, or ends the script.
packages_need() {
	local missing root=
	missing=$(packages_missing "$@" | xargs)
	[ -n "$missing" ] || return 0
	if ! command -v apt-get > /dev/null; then
		echo "$0: there is no apt-get here; install what Debian calls: $missing" >&2
		exit 1
	fi
	if [ "$(id -u)" -ne 0 ]; then
		root=sudo
		if ! command -v sudo > /dev/null; then
			echo "$0: neither root nor sudo; as root: apt-get install $missing" >&2
			exit 1
		fi
	fi
	echo "Installing with apt-get: $missing"
	local log
	log=$(mktemp)
	# shellcheck disable=SC2086 # both are lists of words
	if { $root apt-get update && $root env DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $missing; } \
		> "$log" 2>&1 < /dev/null; then
		rm -f "$log"
		return 0
	fi
	tail -n 20 "$log" >&2
	echo "$0: apt-get failed, all that it said is in $log" >&2
	exit 1
}
