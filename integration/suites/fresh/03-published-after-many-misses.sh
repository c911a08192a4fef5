claim "pulls of an image that nobody signed hold no new image up"
make_image "$REGISTRY/payments/unsigned:v1" unsigned
for _ in 1 2 3; do expect_blocked TARGET_NOT_FOUND pull_ctr "$REGISTRY/payments/unsigned:v1"; done
make_image "$REGISTRY/payments/late:v1" late
sign_image payments "$REGISTRY/payments/late:v1"
within 8 pull_cri "$REGISTRY/payments/late:v1"
claim "nor itself, once it is signed"
sign_image payments "$REGISTRY/payments/unsigned:v1"
within 8 pull_cri "$REGISTRY/payments/unsigned:v1"
