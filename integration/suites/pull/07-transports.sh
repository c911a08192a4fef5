claim "the same repository over https, whose certificate the machine's own CA signed"
HTTPS_PORT=$(free_ports 1)
make_certificate localhost
start https python3 "$integration/https.py" "$HTTPS_PORT" "$RUN/tls" "$RUN/org/www"
SOURCES="\"https://localhost:$HTTPS_PORT/metadata/\""
stop tufd
rm -rf "$RUN/state"
SSL_CERT_FILE=$RUN/tls/ca.pem start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"

claim "an https server that the machine's CAs do not know is no source"
stop tufd
rm -rf "$RUN/state"
start_tufd
within 10 tufctl status
expect_exit 3 NO_TRUST tufctl verify "$APP@$APP_DIGEST"

claim "and from a directory"
SOURCES="\"file://$RUN/org/www/metadata/\""
stop tufd
start_tufd
within 10 expect_allow "$APP" "$APP_DIGEST"
refuse_panics
