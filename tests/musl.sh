#!/bin/sh
# Every source can be compiled with another C library than glibc: with musl, which Alpine and OpenWrt
# have. (What a library of theirs lacks shows as a function that nobody has declared.)
#
# FDSUP_SOURCE: the top of the source tree.

: "${FDSUP_SOURCE:?the top of the source tree}"
command -v musl-gcc >/dev/null || { echo "skipped: musl-gcc is not installed"; exit 77; }

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# The headers of the libraries and of the kernel, without those of glibc beside them.
machine=/usr/include/$(gcc -print-multiarch)
for name in ev.h libconfig.h jansson.h jansson_config.h libmnl seccomp.h seccomp-syscalls.h linux asm-generic; do
	[ -e "/usr/include/$name" ] || { echo "skipped: no /usr/include/$name"; exit 77; }
	ln -s "/usr/include/$name" "$work/$name"
done
ln -s "$machine/asm" "$work/asm"

sources=$(find "$FDSUP_SOURCE/src" -name '*.c')
[ "$(echo "$sources" | wc -l)" -gt 100 ] || { echo "FAILED: hardly any source was found"; exit 1; }

# shellcheck disable=SC2086 # no blank in these names
echo "$sources" | xargs -P 2 -n 20 musl-gcc -std=gnu17 -D_GNU_SOURCE -fsyntax-only -w \
	-Werror=implicit-function-declaration -Werror=int-conversion \
	-I"$FDSUP_SOURCE/src" -I"$FDSUP_SOURCE/include" -isystem "$work" -DFDSUP_VERSION='"0"' -DFDSUP_LIBEXECDIR='"/"' || {
	echo "FAILED: see above; what only glibc has belongs into src/base, with something for the others"
	exit 1
}
