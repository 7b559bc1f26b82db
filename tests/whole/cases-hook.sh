# How the acceptance cases start fdsup: as their own hook says, but a worker that is started by hand
# is waited for. A classic acceptor connects once, when it starts, and would be too early.
. "$CASES/lib/fdsup-hook.sh"
eval "start_$(declare -f fdsup_worker)"
fdsup_worker() {
	start_fdsup_worker "$@" || return
	local try
	for try in $(seq 200); do
		[ -S "$1" ] && return 0
		sleep 0.05
	done
	echo "fdsup-worker made no socket in 10 s"
	return 1
}
