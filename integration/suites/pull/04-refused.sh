claim "unsigned: blocked, and the error says why"
make_image "$REGISTRY/payments/unsigned:v1" unsigned
expect_blocked TARGET_NOT_FOUND pull_ctr "$REGISTRY/payments/unsigned:v1"
expect_blocked TARGET_NOT_FOUND pull_cri "$REGISTRY/payments/unsigned:v1"
expect_blocked TARGET_NOT_FOUND pull_cri "$REGISTRY/payments/unsigned@$(digest "$REGISTRY/payments/unsigned:v1")"

claim "signed by the wrong team"
make_image "$REGISTRY/payments/foreign:v1" foreign
sign_image logistics "$REGISTRY/payments/foreign:v1"
tufctl refresh
expect_blocked TARGET_NOT_FOUND pull_ctr "$REGISTRY/payments/foreign:v1"
expect_blocked TARGET_NOT_FOUND pull_cri "$REGISTRY/payments/foreign:v1"

claim "another digest under a signed tag"
make_image "$REGISTRY/payments/swapped:v1" honest
sign_image payments "$REGISTRY/payments/swapped:v1"
tufctl refresh
make_image "$REGISTRY/payments/swapped:v1" evil
expect_blocked DIGEST_MISMATCH pull_ctr "$REGISTRY/payments/swapped:v1"
expect_blocked DIGEST_MISMATCH pull_cri "$REGISTRY/payments/swapped:v1"

claim "a name outside every policy"
make_image "$REGISTRY/elsewhere/app:v1" elsewhere
expect_blocked NO_POLICY pull_ctr "$REGISTRY/elsewhere/app:v1"
expect_blocked NO_POLICY pull_cri "$REGISTRY/elsewhere/app:v1"
