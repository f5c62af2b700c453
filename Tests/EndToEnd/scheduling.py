"""Schedules of backups: one whose time came while no server ran, one that a kill broke off, and what they replace."""

import re
import sqlite3
import time

from backing import Administrator, add_blob, with_places
from harness import check, equal, error_code, eventually, expect

# A server looks every ten seconds.
PATIENCE = 60


def schedules(root):
    return root.call("GET", "/backups/schedules").json["schedules"]


def make_due(server, ago):
    """As if its time had come so many seconds ago, while the server is down. Nobody waits for a minute here."""
    database = sqlite3.connect(server.data / "plexichat.db")
    with database:
        database.execute("UPDATE backup_schedules SET next_at = ?", (int((time.time() - ago) * 1_000_000),))
    database.close()


def ran(root, count):
    """The first schedule, when so many backups of it are there."""
    note = f"schedule {schedules(root)[0]['schedule_id']}"

    def look():
        listed = [backup for backup in root.call("GET", "/backups").json["backups"] if backup["note"] == note]
        found = schedules(root)[0]
        return len(listed) == count and not found["is_running"] and found["last_run"] and (found, listed)

    return eventually(look, seconds=PATIENCE, told="no backup was made", pause=0.3)


@check
def missed_ones_are_made_at_the_start_and_old_ones_removed():
    server, _ = with_places()
    with server:
        root = Administrator(server)
        body = {"cron": "0 3 1 1 *", "time_zone": "Europe/Berlin", "retention": {"last": 2}}
        made = root.call("POST", "/backups/schedule", 201, body=body).json
        expect(re.fullmatch(r"\d{4}-01-01T02:00:00Z", made["next_run_at"]), made)
        equal((made["last_run"], made["enabled"], made["type"]), (None, True, "incremental"))
        refused = root.call("POST", "/backups/schedule", 400, body={"cron": "0 0 30 2 *"})
        equal(error_code(refused), "invalid_payload")
        expect("never comes" in refused.json["detail"], refused.json)
    seen = []
    for _ in range(3):
        make_due(server, ago=3_600)
        with server:
            root = Administrator(server)
            found, listed = ran(root, min(len(seen) + 1, 2))
            eventually(lambda: schedules(root)[0]["last_run"]["backup_id"] not in seen, seconds=PATIENCE)
            found, listed = ran(root, min(len(seen) + 1, 2))
            equal(found["last_run"]["outcome"], "made", found)
            seen.append(found["last_run"]["backup_id"])
            equal([backup["backup_id"] for backup in listed], seen[-2:][::-1])
            expect(found["next_run_at"] == made["next_run_at"], found)
            metrics = server.call("GET", "/metrics").body.decode()
            expect('plexichat_backup_schedule_runs_total{outcome="made"} 1' in metrics, metrics[-2_000:])
            # What was made by hand stays.
            equal(root.call("GET", "/backups").json["total"], len(listed) + 1)
    make_due(server, ago=24 * 3_600)
    with server:
        root = Administrator(server)
        found = eventually(
            lambda: (now := schedules(root)[0])["last_run"]["outcome"] == "missed" and now, seconds=PATIENCE,
            told="what is too late was not given up")
        expect("no server ran" in found["last_run"]["reason"], found)
        logged = root.call("GET", "/v1/admin/audit-logs?type=backup_schedule&per_page=100").body.decode()
        expect('"backup_schedule.missed"' in logged and '"backup_schedule.created"' in logged, logged)
        root.call("DELETE", f"/backups/schedules/{found['schedule_id']}", 204)
        equal(schedules(root), [])


@check
def one_that_a_kill_broke_off_is_made_anew():
    # Slow enough to be met while it runs.
    server, _ = with_places(bandwidth="64KiB")
    with server:
        Administrator(server).call("POST", "/backups/schedule", 201, body={"cron": "@yearly"})
        add_blob(server, 4 << 20)
    make_due(server, ago=60)
    server.start()
    root = Administrator(server)
    eventually(lambda: schedules(root)[0]["is_running"], seconds=PATIENCE, told="it does not begin")
    server.kill()
    server.settings = [setting for setting in server.settings if "bandwidth" not in setting]
    with server:
        root = Administrator(server)
        found, _ = ran(root, 1)
        equal(found["last_run"]["outcome"], "made", found)
