"""Files whose content lies in a bucket: what filing.py tries on a folder, in short, and a bucket that gives way."""

import hashlib
import pathlib
import random

from bucket import Bucket
from filing import PIECE, TUS, connect, form, request_head, server, upload
from harness import check, equal, eventually, expect, read_to_end


def spooled(one):
    """What waits on the disk until it is whole."""
    return [str(path) for path in pathlib.Path(one.data, "blobs").rglob("*") if path.is_file()]


def in_bucket(bucket):
    with bucket.lock:
        return sorted(bucket.objects)


@check
def a_file_goes_into_a_bucket_and_comes_out_of_it():
    content = random.Random(11).randbytes(20 * PIECE)
    with Bucket() as bucket, server(*bucket.settings()) as one:
        token = one.token()
        one.call("GET", "/readyz").status_is(200)
        made = upload(one, token, content).status_is(201).json["data"]
        name = f"plexi/{hashlib.sha256(content).hexdigest()}"
        equal(in_bucket(bucket), [name])
        equal(bucket.objects[name], content)
        # More than one part of 16 MiB.
        expect(any("partNumber=2" in line for line in bucket.requests), "it was not uploaded in parts")
        equal((spooled(one), bucket.uploads, bucket.refused), ([], {}, []))
        path = f"/v1/files/{made['id']}/download"
        before = one.resident()
        whole = one.call("GET", path, token=token, timeout=60).status_is(200)
        equal(hashlib.sha256(whole.body).hexdigest(), hashlib.sha256(content).hexdigest())
        expect(one.resident() - before < 12 << 20, f"{(one.resident() - before) >> 20} MiB more for one download")
        # A part over the border of two requests, one at the end, several, none.
        for start, end in [(PIECE - 3, PIECE + 5), (len(content) - 7, len(content) - 1)]:
            part = one.call("GET", path, token=token, headers={"Range": f"bytes={start}-{end}"}).status_is(206)
            equal(part.body, content[start:end + 1])
        parts = one.call("GET", path, token=token, headers={"Range": "bytes=0-1,500-501"}).status_is(206)
        expect(content[:2] in parts.body and content[500:502] in parts.body, "parts have other bytes")
        one.call("GET", path, token=token, headers={"If-None-Match": whole.headers["ETag"]}).status_is(304)
        # The same content again is one object, and it goes with the last who needs it.
        again = upload(one, token, content).status_is(201).json["data"]
        equal(in_bucket(bucket), [name])
        one.call("DELETE", f"/v1/files/{made['id']}", token=token).status_is(204, 200)
        one.call("GET", f"/v1/files/{again['id']}/download", token=token, headers={"Range": "bytes=0-9"}).status_is(206)
        one.call("DELETE", f"/v1/files/{again['id']}", token=token).status_is(204, 200)
        eventually(lambda: not in_bucket(bucket), 10, "the object was left behind")


@check
def what_breaks_off_leaves_nothing_in_the_bucket():
    content = random.Random(12).randbytes(3 * PIECE)
    with Bucket() as bucket, server(*bucket.settings()) as one:
        token = one.token()
        head, _, length = form(4 * PIECE)
        stream = connect(one)
        stream.sendall(request_head(one, token, length) + head + b"x" * (2 * PIECE))
        eventually(lambda: spooled(one), 10, "the upload has not begun")
        stream.close()
        eventually(lambda: not spooled(one), 10, "the spool keeps what broke off")
        equal(in_bucket(bucket), [])
        # A resumable one: each piece is an object, and what is over is one.
        begun = one.call(
            "POST", "/v1/files/uploads", token=token, headers={**TUS, "Upload-Length": str(len(content))}).status_is(201)
        path = "/v1/files/uploads/" + begun.headers["Location"].rsplit("/", 1)[1]

        def patch(at, piece):
            return one.call(
                "PATCH", path, piece, one.token(),
                {**TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}).status_is(204)

        patch(0, content[:PIECE])
        one.kill()
        one.start()
        equal(len(in_bucket(bucket)), 1)
        last = patch(PIECE, content[PIECE:])
        found = one.call("GET", f"/v1/files/{last.headers['File-Id']}/download", token=one.token()).status_is(200)
        equal(hashlib.sha256(found.body).hexdigest(), hashlib.sha256(content).hexdigest())
        eventually(lambda: len(in_bucket(bucket)) == 1, 10, "pieces were left behind")
        equal((spooled(one), bucket.refused), ([], []))


@check
def a_bucket_that_is_away_is_said_so_and_comes_back():
    with Bucket() as bucket:
        with server(*bucket.settings()) as one:
            token = one.token()
            made = upload(one, token, b"before").status_is(201).json["data"]
            bucket.failure = (503, "SlowDown")
            refused = upload(one, token, b"meanwhile")
            equal(refused.status, 503, refused.body[:300])
            expect(int(refused.headers["Retry-After"]) > 0, "no Retry-After")
            expect(b"e2e-secret" not in refused.body and bucket.name.encode() not in refused.body, refused.body[:300])
            one.call("GET", f"/v1/files/{made['id']}", token=token).status_is(200)
            one.call("GET", f"/v1/files/{made['id']}/download", token=token).status_is(503)
            bucket.failure = None
            upload(one, token, b"meanwhile").status_is(201)
            equal(one.call("GET", f"/v1/files/{made['id']}/download", token=token).status_is(200).body, b"before")
            equal(spooled(one), [])
            expect(bucket.secret_key not in one.log_text(), "the secret is in the log")
        # Another secret: refused by the bucket, and nothing is half there.
        with server(*bucket.settings(secret_key="another-secret"), "logging.level=debug") as one:
            refused = upload(one, one.token(), b"signed wrongly")
            equal(refused.status, 503, refused.body[:300])
            expect(any("another-secret" not in line for line in bucket.refused), "nothing was refused")
            expect("another-secret" not in one.log_text(), "the secret is in the log")


@check
def many_transfers_through_a_bucket_take_little_memory():
    with Bucket() as bucket, server(*bucket.settings()) as one:
        token = one.token()
        head, end, length = form(2 * PIECE)
        upload(one, token, b"warm").status_is(201)
        before = highest = one.resident()
        streams = [connect(one, timeout=60) for _ in range(20)]
        for number, stream in enumerate(streams):
            stream.sendall(request_head(one, token, length) + head + bytes([number]) * PIECE)
        highest = max(highest, one.resident())
        for number, stream in enumerate(streams):
            stream.sendall(bytes([number]) * PIECE + end)
        for stream in streams:
            expect(b" 201 " in read_to_end(stream)[:20], "an upload was refused")
            highest = max(highest, one.resident())
        equal(len(in_bucket(bucket)), 21)
        expect(highest - before < 20 << 20, f"{(highest - before) >> 20} MiB more for 20 uploads")
