#!/bin/bash
# Builds fdsup and shows it at work: rsync, git, http, a health check and a daemon, on loopback.
#
#   examples/quickstart.sh          builds, starts, uses every service once; fdsup goes on running
#   examples/quickstart.sh stop     ends it
#   examples/quickstart.sh --once   the same, ended and removed at once
#
# fdsup runs as an ordinary user: as you, or as nobody when you are root. Everything lies in one
# directory below /tmp, the programs too: nobody need not be able to read the source tree.
set -eu -o pipefail
umask 022
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/cmake/debian-packages.sh"

user=$(id -un)
[ "$(id -u)" -ne 0 ] || user=nobody
dir=/tmp/fdsup-quickstart-$user # with --once another, see below
start_seconds=60                # the longest wait for anything but the build

die() {
	echo "quickstart.sh: $*" >&2
	exit 1
}

# A command as the user who runs fdsup, with nothing of our environment.
as_user() {
	local drop=()
	[ "$(id -u)" -ne 0 ] ||
		drop=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups --)
	(cd "$dir" && timeout "$start_seconds" "${drop[@]}" \
		env -i PATH="$PATH" HOME="$dir/home" LC_ALL=C "$@")
}

# --- the running fdsup

# fdsup holds a lock on its pid file for as long as it lives.
is_running() {
	[ -e "$dir/run/fdsup.pid" ] && ! flock -n "$dir/run/fdsup.pid" true
}

stop_fdsup() {
	local pid
	is_running || return 0
	read -r pid _ < "$dir/run/fdsup.pid"
	kill -TERM "$pid"
	flock -w "$start_seconds" "$dir/run/fdsup.pid" true && return 0
	kill -TERM "$pid" # the second one does not wait for services
	flock -w "$start_seconds" "$dir/run/fdsup.pid" true || die "fdsup (pid $pid) does not end"
}

# --- what it needs

# The directory, ours alone: the name is known beforehand, somebody may have taken it.
make_directory() {
	mkdir "$dir" 2> /dev/null || { [ -d "$dir" ] && [ ! -L "$dir" ] && [ -O "$dir" ]; } ||
		die "$dir belongs to somebody else; remove it"
	stop_fdsup
	(cd "$dir" && rm -rf bin copies home log run srv maintenance)
	mkdir "$dir"/{bin,copies,home,log,run,srv}
	[ "$(id -u)" -ne 0 ] || chown "$user" "$dir"/{copies,home,log,run,srv}
}

# Quietly, unless it fails.
logged() {
	"$@" >> "$dir/build.log" 2>&1 < /dev/null && return 0
	tail -n 30 "$dir/build.log" >&2
	die "failed: $*"
}

build() {
	local build=$top/build/release configure=()
	if ! { mkdir -p "$build" 2> /dev/null && [ -w "$build" ]; }; then
		build=$dir/build
		mkdir -p "$build"
	fi
	[ -e "$build/CMakeCache.txt" ] ||
		configure=(-G Ninja -DCMAKE_BUILD_TYPE=Release -DFDSUP_TESTS=OFF)
	echo "Building in $build"
	: > "$dir/build.log"
	logged flock "$build" cmake -S "$top" -B "$build" "${configure[@]}"
	logged flock "$build" cmake --build "$build"
	cp "$build"/bin/fdsup "$build"/bin/fdsupctl "$build"/bin/fdsup-* "$top/examples/health.sh" "$dir/bin/"
}

make_content() {
	as_user mkdir -p srv/files srv/www srv/git/hello
	as_user sh -c 'date > srv/files/made && head -c 1000000 /dev/urandom > srv/files/random
		echo "<h1>It works.</h1>See also <a href=status.txt>status.txt</a>." > srv/www/index.html
		cd srv/git/hello && git init -q && echo Hello. > README && git add README &&
		git -c user.name=nobody -c user.email=nobody@localhost commit -q -m Hello'
	cat > "$dir/rsyncd.conf" <<-END
		use chroot = no
		log file = $dir/log/rsyncd.log
		[files]
		path = $dir/srv/files
	END
}

is_listening() {
	cat /proc/net/tcp /proc/net/tcp6 2> /dev/null |
		awk -v port="$(printf ':%04X' "$1")" '
			$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
			END { exit !found }'
}

