claim "a reference that distribution refuses: DENY INVALID_REFERENCE"
for junk in \
    "$REGISTRY/UPPER:v1" "$REGISTRY//app:v1" "../../etc/passwd" "$REGISTRY/app:v1:v2" "$REGISTRY/app:" \
    " $APP" "$APP " "$APP"$'\n' "$REGISTRY/é:v1" "$REGISTRY/-app:v1" "$REGISTRY/app:$(printf 'a%.0s' {1..200})" \
    "$REGISTRY/$(printf 'a%.0s' {1..300}):v1" "$(printf 'a%.0s' {1..60000})" \
    "https://$APP" "$APP@$APP_DIGEST@$APP_DIGEST" "$APP@sha256:$(printf '0%.0s' {1..64})"; do
    expect_deny INVALID_REFERENCE "$junk" "$APP_DIGEST"
done

claim "one beyond the limit of a message is not even read: no verdict, which blocks"
expect_exit 3 "too large" tufctl verify "$(printf 'a%.0s' {1..100000})@$APP_DIGEST"
