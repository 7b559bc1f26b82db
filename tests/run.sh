#!/bin/bash
# Everything that must hold before a change goes in; installs what is missing, needs no answer.
#
# Builds with gcc (warnings are errors) and once more with AddressSanitizer and UBSan, then lets one
# CTest run the tests of both builds and what tests/whole/CMakeLists.txt adds: clang, valgrind, the
# quick start, the examples. The summary is CTest's, and so is the exit code.
#
#   tests/run.sh [OPTION OF CTEST...]        for example -R system-serving
#
# FDSUP_CASES names a folder of acceptance cases; without it ../shared/cases beside the tree, if any.
set -eu -o pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/cmake/debian-packages.sh"

# shellcheck disable=SC2086 # a list of words
packages_need $packages_to_build libcriterion-dev clang:clang valgrind:valgrind mandoc:mandoc \
	python3:python3 ip:iproute2 rsync:rsync git:git busybox:busybox curl:curl socat:socat \
	tmux:tmux zsh:zsh fish:fish python3-prometheus-client \
	go:golang-go golang-github-varlink-go-dev gunicorn:gunicorn aiosmtpd:python3-aiosmtpd chromium:chromium

temporary=$(mktemp -d /tmp/fdsup-tests-XXXXXX)
chmod 755 "$temporary"
trap 'rm -rf "$temporary"' EXIT
trap 'exit 130' INT TERM

# Workers run as other users, who must be able to reach the programs.
build=$top/build
mkdir -p "$build"
if [ "$(id -u)" -eq 0 ] &&
	! setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups test -x "$build"; then
	echo "$top is closed to other users: building in $temporary"
	build=$temporary/build
	mkdir "$build"
fi

configure() {
	local name=$1
	shift
	cmake -S "$top" -B "$build/$name" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DFDSUP_WERROR=ON \
		-DFDSUP_TESTS=ON "$@" > "$temporary/configure.log" 2>&1 && return 0
	cat "$temporary/configure.log" >&2
	return 1
}

# A case may write beside itself: a copy, with what install.sh of the cases brings.
copy_cases() {
	[ -d "$1/cases" ] || return 0
	cp -r "$1" "$temporary/cases"
	chmod -R u+w "$temporary/cases"
	timeout 300 sh "$temporary/cases/install.sh" > "$temporary/install.log" 2>&1 < /dev/null ||
		echo "The packages of the acceptance cases are not all there: some will be skipped."
	cases=$temporary/cases
}
cases=
copy_cases "${FDSUP_CASES:-$top/../shared/cases}"

echo "Building with gcc"
configure debug
cmake --build "$build/debug" --parallel 2
echo "Building with AddressSanitizer and UBSan"
configure asan -DFDSUP_SANITIZE=ON
cmake --build "$build/asan" --parallel 2
configure clang -DCMAKE_C_COMPILER=clang -DFDSUP_MUSL=OFF

cmake -S "$top/tests/whole" -B "$build/whole" -DFDSUP_TOP="$top" -DFDSUP_DEBUG="$build/debug" \
	-DFDSUP_ASAN="$build/asan" -DFDSUP_CLANG="$build/clang" -DFDSUP_CASES="$cases" > /dev/null
cd "$build/whole"
ctest --output-on-failure --no-tests=error --parallel 2 "$@" < /dev/null