# choose_port SERVICE PREFERRED: the first free one from there on, in ${port[SERVICE]}.
declare -A port
choose_port() {
	local candidate=$2
	while is_listening "$candidate" || [[ " ${port[*]} " = *" $candidate "* ]]; do
		candidate=$((candidate + 1))
	done
	[ "$candidate" = "$2" ] || echo "Port $2 is taken: $1 gets $candidate"
	port[$1]=$candidate
}

configure() {
	local base=$1
	port=()
	choose_port rsync $((base + 873))
	choose_port git $((base + 1418))
	choose_port http $((base + 80))
	choose_port health $((base + 81))
	sed -e "s|@DIR@|$dir|g" -e "s|@RSYNC_PORT@|${port[rsync]}|; s|@GIT_PORT@|${port[git]}|" \
		-e "s|@HTTP_PORT@|${port[http]}|; s|@HEALTH_PORT@|${port[health]}|" \
		"$top/examples/quickstart.conf" > "$dir/fdsup.conf"
}

# Returns when all services listen. Between choosing and binding a port may have gone.
start_fdsup() {
	local attempt
	for attempt in 1 2 3 4 5; do
		configure "$1"
		as_user "$dir/bin/fdsup" -c "$dir/fdsup.conf" --background && return 0
		grep -q 'address in use' "$dir/log/fdsup.log" || break
		mv "$dir/log/fdsup.log" "$dir/log/fdsup.log.$attempt"
	done
	cat "$dir/log/fdsup.log" >&2 || :
	die "fdsup did not start"
}

# --- using it

show() {
	echo "\$ $*"
	as_user "$@"
}

ctl() {
	echo "\$ fdsupctl $*"
	as_user env FDSUP_SOCKET="$dir/run/admin.sock" "$dir/bin/fdsupctl" "$@"
	echo
}

expect_same() {
	diff -r --exclude=.git "$dir/$1" "$dir/$2" || die "$2 is not what $1 holds"
}

# The publisher needs a moment for its first page.
wait_for_page() {
	local tries=$((start_seconds * 10))
	until [ -s "$dir/srv/www/status.txt" ]; do
		[ $((tries -= 1)) -gt 0 ] || die "the publisher wrote nothing; see $dir/log/fdsup.log"
		sleep 0.1
	done
}

use_services() {
	local http=http://127.0.0.1:${port[http]}
	show rsync -a "rsync://127.0.0.1:${port[rsync]}/files/" copies/files
	expect_same srv/files copies/files
	show git clone -q "git://127.0.0.1:${port[git]}/hello" copies/hello
	expect_same srv/git/hello copies/hello
	show curl -fsS "$http/" -o copies/index.html
	expect_same srv/www/index.html copies/index.html
	show curl -fsS "http://127.0.0.1:${port[health]}/"
	wait_for_page
	show curl -fsS "$http/status.txt" -o copies/status.txt
	grep -q '^publisher  *UP' "$dir/copies/status.txt" || die "the publisher's page is wrong"
	echo
	ctl status
	ctl listeners
	ctl workers
}

say_what_next() {
	cat <<-END
		fdsup goes on running, as $user. To talk to it:

		  export FDSUP_SOCKET=$dir/run/admin.sock PATH=$dir/bin:\$PATH
		  fdsupctl status
		  fdsupctl restart http
		  touch $dir/maintenance; curl http://127.0.0.1:${port[health]}/

		Its configuration is $dir/fdsup.conf: change it, then
		  fdsupctl reload
		Its log is $dir/log/fdsup.log. To stop it:
		  $0 stop
	END
}

run() {
	make_directory
	build
	make_content
	start_fdsup "$1"
	echo "fdsup runs as $user with $dir/fdsup.conf"
	echo
	use_services
}

case ${1-} in
stop)
	is_running || { echo "It does not run."; exit 0; }
	stop_fdsup
	echo "Stopped. $dir holds its log and files."
	exit 0
	;;
'' | --once) ;;
*)
	echo "usage: $0 [--once | stop]" >&2
	exit 64
	;;
esac

# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build rsync:rsync git:git busybox:busybox curl:curl

if [ "${1-}" = --once ]; then
	dir=$(mktemp -d /tmp/fdsup-quickstart-XXXXXX)
	chmod 755 "$dir"
	trap 'stop_fdsup; rm -rf "$dir"' EXIT
	trap 'exit 130' INT TERM
	run $((10000 + RANDOM % 200 * 100))
	stop_fdsup
	echo "All services answered; fdsup is stopped."
else
	trap '[ $? -eq 0 ] || stop_fdsup' EXIT
	trap 'exit 130' INT TERM
	run 8000
	trap - EXIT
	say_what_next
fi
