"""`moximap quota`."""

from __future__ import annotations

import json
from typing import Any

from moximap.cli.quotas import Size
from tests.test_cli import CommandCase


class QuotaCommand(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.add()

    def quota(self, *arguments: str) -> Any:
        return json.loads(self.run_command("quota", "ada@example.org", "--json", *arguments).stdout)

    def test_it_shows_what_is_used_and_may_be(self) -> None:
        self.run_command("deliver", "ada@example.org", given=b"Subject: x\r\n\r\nhello\r\n")
        self.assertEqual(self.quota(), {"storage": {"used": 21, "limit": None},
                                        "messages": {"used": 1, "limit": None},
                                        "mailboxes": {"used": 6, "limit": 10000}})
        plain = self.run_command("quota", "ada@example.org", "--storage", "1.5M").stdout
        self.assertEqual(plain, "storage:   21 bytes, at most 1,572,864 bytes\nmessages:  1, no limit\n"
                                "mailboxes: 6, at most 10,000\n")

    def test_it_changes_what_is_named_and_leaves_the_rest(self) -> None:
        self.quota("--storage", "1G", "--messages", "5")
        limits = {name: fact["limit"] for name, fact in self.quota("--mailboxes", "7").items()}
        self.assertEqual(limits, {"storage": 1 << 30, "messages": 5, "mailboxes": 7})
        limits = {name: fact["limit"] for name, fact in self.quota("--storage", "none").items()}
        self.assertEqual(limits, {"storage": None, "messages": 5, "mailboxes": 7})
        limits = {name: fact["limit"] for name, fact in self.quota("--none", "--messages", "0").items()}
        self.assertEqual(limits, {"storage": None, "messages": 0, "mailboxes": 10000})

    def test_mail_over_the_limit_is_to_be_tried_again_later(self) -> None:
        self.quota("--messages", "0")
        self.refused("deliver", "ada@example.org", given=b"Subject: x\r\n\r\nhello\r\n", code=75)

    def test_sizes(self) -> None:
        for text, octets in (("0", 0), ("1", 1024), ("1024", 1024), ("1025", 2048), ("2k", 2048), ("2KiB", 2048),
                             ("2 MB", 2 << 20), ("0.5g", 1 << 29), ("1T", 1 << 40), ("1P", 1 << 50)):
            self.assertEqual(Size().convert(text, None, None), octets, text)

    def test_what_is_no_size_or_number(self) -> None:
        for option, text in (("--storage", "much"), ("--storage", "1X"), ("--storage", "-1"), ("--storage", "1.5.5M"),
                             ("--storage", "999999999999P"), ("--messages", "1k"), ("--messages", "-1"),
                             ("--mailboxes", "²"), ("--mailboxes", "1" * 30)):
            self.refused("quota", "ada@example.org", option, text)

    def test_an_account_that_is_not_there(self) -> None:
        self.refused("quota", "bob@example.org")
