"""Client settings from outside: two devices, conditions that race, images that a real worker has cleaned, a kill."""

import concurrent.futures
import random
import struct
import zlib

from calling import people
from harness import CHEAP_PASSWORDS, UNLIMITED, Client, Server, check, equal, error_code, expect, temporary_folder
from websocket import WebSocket

SETTINGS = UNLIMITED + CHEAP_PASSWORDS
SECRET = b"taken at 52.52 N, 13.40 E"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width=8, height=8, shade=0):
    """An image of one shade, with a text that says more than it should."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes([shade]) * width for _ in range(height)))
    text = chunk(b"tEXt", b"Comment\0" + SECRET)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def bomb():
    """Says that it has 3.6 billion pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def noise(seed):
    """An image of 20 KiB that no encoder makes smaller."""
    dice = random.Random(seed)
    head = struct.pack(">IIBBBBB", 200, 100, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + dice.randbytes(200) for _ in range(100)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def upload(server, key, content, token):
    body = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body += content + b"\r\n--edge--\r\n"
    fields = {"Content-Type": "multipart/form-data; boundary=edge"}
    return server.call("POST", f"/client-settings/images/{key}", body, token, fields)


def put(server, key, value, token, **headers):
    fields = {name.replace("_", "-"): text for name, text in headers.items()}
    return server.call("PUT", f"/client-settings/{key}", {"setting_value": value}, token, fields)


@check
def settings_reach_other_devices_and_outlive_a_kill():
    server = Server(*SETTINGS)
    with server:
        alice, = people(server, "alice")
        device = WebSocket(server, "/v1/ws/connect", alice[1])
        equal(device.hear()["type"], "connected")
        tag = put(server, "theme", "dark", alice[1], If_None_Match="*").status_is(200).headers["ETag"]
        heard = device.hear()
        equal((heard["type"], heard["data"]["settings"][0]["setting_value"]), ("settings.changed", "dark"))
        equal(heard["data"]["settings"][0]["etag"], tag)
        # Of many who change the same state, one does.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(
                lambda number: put(server, "theme", ["light", "system"][number % 2], alice[1], If_Match=tag).status,
                range(16)))
        equal((statuses.count(200), statuses.count(412)), (1, 15))
        server.kill()
        server.start()
        expect(server.call("GET", "/client-settings/theme", token=alice[1]).json["setting_value"] != "dark")
        known = server.call("GET", "/client-settings/", token=alice[1])
        again = server.call("GET", "/client-settings/", token=alice[1], headers={"If-None-Match": known.headers["ETag"]})
        equal((again.status, again.body), (304, b""))


@check
def an_image_is_cleaned_by_a_worker_and_counted():
    with Server(*SETTINGS, "client_settings.images_total_size=64KiB", "client_settings.image_size=64KiB") as server:
        alice, bob = people(server, "alice", "bob")
        made = upload(server, "avatar", png(), alice[1]).status_is(201).json
        equal((made["content_type"], made["width"], made["height"], made["virus_scan_status"]), ("image/png", 8, 8, "skipped"))
        served = server.call("GET", "/client-settings/images/avatar", token=alice[1]).status_is(200)
        expect(SECRET not in served.body and served.body.startswith(b"\x89PNG"), "metadata are served")
        equal((len(served.body), served.headers["Content-Type"]), (made["size"], "image/png"))
        part = server.call("GET", "/client-settings/images/avatar", token=alice[1], headers={"Range": "bytes=1-3"})
        equal((part.status, part.body), (206, b"PNG"))
        equal(server.call("GET", "/client-settings/images/avatar", token=bob[1]).status, 404)
        for content, status in [
            (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415), (png()[:60], 400), (b"MZ" + png(), 415),
            (bomb(), 400), (png() + b"\0" * (70 << 10), 413),
        ]:
            refused = upload(server, "bad", content, alice[1])
            equal(refused.status, status, content[:20], refused.body)
        # Noise cannot be made smaller: three of 20 KiB and more have room, the fourth has not.
        statuses = [upload(server, f"n{number}", noise(number), alice[1]).status for number in range(4)]
        equal(statuses, [201, 201, 201, 403])
        server.call("DELETE", "/client-settings/n0", token=alice[1]).status_is(200)
        upload(server, "n3", noise(3), alice[1]).status_is(201)


@check
def a_bulk_update_and_a_broken_upload_leave_what_they_should():
    with Server(*SETTINGS) as server:
        alice, = people(server, "alice")
        body = {"settings": {"theme": "dark", "language": "en-US", "notifications.enabled": True, "bad key": 1}}
        done = server.call("POST", "/client-settings/bulk-update", body, alice[1]).status_is(200).json
        equal((done["updated_count"], list(done["errors"])), (3, ["bad key"]))
        with Client(server) as client:
            fields = {"Content-Type": "multipart/form-data; boundary=edge", "Content-Length": "100000"}
            client.connection.putrequest("POST", "/client-settings/images/avatar")
            for name, value in {**fields, "Authorization": f"Bearer {alice[1]}"}.items():
                client.connection.putheader(name, value)
            client.connection.endheaders(b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x89PNG')
        equal(server.call("GET", "/client-settings/avatar", token=alice[1]).status, 404)
        expect(error_code(server.call("GET", "/client-settings/images/avatar", token=alice[1])) == "not_found")


@check
def while_the_scanner_is_away_images_are_refused_or_held():
    away = f"files.scanner=unix:{temporary_folder()}/clamd.ctl"
    with Server(*SETTINGS, away) as server:
        alice, = people(server, "alice")
        refused = upload(server, "avatar", png(), alice[1])
        equal(refused.status, 503, refused.body)
        expect(int(refused.headers["Retry-After"]) > 0, "no Retry-After")
    with Server(*SETTINGS, away, "files.scan_unavailable=hold") as server:
        alice, = people(server, "alice")
        made = upload(server, "avatar", png(), alice[1]).status_is(201).json
        equal((made["virus_scan_status"], made["width"]), ("pending", 8))
        served = server.call("GET", "/client-settings/images/avatar", token=alice[1]).status_is(200)
        expect(SECRET not in served.body and len(served.body) == made["size"], "it was not cleaned")
        server.restart()
        value = server.call("GET", "/client-settings/avatar", token=server.token("alice")).status_is(200).json
        equal(value["setting_value"]["virus_scan_status"], "pending")
