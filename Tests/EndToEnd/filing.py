"""Files over real connections: streamed both ways, broken off, killed in the middle, gone on with."""

import base64
import hashlib
import pathlib
import random

from harness import CHEAP_PASSWORDS, UNLIMITED, Server, check, connect, equal, eventually, expect, read_to_end

PLAIN = ["files.thumbnails=false"]
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = 1 << 20


def server(*settings):
    return Server(*UNLIMITED, *CHEAP_PASSWORDS, *PLAIN, *settings)


def form(size, name="big.bin"):
    """A form's head, its end, and how long it is with so many bytes of a file between."""
    head = (
        f'--form\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n").encode()
    end = b"\r\n--form--\r\n"
    return head, end, len(head) + size + len(end)


def request_head(one, token, length):
    return (
        "POST /v1/files HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=form\r\n"
        f"Content-Length: {length}\r\n\r\n").encode()


def kept(one):
    """What lies in the store, whole or not."""
    return [str(path) for path in pathlib.Path(one.data, "blobs").rglob("*") if path.is_file()]


def upload(one, token, content):
    head, end, _ = form(len(content))
    return one.call(
        "POST", "/v1/files", head + content + end, token, {"Content-Type": "multipart/form-data; boundary=form"})


@check
def a_large_file_goes_through_in_little_memory():
    noise = random.Random(7).randbytes(PIECE)
    with server() as one:
        token = one.token()
        upload(one, token, b"warm").status_is(201)
        before = one.resident()
        count = 64
        head, end, length = form(count * PIECE)
        stream = connect(one, timeout=60)
        stream.sendall(request_head(one, token, length) + head)
        digest = hashlib.sha256()
        highest = before
        for index in range(count):
            stream.sendall(noise)
            digest.update(noise)
            if index % 8 == 0:
                highest = max(highest, one.resident())
        stream.sendall(end)
        answer = read_to_end(stream)
        expect(b" 201 " in answer[:20], answer[:500])
        expect(digest.hexdigest().encode() in answer, "another hash than was sent")
        file = answer.split(b'"id":"')[1][:36].decode()
        found = hashlib.sha256()
        stream = connect(one, timeout=60)
        stream.sendall(
            f"GET /v1/files/{file}/download HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += stream.recv(65_536)
        data = data.split(b"\r\n\r\n", 1)[1]
        total = 0
        while data:
            found.update(data)
            total += len(data)
            data = stream.recv(1 << 18)
            if total % (8 * PIECE) < 1 << 18:
                highest = max(highest, one.resident())
        equal(total, count * PIECE)
        equal(found.hexdigest(), digest.hexdigest())
        expect(highest - before < 16 << 20, f"{(highest - before) >> 20} MiB more for one transfer each way")


@check
def a_part_of_a_file_is_read():
    with server() as one:
        token = one.token()
        content = bytes(range(256)) * 100
        file = upload(one, token, content).status_is(201).json["data"]["id"]
        path = f"/v1/files/{file}/download"
        part = one.call("GET", path, token=token, headers={"Range": "bytes=256-511"}).status_is(206)
        equal(part.body, bytes(range(256)))
        equal(part.headers["Content-Range"], f"bytes 256-511/{len(content)}")
        whole = one.call("GET", path, token=token).status_is(200)
        equal(whole.body, content)
        equal(one.call("HEAD", path, token=token).headers["Content-Length"], str(len(content)))
        one.call("GET", path, token=token, headers={"If-None-Match": whole.headers["ETag"]}).status_is(304)
        one.call("GET", path, token=token, headers={"Range": "bytes=999999-"}).status_is(416)
        parts = one.call("GET", path, token=token, headers={"Range": "bytes=0-0,1000-1001"}).status_is(206)
        expect(parts.headers["Content-Type"].startswith("multipart/byteranges"), parts.headers)


@check
def an_upload_that_breaks_off_leaves_nothing():
    with server() as one:
        token = one.token()
        head, end, length = form(4 * PIECE)
        for lie in (length, length + 1_000, length // 2):
            stream = connect(one)
            stream.sendall(request_head(one, token, lie) + head + b"x" * (2 * PIECE))
            if lie == length // 2:
                # What is announced is too short: the form ends in the middle.
                expect(b" 400 " in read_to_end(stream)[:20], "a form without its end was taken")
            stream.close()
        eventually(lambda: not kept(one), 10, "something was kept of it")
        upload(one, token, b"whole").status_is(201)
        equal(len(kept(one)), 1)


@check
def a_server_that_is_killed_in_an_upload_keeps_nothing_of_it():
    with server("files.user_quota=8MiB") as one:
        token = one.token()
        head, _, length = form(6 * PIECE)
        stream = connect(one)
        stream.sendall(request_head(one, token, length) + head + b"x" * (3 * PIECE))
        eventually(lambda: kept(one), 10, "the upload has not begun")
        one.kill()
        stream.close()
        one.start()
        equal(kept(one), [])
        # What it had reserved is free again.
        upload(one, one.token(), b"y" * (7 * PIECE)).status_is(201)


@check
def a_resumable_upload_goes_on_after_a_kill():
    content = random.Random(3).randbytes(3 * PIECE)
    with server() as one:
        token = one.token()
        name = base64.b64encode(b"noise.bin").decode()
        begun = one.call(
            "POST", "/v1/files/uploads", token=token,
            headers={**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": f"filename {name}"}).status_is(201)
        path = "/v1/files/uploads/" + begun.headers["Location"].rsplit("/", 1)[1]

        def offset(token):
            return int(one.call("HEAD", path, token=token, headers=TUS).status_is(200).headers["Upload-Offset"])

        def patch(at, piece, token):
            return one.call(
                "PATCH", path, piece, token,
                {**TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"})

        patch(0, content[:PIECE], token).status_is(204)
        # A connection that breaks in a piece: what came is kept.
        stream = connect(one)
        stream.sendall((
            f"PATCH {path} HTTP/1.1\r\nHost: e2e\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: {PIECE}\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {2 * PIECE}\r\n\r\n").encode() + content[PIECE:PIECE + PIECE // 2])
        stream.close()
        eventually(lambda: offset(token) > PIECE, 10, "what came before the break was lost")
        one.kill()
        one.start()
        token = one.token()
        at = offset(token)
        expect(PIECE < at <= PIECE + PIECE // 2, f"it goes on at {at}")
        last = patch(at, content[at:], token).status_is(204)
        found = one.call("GET", f"/v1/files/{last.headers['File-Id']}/download", token=token).status_is(200)
        equal(hashlib.sha256(found.body).hexdigest(), hashlib.sha256(content).hexdigest())
        equal(len(kept(one)), 1, "pieces were left behind:")
