"""Asks tufd, the daemon of this node, whether an image may be used, and obeys.

    verify_image.py REFERENCE DIGEST

Exits 0 on ALLOW, 1 on DENY, 3 without a verdict (tufd is down, too slow, not believed). Whatever is
not 0 means: do not use the image.

TUFD_SOCKET names the socket, TUFD_UID the user that tufd runs as besides root.
"""

import os
import stat
import sys
from pathlib import Path

import grpc

from tufd.v1 import tufd_pb2, tufd_pb2_grpc

# For the whole call. tufd may look for newer metadata for up to 6 s before it answers.
DEADLINE_SECONDS = 8


class NoVerdict(Exception):
    """Neither ALLOW nor DENY: the caller blocks."""


def main() -> int:
    if len(sys.argv) != 3:
        print("usage: verify_image.py REFERENCE DIGEST", file=sys.stderr)
        return 2
    try:
        verdict = verify(*sys.argv[1:])
    except NoVerdict as error:
        print(f"no verdict: {error}", file=sys.stderr)
        return 3
    print(f"{tufd_pb2.Decision.Name(verdict.decision)} {verdict.reason}: {verdict.text}")
    if verdict.decision != tufd_pb2.ALLOW:
        return 1
    # Only here: use the image, by this digest.
    return 0


def verify(reference: str, digest: str) -> tufd_pb2.Verdict:
    """ALLOW or DENY; anything else raises NoVerdict."""
    request = tufd_pb2.VerifyImageRequest(reference=reference, digest=digest)
    try:
        path = trusted_socket()
        # grpcio would name the server by its path, percent-encoded, which tufd refuses (PROTOCOL_ERROR).
        options = [("grpc.default_authority", "localhost")]
        with grpc.insecure_channel(f"unix:{path}", options) as channel:
            verdict = tufd_pb2_grpc.VerifierStub(channel).VerifyImage(request, timeout=DEADLINE_SECONDS)
    except grpc.RpcError as error:
        raise NoVerdict(f"{error.code().name}: {error.details()}") from error
    except (OSError, ValueError) as error:
        raise NoVerdict(error) from error
    if verdict.digest != digest:
        raise NoVerdict(f"the verdict is about {verdict.digest!r}")
    if verdict.decision not in (tufd_pb2.ALLOW, tufd_pb2.DENY):
        raise NoVerdict(f"neither ALLOW nor DENY: {verdict.decision}")
    return verdict


def trusted_socket() -> Path:
    """The socket's path, if nobody but root and tufd's user can have put it there: anyone can create a socket.

    grpcio makes its connection by itself and shows it to nobody, so that the peer's uid cannot be
    asked for; the owners of the path are checked instead, up to `/` and without symbolic links.
    """
    name = os.environ.get("TUFD_SOCKET") or "unix:///run/tufd/tufd.sock"
    path = Path(name.removeprefix("unix:").removeprefix("//"))
    trusted = {0, int(os.environ.get("TUFD_UID") or 0)}
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    for part in (path, *path.parents):
        found = part.lstat()
        right_kind = stat.S_ISSOCK if part == path else stat.S_ISDIR
        if not right_kind(found.st_mode):
            raise ValueError(f"{part} is not a {'socket' if part == path else 'directory'}")
        if found.st_uid not in trusted:
            raise ValueError(f"{part} belongs to uid {found.st_uid}, which is neither root nor tufd")
        # In a sticky directory such as /tmp nobody else can replace what is there.
        if part != path and found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
            raise ValueError(f"others may write to {part}")
    return path


if __name__ == "__main__":
    sys.exit(main())
