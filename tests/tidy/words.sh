#!/bin/bash
# words.sh ROOT: the sources speak of the project alone and stay true by themselves. Refused are
# references to trackers, paths of somebody's machine, documents that are not in the tree, notes
# to do something later, and banners. Prints each place; exits 1 on any.
set -u
cd "$1" || exit 1

mapfile -t files < <(find . \( -path ./build -o -path ./.git -o -path ./tests/fuzz/corpus -o -path ./tests/golden \) -prune \
	-o -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.md' -o -name '*.sh' -o -name '*.py' -o -name '*.1' \
	-o -name '*.cddl' -o -name '*.txt' -o -name '*.json' -o -name '*.in' -o -name Makefile -o -path './.ci/*' \) \
	! -path ./tests/tidy/words.sh ! -path ./tests/tidy/self.sh -print)
wrong=0

# refuse REASON GREP-OPTIONS PATTERN [FILE...]
refuse()
{
	local reason=$1 options=$2 pattern=$3
	shift 3
	if grep -nHE "$options" -e "$pattern" -- "$@" | sed "s|^\./||; s|\$|   <- $reason|" | grep .; then
		wrong=1
	fi
}

refuse "refers to a tracker" -i '\b(issue|ticket|bug|pr|pull request|milestone) ?#?[0-9]+\b' "${files[@]}"
refuse "a path of one machine" -i '(^|[^a-z0-9_.])/(work|home/[a-z]+|users|mnt|srv)/' "${files[@]}"
refuse "says who or when, not what" -i \
	'\b(this|last|previous|next|another|helper) session\b|\bco-?workers?\b|\bsub-?agents?\b|\bthe brief\b|\bas (discussed|requested|agreed)\b|\bthe development machine\b' \
	"${files[@]}"
refuse "note for later: do it, or write it into docs/ROADMAP.md" -w '(TODO|FIXME|XXX|HACK)' "${files[@]}"
mapfile -t code < <(printf '%s\n' "${files[@]}" | grep -E '\.([ch]|def|sh|py)$')
refuse "banner" -i '^[[:space:]]*(/\*|//|#|\*)[[:space:]]*[-=*#~]{8,}' "${code[@]}"

# A document that the text names must be in the tree.
while IFS=: read -r file line name; do
	if [ -z "$(find . -path ./build -prune -o -name "$(basename "$name")" -print -quit)" ]; then
		echo "${file#./}:$line: names $name   <- no such document"
		wrong=1
	fi
done < <(grep -noHE '[A-Za-z0-9_./-]+\.md\b' -- "${files[@]}")
exit $wrong
