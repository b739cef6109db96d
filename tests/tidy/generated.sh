#!/bin/bash
# generated.sh FILE GENERATOR: a generated file in the tree must be what its generator prints.
set -euo pipefail

if ! "$2" | diff -u "$1" -; then
	echo "$1 is stale; write it again: $2 > $1"
	exit 1
fi
