#!/bin/sh
# libfdsup as others find it: installed, found by pkg-config, with a header that every C and C++
# compiler takes, and with no other names than its own. The program in fdsup_worker(3) builds and runs.
#
# FDSUP_BIN: the folder of the built programs. FDSUP_SOURCE: the top of the source tree.

: "${FDSUP_BIN:?the folder of the programs}" "${FDSUP_SOURCE:?the top of the source tree}"
set -eu

work=$(mktemp -d)
worker=
trap '[ -z "$worker" ] || kill "$worker"; rm -rf "$work"' EXIT
cmake --install "$FDSUP_BIN/.." --component library --prefix "$work" >"$work/log"

pc=$(find "$work" -name fdsup.pc)
library=$(find "$work" -name libfdsup.so)
if [ -z "$pc" ] || [ -z "$library" ]; then
	echo "FAILED: something is not installed"
	exit 1
fi
PKG_CONFIG_PATH=$(dirname "$pc")
LD_LIBRARY_PATH=$(dirname "$library")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
# The prefix is another one than at configuration.
words="$(pkg-config --define-variable=prefix="$work" \
	--define-variable=includedir="$work/include" \
	--define-variable=libdir="$LD_LIBRARY_PATH" --cflags --libs fdsup)"

echo '#include <fdsup/worker.h>' >"$work/header.c"
cp "$work/header.c" "$work/header.cc"
# shellcheck disable=SC2086 # a list of words
for language in c99 c11 c17; do
	cc -std=$language -pedantic -Wall -Wextra -Werror -c "$work/header.c" -o "$work/o" $words
done
# shellcheck disable=SC2086
! command -v c++ >/dev/null ||
	c++ -std=c++11 -pedantic -Wall -Wextra -Werror -c "$work/header.cc" -o "$work/o" $words

for file in "$library" "$LD_LIBRARY_PATH/libfdsup.a"; do
	case $file in *.so) option=-D ;; *) option=-g ;; esac
	nm $option --defined-only "$file" | awk 'NF == 3 { print $3 }' >"$work/names"
	[ "$(grep -c '^fdsup_' "$work/names")" -ge 18 ] || { echo "FAILED: names missing in $file"; exit 1; }
	if grep -Ev '^(fdsup_|FDSUP_0|_*asan|__odr_asan|__x86\.get_pc_thunk)' "$work/names"; then
		echo "FAILED: $file shows these, too"
		exit 1
	fi
done
# A sanitized library needs a sanitized program.
nm -D "$library" | grep -q __asan && { echo "the rest is for a build without sanitizers"; exit 0; }

sed -n '/^#include <errno.h>/,/^\.Ed/p' "$FDSUP_SOURCE/man/fdsup_worker.3" |
	sed -e '/^\.Ed/d' -e 's/\\e/\\/g' >"$work/hello.c"
# shellcheck disable=SC2086
cc -Wall -Wextra -Werror "$work/hello.c" -o "$work/hello" $words
"$work/hello" "$work/hello.sock" &
worker=$!
python3 - "$work/hello.sock" <<-'END'
	import socket, sys, time
	acceptor = socket.socket(socket.AF_UNIX)
	for attempt in range(2000):
	    try:
	        acceptor.connect(sys.argv[1])
	        break
	    except OSError:
	        time.sleep(0.01)
	listener = socket.create_server(("127.0.0.1", 0))
	client = socket.create_connection(listener.getsockname())
	connection, _ = listener.accept()
	socket.send_fds(acceptor, [b"\0"], [connection.fileno()])
	connection.close()
	assert client.makefile().read() == "hello, 127.0.0.1:%d\n" % client.getsockname()[1]
END
kill "$worker"
wait "$worker"
worker=
[ ! -e "$work/hello.sock" ] || { echo "FAILED: the socket file is still there"; exit 1; }
echo "the library is as documented"
