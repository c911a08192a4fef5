claim "an image under a new name is pullable within 8 s, with a refresh period of $PERIOD"
make_image "$REGISTRY/payments/new:v1" new
sign_image payments "$REGISTRY/payments/new:v1"
within 8 pull_cri "$REGISTRY/payments/new:v1"

claim "a tag that moved is too"
make_image "$APP" second
sign_image payments "$APP"
within 8 pull_cri "$APP"
claim "and the digest that it left is refused under the tag"
expect_deny DIGEST_MISMATCH "$APP" "$APP_DIGEST"
