#!/bin/bash
# self.sh: the source checks see what they are for: each must accept a clean tree and refuse one
# with the fault planted. Runs in a temporary directory.
set -eu
tidy=$(dirname "$(realpath "$0")")
cd "${WORK:-$(mktemp -d)}"

fresh()
{
	rm -rf tree
	mkdir -p tree/{traces,sandbox,record,replay,verify,docs}
	echo '#include "../traces/a.h"' > tree/record/a.c
	echo '/* A thread may call setsid() and lead a session; docs/A.md tells. */' > tree/traces/a.h
	echo '`sworn replay`' > tree/docs/A.md
}

# refuses CHECK TEXT FILE: the text added to the file must make the check fail and name the file.
refuses()
{
	fresh
	printf '%s\n' "$2" >> "tree/$3"
	if bash "$tidy/$1.sh" "$PWD/tree" > out 2>&1 || ! grep -q "^$3:" out; then
		echo "$1.sh did not refuse '$2' in $3:"
		cat out
		exit 1
	fi
}

fresh
for check in layers words; do
	bash "$tidy/$check.sh" "$PWD/tree"
done

refuses layers '#include "../sandbox/guest.h"' traces/a.h
refuses layers '# include "../../record/record.h"' sandbox/a.c
refuses layers '#include "../replay/replay.h"' record/a.c
refuses layers '#include "../record/record.h"' replay/a.c
refuses layers '#include "sandbox/guest.h"' verify/a.c
refuses layers '#include "../replay/replay.h"' verify/a.c
refuses layers '#include <sys/ptrace.h>' traces/a.h
refuses words '/* see issue #12 */' traces/a.h
refuses words '# reads /home/anna/notes' record/run.sh
refuses words '/* as discussed, the last session */' record/a.c
refuses words '/* FIXME */' record/a.c
refuses words '/**********************/' record/a.c
refuses words 'as MISSING.md says' docs/A.md
