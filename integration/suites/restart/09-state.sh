claim "an export taken while it runs, put into a new directory of another user, answers with everything down"
stop_spire
publish_another
start_metadata_server
tufctl refresh >"$RUN/log/refresh" 2>&1
stop metadata
tufctl state export --dir "$RUN/state" "$RUN/export.json"
[[ $(stat -c %a "$RUN/export.json") == 600 ]]
claim "a directory that knows the trust, or that a daemon holds, is refused"
expect_exit 1 "while tufd runs" tufctl state import --dir "$RUN/state" "$RUN/export.json"
stop tufd
expect_exit 1 "already has floors" tufctl state import --dir "$RUN/state" "$RUN/export.json"
chmod 0711 "$RUN" # for that user to pass
install -d -m 0700 -o 4321 -g 4321 "$RUN/moved"
tufctl state import --dir "$RUN/moved" - <"$RUN/export.json"
[[ -z $(find "$RUN/moved" ! -uid 4321) ]]
umount "$RUN/state"
chown -R 0:0 "$RUN/moved"
cp -a "$RUN/moved/." "$RUN/state"
first_verdict 1
expect_allow "$AND" "$AND_DIGEST"
expect_exit 0 "acme" tufctl state reset-time-floor acme
grep -q TIME_FLOOR_RESET "$RUN/log/tufd"
