mount_disk
start_registry
start_org
start_spire
bundle_set root-1 root-2 root-3
register_tufd
APP=$REGISTRY/payments/app:v1
make_image "$APP" first
sign_image payments "$APP"
APP_DIGEST=$(digest "$APP")
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
