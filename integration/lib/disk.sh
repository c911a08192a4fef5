# A state directory on a disk of its own, what may happen to it, and how long the first verdict takes then.

DISK_SIZE=8m

mount_disk() {
    mkdir -p "$RUN/state"
    mount -t tmpfs -o "size=$DISK_SIZE,mode=0700" tufd-state "$RUN/state"
}

remount_disk() {
    mount -o "remount,$1" "$RUN/state"
}

# Takes all space that is left.
fill_disk() {
    cat /dev/zero >"$RUN/state/filler" 2>>"$RUN/log/disk" || true
    refuse cp /etc/hostname "$RUN/state/more" 2>>"$RUN/log/disk"
    rm -f "$RUN/state/more"
}

free_disk() {
    rm "$RUN/state/filler"
}

# first_verdict SECONDS: starts the daemon and asks from then on, until it says ALLOW about APP.
first_verdict() {
    local from=$EPOCHREALTIME status=1
    start_tufd
    until ((status == 0 || ${EPOCHREALTIME/./} - ${from/./} > 10000000)); do
        status=0
        tufctl verify "$APP@$APP_DIGEST" >"$RUN/log/first" 2>&1 || status=$?
    done
    local took=$((${EPOCHREALTIME/./} - ${from/./}))
    echo "    first verdict $(seconds_since "$from") s after exec (limit $1): $(head -c 60 "$RUN/log/first" | tr '\n' ' ')"
    ((status == 0 && took < $1 * 1000000))
}

# restart_after COMMAND…: the daemon is stopped, this is done to its files, and it answers within a second of its start.
restart_after() {
    stop tufd
    "$@"
    first_verdict 1
}

# publish_another: a new image AND, signed and published.
published=0
publish_another() {
    published=$((published + 1))
    AND=$REGISTRY/payments/app:and-$published
    make_image "$AND" "$published"
    sign_image payments "$AND"
    AND_DIGEST=$(digest "$AND")
}

# expect_refresh_fails WORDS: on these; what was published stays unknown, and what was allowed allowed.
expect_refresh_fails() {
    expect_exit 1 "$1" tufctl refresh
    echo "    $(grep -o "cannot be kept.*" "$RUN/log/exit" | head -n 1)"
    expect_allow "$APP" "$APP_DIGEST"
    expect_deny TARGET_NOT_FOUND "$AND" "$AND_DIGEST"
}

# A refresh brings all back without a human: both copies of the chain are good.
expect_whole_after_refresh() {
    [[ ${PROCESS[metadata]:-} ]] || start_metadata_server
    publish_another
    tufctl refresh >"$RUN/log/refresh" 2>&1
    expect_allow "$AND" "$AND_DIGEST"
    stop metadata
    restart_after rm -r "$RUN/state/db"
    stop tufd
    rm -r "$RUN/state/chains"
    first_verdict 3
    expect_allow "$AND" "$AND_DIGEST"
    expect_trust 'trust["reason"]' ''
    restart_after true
}

# set_aside: how many databases were.
set_aside() {
    find "$RUN/state" -maxdepth 1 -name 'db.corrupt-*' | wc -l
}

# hold_lock FILE: as another process that uses the database would.
hold_lock() {
    start holder python3 -c 'import fcntl, signal, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
open(sys.argv[2], "w").close()
signal.pause()' "$1" "$RUN/held"
    within 5 test -e "$RUN/held"
    rm "$RUN/held"
}
