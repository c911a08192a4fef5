claim "the operator sees one fresh trust, covered by the three keys of three kinds"
tufctl status
tufctl trust
tufctl healthcheck
expect_trust 'trust["reason"]' ''
expect_trust 'trust["root"]["covered"], trust["root"]["covering"]' '(True, 3)'
expect_trust 'sorted(key["algorithm"] for key in trust["anchor"]["keys"])' "['ecdsa-p256', 'ed25519', 'rsa-3072']"
refuse_panics
