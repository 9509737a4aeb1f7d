# Process 1 of a container: runs one program after another, and leaves no trace of one to the next.
#
# In: MARK, N and N words for `env`, each ended by a NUL. Out: the program's output, then NUL MARK, its
# exit status and 1 where the container is as it was at first. A byte while a program runs asks it to end.
# So does the end of the input (ingot is gone, however it went), and then this ends.
set -m # a program leads a process group of its own, and no signal is ignored in it
shopt -s dotglob
grace=$1

others() { kill -0 -- -1; }

# What a program may leave that is not in /build or /tmp: the root is read-only.
traces() {
    local files=(/dev/* /dev/shm/* /dev/mqueue/*) memory semaphores messages
    mapfile -t memory </proc/sysvipc/shm
    mapfile -t semaphores </proc/sysvipc/sem
    mapfile -t messages </proc/sysvipc/msg
    traces="${files[*]} ${#memory[@]} ${#semaphores[@]} ${#messages[@]}"
}

sweep() {
    local turn
    for ((turn = 0; turn < 200; turn++)); do
        kill -KILL -- -1
        others || return
        ((turn < 50)) || sleep 0.05
    done
}

traces
first=$traces
while IFS= read -r -d '' mark && IFS= read -r -d '' count; do
    words=()
    while ((${#words[@]} < count)) && IFS= read -r -d '' word; do words+=("$word"); done
    (
        trap '' TERM
        read -r -N 1
        kill -TERM -- -1
        sleep "$grace"
        kill -KILL -- -1
    ) <&0 >/dev/null &
    env --ignore-environment --default-signal "${words[@]}" </dev/null 2>&1 &
    wait $! # not -f: bash 5.2 may then look at what it has freed, and wait for ever
    status=$?
    sweep
    traces
    clean=0
    if ! others && [[ $traces == "$first" ]]; then clean=1; fi
    printf '\0%s %d %d\n' "$mark" "$status" "$clean"
done 2>/dev/null
