MULTI=$REGISTRY/payments/multi:v1
make_index "$MULTI" multi
sign_image payments "$MULTI"
within 8 expect_allow "$MULTI" "$(digest "$MULTI")"
claim "an image of two platforms is pulled by tag, by the index's digest and by one manifest's digest"
expect_pull pull_cri "$MULTI"
expect_pull pull_ctr --platform linux/arm64 "$MULTI"
expect_pull pull_cri "${MULTI%:*}@$(digest "$MULTI")"
expect_pull pull_cri "${MULTI%:*}@$(digest "$MULTI-arm64")"
