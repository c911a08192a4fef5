claim "with the plain files deleted, it answers from sled as soon as that is open"
stop tufd
rm -r "$RUN/state/chains"
first_verdict 3
expect_whole_after_refresh
claim "with each of the files damaged in turn, too"
for file in "$RUN"/state/chains/*/*; do
    stop tufd
    echo damaged >"$file"
    first_verdict 3
done
expect_whole_after_refresh
