start_parts
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
