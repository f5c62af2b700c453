"""A mail server for the tests of the mail client. Prints its port, then one line per message: sender, recipients
joined by commas, who logged in, whether under TLS, and the message in hexadecimal.

Serves until standard input ends, and at most for two minutes.
usage: smtp_peer.py plain|starttls|tls [certificate.pem key.pem]
"""

import base64
import os
import signal
import socketserver
import ssl
import sys
import threading

mode = sys.argv[1]


class Handler(socketserver.StreamRequestHandler):
    timeout = 20

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def upgrade(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)
        self.secure = True

    def handle(self):
        try:
            self.converse()
        except (OSError, ValueError):
            pass

    def converse(self):
        self.secure = False
        if mode == "tls":
            self.upgrade()
        user, sender, recipients = "-", "-", []
        self.say("220 peer")
        while line := self.rfile.readline(2_000):
            text = line.decode("latin-1").rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            if verb == "EHLO":
                self.say("250-peer")
                if mode == "starttls" and not self.secure:
                    self.say("250-STARTTLS")
                self.say("250 AUTH PLAIN")
            elif verb == "STARTTLS" and mode == "starttls":
                self.say("220 go on")
                self.upgrade()
            elif verb == "AUTH":
                given = text.split(" ")[2:]
                if not given:
                    self.say("334 ")
                    given = [self.rfile.readline(2_000).decode().strip()]
                parts = base64.b64decode(given[0]).decode().split("\0")
                if parts[2] != "secret":
                    self.say("535 no")
                    continue
                user = parts[1]
                self.say("235 welcome")
            elif verb == "MAIL":
                sender = text.split("<")[1].split(">")[0]
                self.say("250 ok")
            elif verb == "RCPT":
                recipient = text.split("<")[1].split(">")[0]
                if recipient.startswith("nobody@"):
                    self.say("550 no such mailbox")
                    continue
                if recipient.startswith("slow@"):
                    continue
                recipients.append(recipient)
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                message = b""
                while (line := self.rfile.readline(2_000)) not in (b".\r\n", b""):
                    message += line[1:] if line.startswith(b".") else line
                print(sender, ",".join(recipients), user, "tls" if self.secure else "clear", message.hex(), flush=True)
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("502 what")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    signal.alarm(120)
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
