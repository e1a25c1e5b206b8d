#!/usr/bin/python3
"""servers.py VIP...: HTTP on port 80 and UDP echo on port 7 of every VIP, until killed. Says "ready" when they listen.

GET answers 100,000 bytes, POST the number of bytes that it read.
"""
import http.server
import socket
import socketserver
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"x" * 100_000)

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.answer(str(len(self.rfile.read(length))).encode())

    def log_message(self, *_):
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        data, reply = self.request
        reply.sendto(data, self.client_address)


class Http(http.server.ThreadingHTTPServer):
    def server_bind(self):  # without HTTPServer's look-up of the host's name
        socketserver.TCPServer.server_bind(self)


for vip in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    for base, port, handler in ((Http, 80, Handler), (socketserver.ThreadingUDPServer, 7, Echo)):
        server = type("Server", (base,), {"address_family": family})((vip, port), handler)
        threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
