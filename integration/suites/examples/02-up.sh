(cd "$repository/examples/go" && go build -mod=readonly -buildvcs=false -o "$RUN/verify-image-go")
start_parts
make_image "$REGISTRY/payments/unsigned:v1" unsigned
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
