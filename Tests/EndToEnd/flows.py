"""What a client does, over SQLite and PostgreSQL: login, cookies, keys, second factors, resets, limits, repetition."""

import email
import json
import os
import re
import subprocess
import time

from harness import (
    CHEAP_PASSWORDS, PASSWORD, ROOT, UNLIMITED, Client, Gateway, MailServer, PostgreSQL, Server, Skipped, check, equal,
    error_code, expect, temporary_folder, totp,
)

# The documents' numbers (docs/protocol/dialects.md), asked for without a login.
REFERENCE_LOGINS_PER_MINUTE = 10
DESIGN_LOGINS_PER_MINUTE = 5
USER_REQUESTS_PER_MINUTE = 60


class Curl:
    """The README's tool, with a cookie jar."""

    def __init__(self, server):
        self.server = server
        self.jar = temporary_folder() / "cookies"

    def __call__(self, path, *words, body=None, jar=False):
        command = ["curl", "-sS", "--max-time", "20", "-w", "\n%{http_code}", *words, self.server.url + path]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        if jar:
            command += ["-c", self.jar, "-b", self.jar]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0, "curl:", done.stderr)
        text, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(text) if text else None

    def cookie(self, name):
        for line in self.jar.read_text().splitlines():
            fields = line.split("\t")
            if len(fields) == 7 and fields[5] == name:
                return fields[6], fields[0].startswith("#HttpOnly_")
        raise AssertionError(f"no cookie {name}: {self.jar.read_text()}")


# MARK: Parts of the flow, on any backend


def login_and_me(server):
    curl = Curl(server)
    status, tokens = curl("/api/v1/auth/login", body={"username": "admin", "password": PASSWORD})
    equal(status, 200)
    equal((tokens["token_type"], tokens["expires_in"]), ("bearer", 1800))
    bearer = ("-H", f"Authorization: Bearer {tokens['access_token']}")
    status, me = curl("/api/v1/users/me", *bearer)
    equal((status, me["username"], "admin" in me["roles"]), (200, "admin", True))
    equal(curl("/api/v1/users/me")[0], 401)
    equal(curl("/api/v1/users/me", "-H", "Authorization: Bearer nonsense")[0], 401)
    # The same account in the other dialects.
    equal(curl("/v1/auth/me", *bearer)[1]["data"]["id"], me["id"])
    equal(curl("/users/me", *bearer)[0], 200)


def cookies_need_csrf(server):
    curl = Curl(server)
    equal(curl("/api/v1/auth/login", body={"username": "admin", "password": PASSWORD}, jar=True)[0], 200)
    equal(curl.cookie("plx_session")[1], True, "HttpOnly:")
    csrf, hidden = curl.cookie("plexi_csrf")
    equal(hidden, False, "a page must be able to read the CSRF token:")
    equal(curl("/api/v1/users/me", jar=True)[0], 200)
    change = {"display_name": "By cookie"}
    equal(curl("/api/v1/users/me", "-X", "PUT", body=change, jar=True)[0], 403)
    equal(curl("/api/v1/users/me", "-X", "PUT", "-H", "X-CSRF-Token: wrong", body=change, jar=True)[0], 403)
    status, me = curl("/api/v1/users/me", "-X", "PUT", "-H", f"X-CSRF-Token: {csrf}", body=change, jar=True)
    equal((status, me["display_name"]), (200, "By cookie"))
    equal(curl("/api/v1/auth/logout", "-X", "POST", "-H", f"X-CSRF-Token: {csrf}", jar=True)[0], 200)
    equal(curl("/api/v1/users/me", jar=True)[0], 401)


def api_keys(server):
    token = server.token()
    made = server.call("POST", "/api/v1/auth/api-keys", {"name": "reader", "permissions": ["read"]}, token)
    key = made.status_is(201).json
    expect(key["key"].startswith("plx_"), key["key"][:8])
    headers = {"X-API-Key": key["key"]}
    server.call("GET", "/api/v1/users/me", headers=headers).status_is(200)
    server.call("PUT", "/api/v1/users/me", {"display_name": "No"}, headers=headers).status_is(403)
    listed = server.call("GET", "/api/v1/auth/api-keys", token=token).json["api_keys"]
    expect(all("key" not in item for item in listed), "a key is shown again")
    server.call("DELETE", f"/api/v1/auth/api-keys/{key['id']}", token=token).status_is(204)
    server.call("GET", "/api/v1/users/me", headers=headers).status_is(401)


