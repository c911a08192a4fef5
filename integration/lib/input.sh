# Bad input: configurations, command lines, metadata, bundles.

# expect_exit STATUS WORD COMMAND…: exits with STATUS, and what it prints holds WORD.
expect_exit() {
    local wanted=$1 word=$2 status=0
    shift 2
    "$@" >"$RUN/log/exit" 2>&1 || status=$?
    if [[ $status != "$wanted" ]] || ! grep -qF -- "$word" "$RUN/log/exit"; then
        echo "  exit $status, wanted $wanted and \`$word\`: $*"
        sed 's/^/  | /' "$RUN/log/exit"
        return 1
    fi
}

# expect_bad_config TABLE LINE: the good configuration with LINE in TABLE is refused by the name of its key.
expect_bad_config() {
    local key=${2%% =*}
    [[ $1 != surprise ]] || key=surprise
    config_with "$1" "$2" "$RUN/good.toml" >"$RUN/bad.toml"
    expect_exit 78 "$key" tufd validate --config "$RUN/bad.toml" || {
        echo "  with [$1] $2"
        return 1
    }
}

# config_with TABLE LINE FILE: LINE replaces its key in the first such table, or is added to it.
config_with() {
    awk -v header="[$1]" -v line="$2" '
        BEGIN { key = line; sub(/ =.*/, "", key) }
        $0 == header && !done { print; print line; done = inside = 1; next }
        /^\[/ { inside = 0 }
        inside && index($0, key " =") == 1 { next }
        { print }
        END { if (!done) { print header; print line } }
    ' "$3"
}

# offer FILE JUNK: serves junk as FILE, keeping what was there for `take_back FILE`.
offer() {
    local file=$RUN/org/www/metadata/$1
    [[ ! -e $file ]] || mv "$file" "$RUN/aside"
    junk_"$2" "$file"
}

take_back() {
    rm -f "$RUN/org/www/metadata/$1"
    [[ ! -e $RUN/aside ]] || mv "$RUN/aside" "$RUN/org/www/metadata/$1"
}

# expect_refused FILE JUNK: a refresh fails on it, and the old chain goes on answering.
expect_refused() {
    offer "$1" "$2"
    refuse tufctl refresh >"$RUN/log/refresh" 2>&1
    echo "    $1 $2: $(tail -n 1 "$RUN/log/refresh")"
    expect_allow "$APP" "$APP_DIGEST"
    take_back "$1"
}

junk_empty() { : >"$1"; }
junk_random() { head -c 4096 /dev/urandom >"$1"; }
junk_braces() { echo '{"signatures": [], "signed": {}}' >"$1"; }
junk_deep() { printf '%0100000d' 0 | tr 0 '[' >"$1"; }
junk_huge() { truncate -s 1G "$1"; }
junk_missing() { :; }

# newest ROLE: the file name of its highest version.
newest() {
    (cd "$RUN/org/www/metadata" && printf '%s\n' *."$1".json | sort -n | tail -n 1)
}

# unusable_authority ALGORITHM[:PARAMETER]: a self-signed certificate.
unusable_authority() {
    local option=()
    [[ $1 != ec:* ]] || option=(-pkeyopt "ec_paramgen_curve:${1#ec:}")
    local algorithm=$1
    [[ $1 != ec:* ]] || algorithm=ec
    openssl req -x509 -newkey "$algorithm" "${option[@]}" -nodes -keyout /dev/null -subj /CN=unusable -days 1 2>/dev/null
}
