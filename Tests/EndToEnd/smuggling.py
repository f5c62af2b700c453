"""Files that are not what they seem, tell what they should not, want more than there is, or come at a bad moment."""

import concurrent.futures
import io
import re
import resource
import struct
import threading
import zipfile
import zlib

from filing import PIECE, connect, form, kept, request_head, upload
from harness import (
    CHEAP_PASSWORDS, UNLIMITED, Server, check, equal, error_code, eventually, expect, fill_with,
    mount_tmpfs, read_to_end,
)
from keeping import SECRET, bomb, chunk, png


def looking(*settings):
    """A server whose workers look into images."""
    return Server(*UNLIMITED, *CHEAP_PASSWORDS, *settings)


def sent(one, token, content, name="a.png", **fields):
    body = b"".join(
        f'--form\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
        for field, value in fields.items())
    head, end, _ = form(len(content), name)
    return one.call(
        "POST", "/v1/files", body + head + content + end, token, {"Content-Type": "multipart/form-data; boundary=form"})


def content_of(one, token, file, **headers):
    return one.call("GET", f"/v1/files/{file['id']}/download", token=token, headers=headers)


# MARK: A photograph, put together by hand

GPS = b"52 deg 31' N, 13 deg 24' E"


def tiff(orientation):
    """EXIF's directory: how the picture lies, and a GPS directory behind it that names a place."""
    gps = struct.pack(">HHHIIHHIII", 2, 1, 2, 2, 0x4E000000, 0x1B, 7, len(GPS), 68, 0) + GPS
    entries = struct.pack(">HHHIHHHHII", 2, 0x0112, 3, 1, orientation, 0, 0x8825, 4, 1, 38)
    return b"MM\0*\0\0\0\x08" + entries + struct.pack(">I", 0) + gps


def photograph(width=32, height=16, orientation=1):
    """A grey JPEG whose blocks are all alike, with EXIF, GPS, a comment and something behind its end."""

    def segment(marker, data):
        return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data

    blocks = (width + 7) // 8 * ((height + 7) // 8)
    # One code of one bit in each table: "no difference" and "end of block". So a block is two zero bits.
    bits = "0" * (2 * blocks)
    bits += "1" * (-len(bits) % 8)
    coded = bytes(int(bits[start:start + 8], 2) for start in range(0, len(bits), 8))
    return b"".join([
        b"\xFF\xD8", segment(0xE1, b"Exif\0\0" + tiff(orientation)), segment(0xFE, SECRET),
        segment(0xDB, b"\0" + bytes([8] * 64)), segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)),
        segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0"), segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0"),
        segment(0xDA, bytes([1, 1, 0, 0, 63, 0])), coded, b"\xFF\xD9", b"behind the end: " + SECRET])


@check
def a_photograph_is_kept_without_the_place_where_it_was_taken():
    with looking() as one:
        token = one.token()
        for orientation, sides in [(1, (32, 16)), (6, (16, 32))]:
            original = photograph(orientation=orientation)
            expect(GPS in original and SECRET in original)
            made = sent(one, token, original, "holiday.jpg").status_is(201).json["data"]
            got = content_of(one, token, made).status_is(200)
            expect(got.body.startswith(b"\xFF\xD8"), got.body[:20])
            for told in (GPS, SECRET, b"Exif"):
                expect(told not in got.body, f"{told!r} is told of a picture of orientation {orientation}")
            # Size, hash and tag are of what is kept, and upright is what it says.
            equal(int(made["size"]), len(got.body))
            details = one.call("GET", f"/api/v1/files/{made['id']}", token=token).status_is(200).json
            equal((details["metadata"]["width"], details["metadata"]["height"]), sides)
            frame = re.search(rb"\xFF\xC0..\x08(..)(..)", got.body, re.DOTALL)
            equal(tuple(int.from_bytes(side, "big") for side in (frame[2], frame[1])), sides)
            equal(content_of(one, token, made, **{"If-None-Match": got.headers["ETag"]}).status, 304)
        # What is sealed is not touched: nobody here could look into it.
        sealed = sent(one, token, photograph(), "sealed.jpg", encrypted="true").status_is(201).json["data"]
        equal(content_of(one, token, sealed).body, photograph())
        # A picture with nothing to tell is kept byte for byte.
        plain = chunkless()
        equal(content_of(one, token, sent(one, token, plain).status_is(201).json["data"]).body, plain)
    with looking("files.clean_images=false") as one:
        token = one.token()
        made = sent(one, token, photograph(), "holiday.jpg").status_is(201).json["data"]
        equal(content_of(one, token, made).body, photograph())


