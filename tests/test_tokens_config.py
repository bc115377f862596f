"""The table [oauth] of the configuration file, and a real server that has one, with curl as the client."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from twisted.trial.unittest import SynchronousTestCase

from moximap import config
from moximap.config import BadConfig, Config
from moximap.identity.oauth import OAuthSettings, introspector
from tests import beside
from tests.secure import server_files
from tests.server import Server, ServerTestCase, add_account, listen, make_certificate, needs, ports_in, run, twistd

WHOLE = """
[oauth]
introspection = "https://id.example.org/introspect"
client_id = "mail"
client_secret_file = "secret"
claim = "email"
scope = ["imap", "openid"]
audience = "mail"
timeout = 2
cache = 0
discovery = "https://id.example.org/.well-known/openid-configuration"
"""


class Table(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        (self.home / "secret").write_text("s3cret value\n")

    def read(self, text: str) -> Config:
        (self.home / "moximap.toml").write_text(text)
        return config.validate(config.read(self.home / "moximap.toml"))

    def test_everything_can_be_said(self) -> None:
        self.assertEqual(self.read(WHOLE).oauth, OAuthSettings(
            "https://id.example.org/introspect", "mail", "s3cret value", "email", ("imap", "openid"), "mail", 2.0, 0.0,
            "https://id.example.org/.well-known/openid-configuration"))
        self.assertNotIn("s3cret", repr(self.read(WHOLE)))

    def test_an_authority_is_read_when_the_file_is(self) -> None:
        certificate = server_files()[0]
        self.assertEqual(self.read(f'{WHOLE}ca = "{certificate}"').oauth.ca, certificate)

    def test_without_the_table_there_is_nobody_to_ask(self) -> None:
        self.assertIsNone(introspector(None, Config().oauth))

    def test_what_cannot_be_is_said_in_one_line(self) -> None:
        (self.home / "empty").write_text("")
        (self.home / "two").write_text("a\nb\n")
        for text, wanted in (
                ('introspection = "http://id.example.org/"', "oauth.introspection must be a URL with https"),
                ('introspection = "https:///x"', "must be a URL"), ('introspection = 1', "must be a text"),
                ('client_id = "x"', "nothing without its introspection"),
                ('client_secret_file = "missing"', "client_secret_file cannot be read"),
                ('client_secret_file = "empty"', "is not one line"), ('client_secret_file = "two"', "is not one line"),
                ('client_secret = "x"', "unknown key 'client_secret'"), ('scope = "imap"', "must be a list of words"),
                ('scope = ["a b"]', "must be a list of words"), ("cache = -1", "must be a number"),
                ("timeout = 0", "must be a number"), ('ca = "secret"', "oauth.ca cannot be used"),
                ('ca = "missing"', "No such file")):
            said = str(self.assertRaises(BadConfig, self.read, f"[oauth]\n{text}\n"))
            self.assertIn(wanted, said)
            self.assertNotIn("\n", said)

    def test_in_the_clear_on_this_host_only(self) -> None:
        for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
            self.assertEqual(self.read(f'[oauth]\nintrospection = "http://{host}/i"').oauth.introspection,
                             f"http://{host}/i")


class Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = self.headers["Authorization"] == "Basic bWFpbDpzM2NyZXQ=" and form["token"] == ["good-token"]
        body = json.dumps({"active": known, "username": "ada@example.org"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Not on the tests' standard error."""


class Curl(ServerTestCase):
    def start_server(self) -> Server:
        endpoint = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        self.addCleanup(endpoint.server_close)
        self.addCleanup(endpoint.shutdown)
        data = self.directory / "data"
        certificate, key = make_certificate(self.directory)
        add_account(data, self.user, self.password)
        (self.directory / "secret").write_text("s3cret\n")
        settings = self.directory / "moximap.toml"
        settings.write_text(f'[oauth]\nintrospection = "http://127.0.0.1:{endpoint.server_port}/"\n'
                            'client_id = "mail"\nclient_secret_file = "secret"\n')
        child = twistd("--data", data, "--config", settings, "--tls-cert", certificate, "--tls-key", key,
                       *listen("imaps"), directory=self.directory)
        self.look_after(child)
        child.wait_until(lambda lines: bool(ports_in(lines)))
        return Server(data, child, certificate, ports_in(child.lines))

    def curl(self, mechanism: str, token: str) -> bytes:
        return run("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", self.server.certificate, "--user",
                   self.user, "--oauth2-bearer", token, "--login-options", f"AUTH={mechanism}",
                   f"imaps://localhost:{self.server.ports['imaps']}/")

    def test_curl_logs_in_by_token(self) -> None:
        needs("curl")
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            self.assertIn(b"INBOX", self.curl(mechanism, "good-token"))
            self.assertRaises(AssertionError, self.curl, mechanism, "bad-token")
        self.server.child.wait_until(lambda lines: sum("login failed" in line for line in lines) >= 2)
        self.assertNotIn("-token", self.server.child.said)


test_suite = beside.suite(__name__)
