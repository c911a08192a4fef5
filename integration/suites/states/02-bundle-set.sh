claim "a bundle that lacks a key of the root is behind: ALLOW; since when survives a restart"
bundle_set root-1 root-2
within 8 expect_state behind SIGNED
expect_since_kept
expect_state behind SIGNED
claim "one with fewer signers than the threshold does not cover the root: DENY; since when survives a restart"
bundle_set root-1
within 8 expect_state not_covered ROOT_NOT_COVERED
expect_since_kept
expect_state not_covered ROOT_NOT_COVERED
bundle_set root-1 root-2 root-3
within 8 expect_state fresh SIGNED
claim "one of more keys than an anchor holds is undecodable: the keys of before go on, ALLOW"
many=$(seq -f 'many-%g:ed25519' 65)
# shellcheck disable=SC2086 # one word a key
org new-keys $many
# shellcheck disable=SC2086
bundle_set ${many//:ed25519/}
within 8 expect_state undecodable SIGNED
expect_anchor_keys 3
expect_since_kept
bundle_set root-1 root-2 root-3
within 8 expect_state fresh SIGNED
