#!/bin/sh
# The manual keeps up with the programs: every key, verb and long option has its entry, and mandoc
# finds nothing to complain about.
#
# FDSUP_BIN: the folder of the built programs. FDSUP_SOURCE: the top of the source tree.

: "${FDSUP_BIN:?the folder of the programs}" "${FDSUP_SOURCE:?the top of the source tree}"
command -v mandoc >/dev/null || { echo "skipped: mandoc is not installed"; exit 77; }

cd "$FDSUP_SOURCE/man" || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

# A look-up that finds nothing to look up must not pass for a good one.
at_least() {
	[ "$(wc -l <"$2")" -ge "$1" ] || fail "only $(wc -l <"$2") names in $2, expected $1 or more"
}

# has PAGE MACRO NAME: a line of the page has the macro and then the name as a word.
has() {
	grep -Eq -- "^\.(.* )?$2 (.* )?$3( |\$)" "$1"
}

lint() {
	# In their folder, where mandoc finds the pages that they refer to.
	mandoc -Tlint -W style -- *.[1-9] >"$work/lint" 2>&1
	[ -s "$work/lint" ] || return
	cat "$work/lint"
	fail "mandoc -Tlint -W style has complaints"
}

# A service of each type, with the keys that --show-config leaves out where they are not given.
write_configuration() {
	only_root=
	[ "$(id -u)" -eq 0 ] && only_root='groups = [ ];'
	cat >"$work/fdsup.conf" <<-END
		runtime_dir = "$work/run";
		services = {
			each = {
				port = 8080; command = "/bin/cat"; description = "for each connection";
				allow = "192.0.2.0/24"; deny = "192.0.2.7"; hours = "08:00-18:00";
				banner = "hello\\n"; refuse_message = "no\\n"; max_load = 8;
				user = $(id -u); group = $(id -g); $only_root
			};
			lasting = { command = [ "/bin/sleep", "1000" ]; };
			taking = {
				type = "worker"; port = 8081; command = "/bin/cat";
				max_age = "1h"; max_uses = 1000; max_rss = "200M";
				watchdog = "10s";
			};
			accepting = { type = "listen"; port = 8082; command = "/bin/cat"; };
			forwarded = { port = 8083; to = "localhost:8080"; };
			small = { port = 8084; builtin = "time"; };
			theirs = { port = 8085; worker_socket = "$work/theirs"; };
			local = {
				address = "unix:$work/socket"; command = "/bin/cat";
				socket_user = $(id -u); socket_group = $(id -g); socket_mode = "0600";
			};
		};
	END
	chmod 600 "$work/fdsup.conf"
}

shown_keys() {
	write_configuration
	"$FDSUP_BIN/fdsup" -c "$work/fdsup.conf" --show-config >"$work/shown" ||
		fail "fdsup --show-config does not like the configuration of this test"
	sed -n 's/^[[:space:]]*\([a-z0-9_]*\) = .*/\1/p' "$work/shown" |
		grep -Evx 'each|lasting|taking|accepting|forwarded|small|theirs|local' | sort -u >"$work/keys"
	at_least 58 "$work/keys"
	while read -r key; do
		has fdsup.conf.5 'It Ic' "$key" || fail "fdsup.conf(5) has no entry for the key $key"
	done <"$work/keys"
}

# Those of later versions, too, which --show-config does not show.
known_keys() {
	sed -n 's/^	{ "\([a-z0-9_.]*\)", KEY_.*/\1/p' "$FDSUP_SOURCE/src/config/keys.c" |
		sed 's/.*\.//' | sort -u >"$work/known"
	at_least 80 "$work/known"
	while read -r key; do
		has fdsup.conf.5 Ic "$key" || fail "fdsup.conf(5) does not mention the key $key"
	done <"$work/known"
}

verbs() {
	"$FDSUP_BIN/fdsupctl" help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' >"$work/verbs"
	at_least 9 "$work/verbs"
	while read -r verb; do
		has fdsupctl.8 'It Cm' "$verb" || fail "fdsupctl(8) has no entry for the verb $verb"
	done <"$work/verbs"
}

# synopsis VERB: what stands there for one verb.
synopsis() {
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' fdsupctl.8 | awk -v verb="$1" '
		function tell() { if (block ~ "[.]Cm ([a-z ]*[|] )*" verb "( |\n)") printf "%s", block }
		/^\.Nm/ { tell(); block = "" }
		{ block = block $0 "\n" }
		END { tell() }'
}

# The options that help says are of some verbs alone: "-v, --verbose  more (status, top)".
synopses() {
	while read -r verb; do
		[ -n "$(synopsis "$verb")" ] || fail "the SYNOPSIS of fdsupctl(8) lacks the verb $verb"
	done <"$work/verbs"
	"$FDSUP_BIN/fdsupctl" help | sed -En 's/^ *(-([a-z]), )?--([a-z-]+).*\(([a-z, ]+)\)$/\2:\3:\4/p' \
		>"$work/options"
	at_least 8 "$work/options"
	while IFS=: read -r letter option names; do
		for verb in $(echo "$names" | tr -d ,); do
			synopsis "$verb" | grep -Eq -- "Fl (${letter:-none}|-$option)( |\$)" ||
				fail "the SYNOPSIS of fdsupctl(8) lacks --$option for $verb"
		done
	done <"$work/options"
}

long_options() {
	for program in fdsup fdsupctl fdsup-acceptor fdsup-worker fdsup-redirect fdsup-builtin fdsup-relay; do
		"$FDSUP_BIN/$program" --help | grep -Eo -- '--[a-z][a-z-]*' |
			sed 's/^--//' | sort -u >"$work/options"
		at_least 4 "$work/options"
		while read -r option; do
			has "$program.8" Fl "-$option" ||
				fail "$program(8) has no entry for the option --$option"
		done <"$work/options"
	done
}

lint
shown_keys
known_keys
verbs
synopses
long_options
[ "$failures" -eq 0 ] && echo "the manual is complete"
[ "$failures" -eq 0 ]
