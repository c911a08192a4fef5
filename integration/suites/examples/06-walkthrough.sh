claim "the operator's walk-through goes as docs/walkthrough.md shows it"
timeout 150 "$repository/examples/walkthrough.sh" >"$RUN/log/walkthrough"
diff <(outcome "$repository/docs/walkthrough.md") <(outcome "$RUN/log/walkthrough")
refuse_panics
