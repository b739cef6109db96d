#!/bin/bash
# Shell scripts: pipelines, background jobs, traps; in bash and in dash.
. "$(dirname "$(realpath "$0")")/lib.sh"

for shell in bash dash; do
	have "$shell" "$shell" || continue
	for script in pipes jobs traps; do
		check_program "${shell}_$script" --status "$([ $script = traps ] && echo 4 || echo 0)" -- "$shell" "$E2E/data/$script.sh"
	done
done
check_program bash_own -- bash "$E2E/data/bash.sh"
check_program bash_login -- env -i HOME="$RUN" bash -lc 'echo "$HOME" | wc -l; ulimit -n > /dev/null; type cd'
finish