def chunkless():
    """The PNG of keeping.py without its text."""
    whole = png()
    text = chunk(b"tEXt", b"Comment\0" + SECRET)
    return whole.replace(text, b"")


# MARK: What is not what it says

@check
def what_a_browser_could_run_is_never_shown():
    script = b"<script>alert(document.domain)</script>"
    cases = [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.svg", "image/svg+xml"),
        # A page by its tag, whatever it stands in.
        (b"<svg xmlns='http://www.w3.org/2000/svg'>" + script + b"</svg>", "a.svg", "text/html"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "a.png", "image/svg+xml"),
        (b"<!doctype html>" + script, "a.jpg", "text/html"),
        (b"GIF89a/*" + script + b"*/=1;", "a.gif", "text/html"),
        (b"\x89PNG\r\n\x1a\n" + script, "a.png", "text/html"),
        (png() + b"PK\x03\x04" + b"\0" * 26 + b"PK\x05\x06" + b"\0" * 18, "a.png", "application/zip"),
        (b"\xFF\xD8\xFF\xE0" + b"%PDF-1.7\n1 0 obj\n", "a.jpg", "application/pdf"),
        (b"#!/bin/sh\nrm -rf /\n", "a.txt", None),
        (b"MZ" + b"\0" * 200, "a.png", None),
    ]
    with looking() as one:
        token = one.token()
        for content, name, kind in cases:
            made = sent(one, token, content, name).status_is(201).json["data"]
            got = content_of(one, token, made).status_is(200)
            equal(got.body, content)
            if kind:
                equal(got.headers["Content-Type"].split(";")[0], kind, name, content[:20])
            expect(got.headers["Content-Disposition"].startswith("attachment;"), name, content[:20])
            equal(got.headers["X-Content-Type-Options"], "nosniff")
            equal(got.headers["Content-Security-Policy"], "sandbox; default-src 'none'")
            one.call("GET", f"/v1/files/{made['id']}/thumbnail", token=token).status_is(404)


@check
def a_name_leads_nowhere():
    names = ["../../../../etc/passwd", "..\\\\..\\\\boot.ini", "/etc/shadow", "a/../../b", "..", ".", "a" * 300 + ".txt"]
    with looking() as one:
        token = one.token()
        before = sorted(path.name for path in one.data.iterdir())
        for name in names:
            made = sent(one, token, b"text of " + name.encode(), name).status_is(201).json["data"]
            equal(content_of(one, token, made).body, b"text of " + name.encode())
            shown = made["name"]
            expect(shown and len(shown.encode()) <= 255 and not set(shown) & set("/\\"), f"{name!r} became {shown!r}")
        # A control character is no part of a head, not even in quotes.
        equal(sent(one, token, b"x", "a\x7f.txt").status, 400)
        equal(sorted(path.name for path in one.data.iterdir()), before, "a name made a file of its own")


# MARK: Bombs

@check
def bombs_are_kept_closed_or_refused():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number}.bin", bytes(8 * PIECE))
    packed = packed.getvalue()
    page = b"%PDF-1.7\n1 0 obj<</Length 99/Filter/FlateDecode>>stream\n" + zlib.compress(bytes(64 * PIECE)) + b"\nendstream"
    with looking() as one:
        token = one.token()
        upload(one, token, b"warm").status_is(201)
        sent(one, token, png()).status_is(201)
        before = one.resident()
        made = sent(one, token, packed, "bomb.zip").status_is(201).json["data"]
        equal(content_of(one, token, made).body, packed)
        sent(one, token, page, "bomb.pdf").status_is(201)
        count = len(kept(one))
        # Cannot be cleaned, so it is not kept: by its header, before anything of it is decoded.
        refused = sent(one, token, bomb(), "bomb.png")
        equal((refused.status, error_code(refused)), (422, "IMAGE_UNREADABLE"), refused.body[:300])
        refused = sent(one, token, png()[:60], "cut.png")
        equal((refused.status, error_code(refused)), (422, "IMAGE_UNREADABLE"), refused.body[:300])
        eventually(lambda: len(kept(one)) == count, 10, "a bomb was kept")
        expect(one.resident() - before < 16 << 20, f"{(one.resident() - before) >> 20} MiB more for bombs")
        sent(one, token, png()).status_is(201)