def refresh_rotates_and_reuse_ends_the_family(server):
    server.register("rotating")
    first = server.login("rotating")

    def refresh(token):
        return server.call("POST", "/api/v1/auth/refresh", {"refresh_token": token})

    second = refresh(first["refresh_token"]).status_is(200).json
    expect(second["refresh_token"] != first["refresh_token"], "the refresh token stays the same")
    third = refresh(second["refresh_token"]).status_is(200).json
    server.call("GET", "/api/v1/users/me", token=third["access_token"]).status_is(200)
    refresh(first["refresh_token"]).status_is(401)  # stolen: used twice, and not by a repeated request
    refresh(third["refresh_token"]).status_is(401)
    server.call("GET", "/api/v1/users/me", token=third["access_token"]).status_is(401)
    server.login("rotating")


def logout_everywhere(server):
    server.register("leaving")
    tokens = [server.login("leaving") for _ in range(3)]
    server.call("POST", "/api/v1/auth/logout", token=tokens[0]["access_token"]).status_is(200)
    server.call("GET", "/api/v1/users/me", token=tokens[0]["access_token"]).status_is(401)
    server.call("POST", "/api/v1/auth/logout-all", token=tokens[1]["access_token"]).status_is(200)
    for token in tokens:
        server.call("GET", "/api/v1/users/me", token=token["access_token"]).status_is(401)
        server.call("POST", "/api/v1/auth/refresh", {"refresh_token": token["refresh_token"]}).status_is(401)


def second_factor(server):
    server.register("careful")
    token = server.token("careful")
    enrolment = server.call("POST", "/api/v1/auth/mfa/totp", {"label": "phone"}, token).status_is(201).json
    expect(enrolment["otpauth_uri"].startswith("otpauth://totp/"), enrolment["otpauth_uri"])
    expect(enrolment["qr_svg"].startswith("<svg"), enrolment["qr_svg"][:40])
    secret = enrolment["secret"]
    confirm = {"factor_id": enrolment["factor_id"], "code": "000000"}
    server.call("POST", "/api/v1/auth/mfa/totp/confirm", confirm, token).status_is(401)
    # A code of the step before is taken, so that the one of now is left for the login below.
    confirm["code"] = totp(secret, time.time() - 30)
    codes = server.call("POST", "/api/v1/auth/mfa/totp/confirm", confirm, token).status_is(200).json["recovery_codes"]
    expect(len(set(codes)) >= 8, codes)

    def begin():
        body = {"username": "careful", "password": PASSWORD}
        answer = server.call("POST", "/api/v1/auth/login", body).status_is(401).json
        equal(answer["error"], "mfa_required")
        return answer["temp_token"]

    def verify(code, method="totp"):
        body = {"temp_token": begin(), "mfa_code": code, "method": method}
        return server.call("POST", "/api/v1/auth/mfa/verify", body)

    code = totp(secret)
    verify(code).status_is(200)
    verify(code).status_is(401)  # each code works once
    verify(codes[0], "recovery_code").status_is(200)
    verify(codes[0], "recovery_code").status_is(401)
    body = {"username": "careful", "password": PASSWORD, "mfa_code": codes[1]}
    server.call("POST", "/v1/auth/login", body).status_is(200)


def reset_by_mail(server, mail):
    server.register("forgetful")
    old = server.login("forgetful")
    known = server.call("POST", "/v1/auth/forgot-password", {"email": "forgetful@example.org"}).status_is(200)
    unknown = server.call("POST", "/v1/auth/forgot-password", {"email": "nobody@example.org"}).status_is(200)
    equal(known.json["data"], unknown.json["data"], "the answer tells who has an account:")
    sender, recipients, message = mail.take()
    equal((sender, recipients), ("chat@example.org", "forgetful@example.org"))
    text = email.message_from_string(message).get_payload(decode=True).decode()
    token = re.search(r"/#/reset\?token=([A-Za-z0-9_-]+)", text)
    expect(token, "no token in", text)
    body = {"token": token[1], "password": "remembered again 2"}
    server.call("POST", "/v1/auth/reset-password", body).status_is(200)
    server.call("POST", "/v1/auth/reset-password", body).status_is(400)
    server.token("forgetful", "remembered again 2")
    server.call("GET", "/api/v1/users/me", token=old["access_token"]).status_is(401)
    expect(mail.mails.empty(), "a mail went to somebody who is not there")


