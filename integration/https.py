"""Serves a directory over TLS: https.py PORT DIRECTORY_OF_CERTIFICATE DIRECTORY"""
import functools
import http.server
import ssl
import sys

port, tls, directory = sys.argv[1:]
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{tls}/server.pem", f"{tls}/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
