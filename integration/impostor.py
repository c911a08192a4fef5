"""Listens as another user where the daemon should: `impostor.py UID SOCKET`. Says nothing."""

import os
import socket
import sys

uid, path = int(sys.argv[1]), sys.argv[2]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.setuid(uid)
listener.listen()  # the peer's uid, as a client sees it, is that of the one who listens
held = []
while True:
    held.append(listener.accept())
