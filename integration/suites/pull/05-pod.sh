claim "a pod of the signed image runs; its sandbox's image was verified too"
run_pod "$APP"
grep -q "Verifying image pull.*system/pause" "$RUN/log/containerd"
claim "a pod of the unsigned image does not"
refuse run_pod "$REGISTRY/payments/unsigned:v1"
refuse_panics
