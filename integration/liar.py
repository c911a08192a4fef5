"""A daemon that gives one verdict about everything: `liar.py UID SOCKET DECISION DIGEST`.

Wants the stubs of examples/python in PYTHONPATH. It becomes the user UID before it makes its socket.
"""

import os
import sys
from concurrent import futures

import grpc

from tufd.v1 import tufd_pb2, tufd_pb2_grpc

uid, path, decision, digest = sys.argv[1:]


class Liar(tufd_pb2_grpc.VerifierServicer):
    def VerifyImage(self, request, context):
        return tufd_pb2.Verdict(decision=int(decision), reason="SIGNED", text="believe me", digest=digest)


server = grpc.server(futures.ThreadPoolExecutor())
tufd_pb2_grpc.add_VerifierServicer_to_server(Liar(), server)
os.setuid(int(uid))
server.add_insecure_port(f"unix:{path}")
server.start()
server.wait_for_termination()
