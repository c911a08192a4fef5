"""The targets of an image: one `PATH=DIGEST,SIZE` a line.

    targets.py 127.0.0.1:5000/payments/app:v1

The tag, and everything that may be asked for by its digest: the index, each manifest, each config.
"""

import hashlib
import json
import subprocess
import sys


def manifest(reference: str) -> bytes:
    return subprocess.run(["crane", "manifest", reference], check=True, stdout=subprocess.PIPE).stdout


def main(reference: str) -> None:
    repository = reference.rpartition(":")[0]
    found = {}

    def walk(raw: bytes) -> None:
        found["sha256:" + hashlib.sha256(raw).hexdigest()] = len(raw)
        document = json.loads(raw)
        for child in document.get("manifests", []):
            walk(manifest(f"{repository}@{child['digest']}"))
        if "config" in document:
            found[document["config"]["digest"]] = document["config"]["size"]

    walk(manifest(reference))
    top = next(iter(found))
    print(f"{reference}={top},{found[top]}")
    for digest, size in found.items():
        print(f"{repository}@{digest}={digest},{size}")


if __name__ == "__main__":
    main(sys.argv[1])
