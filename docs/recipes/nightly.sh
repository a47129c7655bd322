#!/bin/sh
# Runs a pipeline and tries again where that can help. Usage: nightly.sh PIPELINE.toml [MORE ARGUMENTS OF `tessera run`]
# Ends with the exit code of the last try.
# TESSERA_TRIES: how often at most (12). TESSERA_WAIT_SECONDS: how long between two tries (900).
set -u
tries=${TESSERA_TRIES:-12}
wait=${TESSERA_WAIT_SECONDS:-900}
try=1
while :; do
    tessera run "$@"
    code=$?
    case $code in
        0) exit 0 ;;                # published, or published before
        3 | 4 | 5 | 6 | 130) ;;     # data that is late, a disk, another run, in doubt, interrupted: the same run again is safe
        *) exit "$code" ;;          # 1, 2 and all others: the same run ends the same way
    esac
    if [ "$try" -ge "$tries" ]; then
        exit "$code"
    fi
    try=$((try + 1))
    sleep "$wait"
done
