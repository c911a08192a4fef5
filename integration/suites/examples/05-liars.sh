chmod 0711 "$RUN" # so that another user can reach its own directory
install -d -o 65534 "$RUN/o"
claim "another user's ALLOW is not believed"
EXAMPLE_SOCKET=$RUN/o/liar.sock
start_liar 65534 "$EXAMPLE_SOCKET" 1 "$APP_DIGEST"
expect_examples 3 65534 "$APP" "$APP_DIGEST"
claim "and would be, were that user the one that tufd runs as"
TUFD_UID=65534 expect_examples 0 "ALLOW SIGNED" "$APP" "$APP_DIGEST"
stop liar

claim "an ALLOW about another digest, and decisions that nobody knows, are no verdict"
EXAMPLE_SOCKET=$RUN/liar.sock
refuse_lie() {
    start_liar 0 "$EXAMPLE_SOCKET" "$2" "$3"
    expect_examples 3 "$1" "$APP" "$APP_DIGEST"
    stop liar
    rm -f "$EXAMPLE_SOCKET"
}
refuse_lie "the verdict is about" 1 sha256:00
refuse_lie "neither ALLOW nor DENY" 0 "$APP_DIGEST"
refuse_lie "neither ALLOW nor DENY" 3 "$APP_DIGEST"
unset EXAMPLE_SOCKET
