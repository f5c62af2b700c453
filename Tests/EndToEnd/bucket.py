"""S3 as far as files need it, in memory, on a port of the loopback: objects, uploads in parts, ranges, listing.

It checks what S3 checks, with code of its own: the signature of each request (AWS Signature Version 4), the hash of each
body that was signed, that parts exist and are large enough.
"""

import hashlib
import hmac
import http.server
import re
import threading
import urllib.parse
import uuid

PART_LEAST = 5 << 20


class Bucket:
    name, access_key, secret_key, region = "e2e-bucket", "E2EACCESS", "e2e-secret-of-a-bucket", "eu-test-1"

    def __init__(self):
        self.objects = {}
        self.uploads = {}
        self.refused = []
        self.requests = []
        # What is answered instead: `(status, code)`.
        self.failure = None
        self.lock = threading.Lock()
        bucket = self

        class Handler(Answers):
            pass

        Handler.bucket = bucket
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self, secret_key=None):
        return [
            "files.store=s3", f"files.s3.endpoint=http://127.0.0.1:{self.server.server_port}",
            f"files.s3.bucket={self.name}", f"files.s3.region={self.region}", "files.s3.prefix=plexi/",
            f"files.s3.access_key={self.access_key}", f"files.s3.secret_key={secret_key or self.secret_key}",
        ]

    def failure_answer(self):
        return self.failure and error(*self.failure)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def signature(self, method, path, query, headers, authorization):
        """Of a request, as it has to be; `None` where the header is none."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
            r"SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}", authorization)
        if not found or found[1] != self.access_key or found[3] != self.region:
            return None
        date, signed = found[2], found[4].split(";")
        if "host" not in signed or "x-amz-content-sha256" not in signed or "x-amz-date" not in signed:
            return None
        lines = "".join(f"{name}:{' '.join((headers[name] or '').split())}\n" for name in signed)
        canonical = "\n".join([method, path, query, lines, found[4], headers["x-amz-content-sha256"]])
        scope = f"{date}/{self.region}/s3/aws4_request"
        text = "\n".join([
            "AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + self.secret_key.encode()
        for part in (date, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket = None

    def log_message(self, *_):
        pass

    def do_any(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path, _, query = self.path.partition("?")
        with self.bucket.lock:
            self.bucket.requests.append(f"{self.command} {self.path}")
            status, headers, answer = self.bucket.failure_answer() or self.check(path, query, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any

    def check(self, path, query, body):
        given = self.headers["Authorization"] or ""
        wanted = self.bucket.signature(self.command, path, query, self.headers, given)
        if wanted is None or not given.endswith(wanted):
            self.bucket.refused.append(f"{self.command} {self.path}: {given}")
            return error(403, "SignatureDoesNotMatch")
        if hashlib.sha256(body).hexdigest() != self.headers["x-amz-content-sha256"]:
            self.bucket.refused.append(f"{self.command} {self.path}: another hash")
            return error(400, "XAmzContentSHA256Mismatch")
        root, _, name = path.lstrip("/").partition("/")
        if root != self.bucket.name:
            return error(404, "NoSuchBucket")
        fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        return self.answer(urllib.parse.unquote(name), fields, body)

    def answer(self, name, fields, body):
        bucket, upload = self.bucket, fields.get("uploadId")
        match self.command:
            case "POST" if "uploads" in fields:
                identifier = f"part/{uuid.uuid4()}"
                bucket.uploads[identifier] = {}
                return xml(f"<InitiateMultipartUploadResult><UploadId>{identifier}</UploadId></InitiateMultipartUploadResult>")
            case _ if upload is not None and upload not in bucket.uploads:
                return error(404, "NoSuchUpload")
            case "PUT" if upload is not None:
                bucket.uploads[upload][int(fields["partNumber"])] = body
                return 200, {"ETag": tag(body)}, b""
            case "POST" if upload is not None:
                return self.complete(name, upload, body.decode())
            case "DELETE" if upload is not None:
                del bucket.uploads[upload]
                return 204, {}, b""
            case "PUT":
                bucket.objects[name] = body
                return 200, {"ETag": tag(body)}, b""
            case "DELETE":
                bucket.objects.pop(name, None)
                return 204, {}, b""
            case "GET" if fields.get("list-type") == "2":
                return self.list(fields)
            case "GET" | "HEAD":
                return self.read(name)
        return error(405, "MethodNotAllowed")

    def complete(self, name, upload, document):
        parts = self.bucket.uploads[upload]
        asked = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>([^<]+)</ETag>", document)
        if [(int(number), mark) for number, mark in asked] != [(number, tag(parts[number])) for number in sorted(parts)]:
            return error(400, "InvalidPart")
        ordered = [parts[number] for number in sorted(parts)]
        if any(len(part) < PART_LEAST for part in ordered[:-1]):
            return error(400, "EntityTooSmall")
        self.bucket.objects[name] = b"".join(ordered)
        del self.bucket.uploads[upload]
        return xml(f"<CompleteMultipartUploadResult><Key>{name}</Key></CompleteMultipartUploadResult>")

    def read(self, name):
        if name not in self.bucket.objects:
            return error(404, "NoSuchKey")
        content = self.bucket.objects[name]
        if self.command == "HEAD":
            return 200, {"Content-Length": str(len(content))}, b""
        if not (found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")):
            return 200, {}, content
        first, last = int(found[1]), min(int(found[2]), len(content) - 1)
        if first > last:
            return error(416, "InvalidRange")
        return 206, {"Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first:last + 1]

    def list(self, fields):
        after, most = fields.get("start-after", ""), int(fields["max-keys"])
        names = sorted(name for name in self.bucket.objects if name.startswith(fields["prefix"]) and name > after)[:most]
        entries = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(self.bucket.objects[name])}</Size></Contents>" for name in names)
        return xml(f"<ListBucketResult><Name>{self.bucket.name}</Name>{entries}</ListBucketResult>")


def tag(content):
    return f'"{hashlib.md5(content).hexdigest()}"'


def xml(text):
    return 200, {"Content-Type": "application/xml"}, f'<?xml version="1.0"?>{text}'.encode()


def error(status, code):
    return status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()
