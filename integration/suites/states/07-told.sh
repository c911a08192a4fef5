claim "each state was told by a line of its own"
for state in waiting denied fresh behind not_covered undecodable missing withdrawn empty unreachable cached stale; do
    expect_told "$state"
done
refuse_panics
