#!/bin/sh
# Run a command of a rule with `retries`, but not again after a failure that a retry cannot mend.
#
#   guard.sh ATTEMPT LOG COMMAND...
#
# Snakemake retries after any exit code. Those of quell from 64 to 78 (wrong usage, bad data, missing
# input, ...) would come back every time: such a code is kept in LOG.final, and the attempts that
# follow end at once with it. The first attempt of a run of Snakemake forgets it, so that mended data
# are tried. 130, 137 and 143 (interrupted, too little memory, terminated) and what is not quell's are
# tried again. Snakemake deletes LOG before each attempt, so the messages of those that failed are
# kept in LOG.failed.
set -u

attempt=$1 log=$2
shift 2
failed=$log.failed final=$log.final

if [ "$attempt" -le 1 ]; then
    rm -f "$failed" "$final"
fi
if [ -f "$final" ]; then
    code=$(cat "$final")
    {
        cat "$failed"
        echo "attempt $attempt: not run, trying again does not mend exit code $code"
    } > "$log"
    exit "$code"
fi

# A signal may reach this shell alone, or the command too. quell counts TERM, and ends without keeping
# its state at the second; USR2 asks for the same and does not count.
"$@" > "$log" 2>&1 &
child=$!
trap 'stopped=1; kill -USR2 "$child" 2>/dev/null' TERM INT USR2 HUP
stopped=1
while [ -n "$stopped" ]; do
    stopped=
    wait "$child"
    code=$?
done

if [ "$code" -ne 0 ]; then
    echo "attempt $attempt: exit code $code" >> "$log"
    cat "$log" >> "$failed"
    tail -n 5 "$log" >&2
fi
if [ "$code" -ge 64 ] && [ "$code" -le 78 ]; then
    echo "$code" > "$final"
fi
exit "$code"
