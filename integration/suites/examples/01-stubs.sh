claim "the committed stubs are, byte by byte, what the pinned tools make of proto/"
"$repository/examples/generate.sh" "$RUN/stubs"
diff -r "$RUN/stubs/go/tufdv1" "$repository/examples/go/tufdv1"
diff -r --exclude=__pycache__ "$RUN/stubs/python/tufd" "$repository/examples/python/tufd"