def code_by_text_message(server, gateway):
    server.register("texting")
    token = server.token("texting")
    body = {"method": "sms", "recipient": "+4915112345678"}
    begun = server.call("POST", "/api/v1/auth/mfa/sent", body, token).status_is(200, 201).json
    sent = gateway.take()
    equal(sent["to"], "+4915112345678")
    code = re.search(r"\b\d{6}\b", sent["text"])[0]
    confirm = {"token": begun["token"], "code": code}
    server.call("POST", "/api/v1/auth/mfa/sent/confirm", confirm, token).status_is(200)
    login = server.call("POST", "/api/v1/auth/login", {"username": "texting", "password": PASSWORD}).status_is(401).json
    request = {"temp_token": login["temp_token"], "method": "sms"}
    first = gateway.take()["text"]  # the only factor's code comes unasked
    server.call("POST", "/api/v1/auth/mfa/send", request).status_is(200)
    second = gateway.take()["text"]
    expect(first != second, "the same code is sent again")
    code = re.search(r"\b\d{6}\b", second)[0]
    proof = {"temp_token": login["temp_token"], "mfa_code": code, "method": "sms"}
    server.call("POST", "/api/v1/auth/mfa/verify", proof).status_is(200)


def repetition_across_a_restart(server):
    body = {"username": "once", "email": "once@example.org", "password": PASSWORD}
    headers = {"Idempotency-Key": "the-same-key"}
    first = server.call("POST", "/v1/auth/register", body, headers=headers).status_is(201)
    expect(first.headers["Idempotent-Replayed"] is None, "the first answer calls itself a repetition")
    for _ in range(2):
        again = server.call("POST", "/v1/auth/register", body, headers=headers).status_is(201)
        equal(again.headers["Idempotent-Replayed"], "true")
        equal(again.json["data"], first.json["data"])
        server.restart()
    other = {**body, "username": "twice"}
    server.call("POST", "/v1/auth/register", other, headers=headers).status_is(422)
    server.call("POST", "/v1/auth/register", body).status_is(409)


def whole_flow(*settings):
    mail, gateway = MailServer(), Gateway()
    with Server(
        *settings, *UNLIMITED, *mail.settings(), *gateway.settings(), "accounts.tokens.refresh_grace=0s"
    ) as server:
        login_and_me(server)
        cookies_need_csrf(server)
        api_keys(server)
        refresh_rotates_and_reuse_ends_the_family(server)
        logout_everywhere(server)
        second_factor(server)
        reset_by_mail(server, mail)
        code_by_text_message(server, gateway)
        repetition_across_a_restart(server)
        expect(PASSWORD not in server.log_text(), "a password is in the log")
    mail.close()
    gateway.close()


# MARK: Checks


@check
def flow_on_sqlite():
    whole_flow()


@check
def flow_on_postgresql():
    cluster = PostgreSQL()
    try:
        whole_flow(*cluster.settings)
    finally:
        cluster.remove()


def count_until_limited(ask, most):
    """How many requests are let through; the one after them, which is answered 429."""
    for number in range(most + 1):
        answer = ask()
        if answer.status == 429:
            return number, answer
    raise AssertionError(f"no limit after {most} requests")


@check
def rate_limits_are_the_documents():
    # The machine is busy with these checks; the marks that halve the limits are out of reach.
    calm = ["rate_limits.load.cpu_percent=100", "rate_limits.load.memory_percent=100", "rate_limits.load.factor=1.0"]
    with Server(*CHEAP_PASSWORDS, *calm, "accounts.login_throttle.account.free=1000") as server:
        token = server.token()
        wrong = {"username": "nobody", "password": "wrong password"}
        passed, last = count_until_limited(lambda: server.call("POST", "/api/v1/auth/login", wrong), 20)
        equal(passed, REFERENCE_LOGINS_PER_MINUTE - 1, "logins beside the first one:")
        equal(error_code(last), "RATE_LIMIT_EXCEEDED")
        equal((last.headers["X-RateLimit-Limit"], last.headers["X-RateLimit-Remaining"]), ("10", "0"))
        expect(1 <= int(last.headers["Retry-After"]) <= 60, last.headers["Retry-After"])
        expect(0 <= int(last.headers["X-RateLimit-Reset"]) - time.time() <= 61, last.headers["X-RateLimit-Reset"])
        passed, last = count_until_limited(lambda: server.call("POST", "/v1/auth/login", wrong), 20)
        equal((passed, error_code(last)), (DESIGN_LOGINS_PER_MINUTE, "RATE_LIMITED"))
        # Another address has a budget of its own, and so has a caller who is logged in.
        other = server.call("POST", "/api/v1/auth/login", wrong, source="127.0.0.2")
        equal(other.status, 401)
        body = {"username": "limited", "email": "limited@example.org", "password": PASSWORD}
        made = server.call("POST", "/v1/auth/register", body, source="127.0.0.3").status_is(201).json["data"]
        with Client(server) as client:
            passed, last = count_until_limited(
                lambda: client.call("GET", "/api/v1/users/me", token=made["access_token"]), 100)
        equal((passed, last.headers["X-RateLimit-Limit"]), (USER_REQUESTS_PER_MINUTE, str(USER_REQUESTS_PER_MINUTE)))
        server.call("GET", "/api/v1/users/me", token=token).status_is(200)
        for path in ("/healthz", "/readyz", "/health", "/metrics", "/openapi.json"):
            expect(server.call("GET", path).status == 200, path, "is limited")


