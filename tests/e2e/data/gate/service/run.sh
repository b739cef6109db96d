#!/bin/sh
# The service with one client: run.sh PORT ORDER...
port=$1
shift
build/service "$port" service/prices.txt 3>&- &
build/client "$port" "$@"
status=$?
wait
exit $status
