claim "a bad command line: exit 64, for tufctl 2"
expect_exit 64 "" tufd
expect_exit 64 config tufd run --config
expect_exit 64 surprise tufd run --config "$RUN/good.toml" --surprise
expect_exit 64 surprise tufd surprise
expect_exit 2 "" tufctl verify "$APP"
expect_exit 2 surprise tufctl surprise