@check
def failed_logins_are_throttled_without_telling_who_exists():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS, "accounts.login_throttle.account.first_delay=30s") as server:
        def tries(name):
            body = {"username": name, "password": "wrong password"}
            answers = [server.call("POST", "/api/v1/auth/login", body) for _ in range(8)]
            return [(answer.status, error_code(answer)) for answer in answers]

        known, unknown = tries("admin"), tries("nobody")
        equal(known, unknown, "the answers tell who exists:")
        equal(known[-1][0], 429)
        equal(known[0][0], 401)
        # The right password waits, too, and after a restart as well.
        body = {"username": "admin", "password": PASSWORD}
        server.call("POST", "/api/v1/auth/login", body).status_is(429)
        server.restart()
        server.call("POST", "/api/v1/auth/login", body).status_is(429)


@check
def scale_multiplies_the_limits():
    with Server(*CHEAP_PASSWORDS, "rate_limits.scale=0.2", "rate_limits.load.factor=1.0") as server:
        wrong = {"username": "nobody", "password": "wrong password"}
        passed, _ = count_until_limited(lambda: server.call("POST", "/api/v1/auth/login", wrong), 5)
        equal(passed, 2)


@check
def mail_and_text_messages_that_cannot_be_sent_answer_503():
    with Server(*UNLIMITED, *CHEAP_PASSWORDS) as server:
        answer = server.call("POST", "/v1/auth/forgot-password", {"email": "ada@example.org"}).status_is(503)
        expect("mail" in answer.body.decode(), answer.body)
    # A port where nobody listens.
    with Server(
        *UNLIMITED, *CHEAP_PASSWORDS, "sms.webhook_url=http://127.0.0.1:9/sms", "sms.secret=secret"
    ) as server:
        server.register("unlucky")
        body = {"method": "sms", "recipient": "+4915112345678"}
        answer = server.call("POST", "/api/v1/auth/mfa/sent", body, server.token("unlucky")).status_is(503)
        expect("SMS" in answer.body.decode() or "sent" in answer.body.decode(), answer.body)


@check
def the_client_for_browsers_is_served_whole():
    """Every file that the first page leads to is there, under a policy that needs nothing inline or foreign."""
    with Server(f"web.folder={ROOT / 'web'}") as server:
        first = server.call("GET", "/").status_is(200)
        policy = first.headers["Content-Security-Policy"]
        expect("default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy, policy)
        expect("camera=(self)" in first.headers["Permissions-Policy"], dict(first.headers))
        seen, waiting = set(), re.findall(r'(?:src|href)="(/[^"#]+)"', first.body.decode())
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = server.call("GET", path).status_is(200)
            equal(answer.headers["Cache-Control"], "no-cache", path)
            again = server.call("GET", path, headers={"If-None-Match": answer.headers["ETag"]})
            equal(again.status, 304, path)
            if path.endswith(".js"):
                expect("javascript" in answer.headers["Content-Type"], path)
                folder = path.rsplit("/", 1)[0]
                for target in re.findall(r"(?:from|import)\s*\(?'(\.[^']+\.js)'", answer.body.decode()):
                    waiting.append(os.path.normpath(f"{folder}/{target}"))
        expect(len(seen) > 40 and "/plexichat-call.js" in seen and "/strings.js" in seen, sorted(seen))


@check
def documentation_pages_load_what_their_policy_allows():
    """What a browser would fetch is there, and nothing stands in the page that its policy forbids."""
    assets = ROOT / ".tools/docs-assets"
    if not assets.exists():
        raise Skipped("the files of /docs and /redoc are not installed (scripts/install)")
    with Server(f"docs.assets={assets}") as server:
        for page in ("/docs", "/redoc"):
            answer = server.call("GET", page).status_is(200)
            policy = answer.headers["Content-Security-Policy"]
            html = answer.body.decode()
            expect("unsafe-eval" not in policy and "http" not in policy, page, policy)
            expect(not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", html), page, "has a script in its text:", html)
            expect(not re.search(r"\son[a-z]+=", html), page, "has an event handler in its text:", html)
            links = re.findall(r'(?:src|href)="([^"]+)"', html)
            expect(any(link.endswith(".js") for link in links), page, "loads no script:", html)
            for link in links:
                expect(link.startswith("/"), page, "loads from elsewhere:", link)
                if not link.startswith("/openapi"):
                    kind = server.call("GET", link).status_is(200).headers["Content-Type"]
                    expect(link.endswith(".js") == ("javascript" in kind), link, kind)