# MARK: Bad moments

@check
def of_many_uploads_that_race_for_a_quota_as_many_fit_as_fit():
    # While they come they keep a few bytes more than they have: a form's end could still be content.
    with looking("files.user_quota=10304KiB") as one:
        token = one.token()
        gate = threading.Barrier(12)

        def race(number):
            content = bytes([number]) * (2 * PIECE)
            gate.wait()
            return upload(one, token, content)

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(race, range(12)))
        statuses = sorted(answer.status for answer in answers)
        equal(statuses, [201] * 5 + [403] * 7)
        for answer in answers:
            if answer.status == 403:
                equal(error_code(answer), "QUOTA_EXCEEDED")
        eventually(lambda: len(kept(one)) == 5, 10, "another number of files is kept")
        equal(upload(one, token, b"z" * PIECE).status, 403)


@check
def ranges_without_end_cost_nothing():
    with looking() as one:
        token = one.token()
        content = bytes(range(256)) * 64
        made = upload(one, token, content).status_is(201).json["data"]
        many = "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 3_000, 2))
        overlapping = "bytes=" + ",".join(["0-"] * 1_000)
        for text in (many[:7_000].rsplit(",", 1)[0], overlapping, "bytes=" + "0-1," * 1_500 + "2-3"):
            got = content_of(one, token, made, Range=text)
            expect(got.status in (200, 206), got.status)
            expect(len(got.body) <= len(content) + 8_192, f"{len(got.body)} bytes for {text[:40]}")
        equal(content_of(one, token, made, Range="bytes=" + "9" * 400 + "-").status, 416)
        huge = content_of(one, token, made, Range="bytes=0-" + "9" * 400).status_is(200, 206)
        expect(len(huge.body) == len(content))


def fills_in_an_upload(one, folder, fill, free):
    def kept():
        return [path for path in folder.rglob("*") if path.is_file()]

    token = one.token()
    whole = upload(one, token, b"a" * PIECE).status_is(201).json["data"]
    head, end, length = form(8 * PIECE)
    stream = connect(one)
    stream.sendall(request_head(one, token, length) + head + b"x" * (PIECE // 2))
    eventually(lambda: len(kept()) == 2, 10, "the upload has not begun")
    fill()
    try:
        stream.sendall(b"x" * (8 * PIECE - PIECE // 2) + end)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before it was sent whole
    answer = read_to_end(stream)
    expect(b" 503 " in answer[:20] and b"Retry-After" in answer, answer[:300])
    eventually(lambda: len(kept()) == 1, 10, "a part was kept")
    # What is there is still read.
    equal(content_of(one, token, whole).status_is(200).body, b"a" * PIECE)
    free()
    eventually(lambda: upload(one, token, b"b" * (2 * PIECE)).status == 201, 15, "uploads do not go on", pause=0.2)


@check
def a_disk_that_fills_in_an_upload_keeps_no_half_of_it():
    disk = mount_tmpfs("12m")
    ballast = disk / "ballast"

    # The database lies elsewhere: only the place of files is full.
    with looking(f"files.folder={disk}/files", "files.thumbnails=false") as one:
        fills_in_an_upload(one, disk / "files", lambda: fill_with(ballast), ballast.unlink)


@check
def a_file_that_may_not_grow_keeps_no_half_of_it():
    """What a quota of the file system looks like; needs no rights."""
    with looking("files.thumbnails=false") as one:

        def allow(limit):
            _, hard = resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (limit, hard))

        fills_in_an_upload(
            one, one.data / "blobs", lambda: allow(2 * PIECE), lambda: allow(resource.RLIM_INFINITY))
