claim "junk in the place of each file: refreshes fail, the old chain goes on answering"
metadata=$RUN/org/www/metadata
for file in timestamp.json 2.root.json; do
    for junk in empty random braces deep huge; do
        expect_refused "$file" "$junk"
    done
done

claim "a newer timestamp whose snapshot is junk or missing: the same"
cp -r "$metadata" "$RUN/before"
make_image "$REGISTRY/payments/next:v1" next
sign_image payments "$REGISTRY/payments/next:v1"
for junk in empty random braces deep huge missing; do
    expect_refused "$(newest snapshot)" "$junk"
done

claim "a team's role that is junk or missing: ROLE_UNAVAILABLE for the team's names, and for no others"
role=$(newest payments)
for junk in empty random braces deep huge missing; do
    offer "$role" "$junk"
    tufctl refresh >"$RUN/log/refresh" 2>&1 || true
    expect_deny ROLE_UNAVAILABLE "$APP" "$APP_DIGEST"
    expect_allow "$REGISTRY/system/pause:1" "$(digest "$REGISTRY/system/pause:1")"
    take_back "$role"
done

claim "the good files are taken afterwards: nothing was lost"
NEXT_DIGEST=$(digest "$REGISTRY/payments/next:v1")
tufctl refresh
expect_allow "$REGISTRY/payments/next:v1" "$NEXT_DIGEST"

claim "older files served again are refused, and change nothing"
mv "$metadata" "$RUN/after"
mv "$RUN/before" "$metadata"
refuse tufctl refresh
expect_allow "$APP" "$APP_DIGEST"
expect_allow "$REGISTRY/payments/next:v1" "$NEXT_DIGEST"
rm -r "$metadata"
mv "$RUN/after" "$metadata"
tufctl refresh
