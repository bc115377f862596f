"""THREAD and UID THREAD: RFC 5256, RFC 7162 3.1.9, and what is refused."""

from __future__ import annotations

from random import Random

from moximap.store import threadkeys
from moximap.store.interfaces import NewMessage
from tests.test_commands_sort import SortCase, message
from tests.threadmodel import Mail, references


def letter(id: str = "", refs: str = "", subject: str = "", arrived: int = 0, **more: str) -> NewMessage:
    """``refs``: names of ids, separated by spaces."""
    fields = dict(more)
    if id:
        fields["Message-ID"] = f"<{id}@x>"
    if refs:
        fields["References"] = " ".join(f"<{ref}@x>" for ref in refs.split())
    return message(arrived, Subject=subject, **fields)


class ThreadTests(SortCase):
    def thread(self, algorithm: str, program: str = "UTF-8 ALL", command: str = "THREAD") -> str:
        return self.sort(algorithm, program, command, "THREAD")

    def test_it_is_announced(self) -> None:
        self.client().send(b"a CAPABILITY\r\n")
        names = self.client().received().split(b"\r\n")[0].split()
        for name in (b"THREAD=ORDEREDSUBJECT", b"THREAD=REFERENCES"):
            self.assertIn(name, names)

    def test_examples_of_rfc_5256(self) -> None:
        self.put(letter("a", subject="one", arrived=5), letter("b", subject="two", arrived=6),
                 letter("c", subject="Re: one", arrived=8), letter("d", "b", "other", arrived=9),
                 letter("e", "b", "Re: two", arrived=7), letter(subject="gone", arrived=-9))
        self.select()
        self.dialogue("""
            C: A283 THREAD ORDEREDSUBJECT UTF-8 SINCE 1-Feb-1994
            S: * THREAD (1 3)(2 5)(4)
            S: A283 OK THREAD completed
            C: A284 THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp"
            S: * THREAD
            S: A284 OK THREAD completed
            C: A285 THREAD REFERENCES UTF-8 SINCE 1-Feb-1994
            S: * THREAD (1 3)(2 (5)(4))
            S: A285 OK THREAD completed
        """)

    def test_the_response_of_rfc_5256_4(self) -> None:
        """* THREAD (2)(3 6 (4 23)(44 7 96)), with numbers that are as far apart as their order."""
        self.put(letter("2"), letter("3"), letter("4", "6"), letter("6", "3"), letter("7", "44"),
                 letter("23", "4"), letter("44", "6"), letter("96", "7"))
        self.select()
        self.assertEqual(self.thread("REFERENCES"), "(1)(2 4 (3 6)(7 5 8))")
        self.assertEqual(self.thread("REFERENCES", "UTF-8 NOT 2 NOT 4"), "(1)((3 6)(7 5 8))")

    def test_in_reply_to_is_used_where_there_are_no_valid_references(self) -> None:
        self.put(letter("a"), letter("b", **{"In-Reply-To": "your mail of <a@x> and <c@x>"}),
                 letter("c", References="nonsense", **{"In-Reply-To": "<a@x>"}),
                 letter("d", References="<b@x> <broken", **{"In-Reply-To": "<a@x>"}),
                 letter("e", References="<a@x>\r\n\t<gone@x>\r\n <d@x>"))
        self.select()
        self.assertEqual(self.thread("REFERENCES"), "(1 (2 4 5)(3))")

    def test_ids_are_compared_without_quoting_and_with_case(self) -> None:
        self.put(message(**{"Message-ID": '<"01KF8JCEOCBS0045PS"@xxx.yyy.com>'}),
                 message(References="<01KF8JCEOCBS0045PS@xxx.yyy.com>"),
                 message(References="<01kf8jceocbs0045ps@xxx.yyy.com>"))
        self.select()
        self.assertEqual(self.thread("REFERENCES"), "(1 2)(3)")

    def test_an_id_twice_is_the_first_messages(self) -> None:
        self.put(letter("a"), letter("a"), letter("b", "a"))
        self.select()
        self.assertEqual(self.thread("REFERENCES"), "(1 3)(2)")

    def test_uids_expunges_and_new_messages(self) -> None:
        self.put(letter("a"), letter("b"), letter("c", "b"), letter("d", "a"))
        self.select()
        self.assertEqual(self.thread("REFERENCES", "UTF-8 3:4"), "(3)(4)")
        self.assertEqual(self.thread("REFERENCES"), "(1 4)(2 3)")
        self.elsewhere("expunge", [2])
        self.assertEqual(self.thread("REFERENCES"), "(1 4)(2 3)")        # the client was not told
        self.send("n NOOP")
        self.assertEqual(self.thread("REFERENCES"), "(1 3)(2)")
        self.assertEqual(self.thread("REFERENCES", command="UID THREAD"), "(1 4)(3)")
        self.put(letter("e", "d"), letter("f", "c"))
        self.send("n NOOP")
        self.assertEqual(self.thread("REFERENCES", command="UID THREAD"), "(1 4 5)(3 6)")
        self.assertEqual(self.thread("ORDEREDSUBJECT", command="UID THREAD"), "(1 (3)(4)(5)(6))")

    def test_random_mail_as_the_rfc_has_it(self) -> None:
        random = Random(5)
        mails = []
        for _ in range(60):
            reply = random.random() < 0.5
            refs = tuple(f"i{random.randrange(40)}" for _ in range(random.choice((0, 1, 1, 3))))
            mails.append(Mail(f"i{random.randrange(40)}", refs, random.randrange(9),
                              random.choice("abcdefgh"), reply))
        self.put(*[letter(mail.id or "", " ".join(mail.references), ("Re: " if mail.reply else "") + mail.subject,
                          mail.date) for mail in mails])
        self.select()
        told = self.thread("REFERENCES")
        self.assertEqual(sorted(map(int, told.replace("(", " ").replace(")", " ").split())), [*range(1, 61)])
        plain = "".join(str(int(word) + 1) if word.isdigit() else word for word in _words(references(mails)))
        self.assertEqual(told, plain)

    def test_modseq_changes_no_response_rfc_7162_3_1_9(self) -> None:
        self.put(letter("a"), letter("b", "a"))
        self.send("e ENABLE CONDSTORE")
        self.select()
        self.assertEqual(self.thread("REFERENCES", "UTF-8 MODSEQ 1"), "(1 2)")
        self.assertEqual(self.thread("REFERENCES", "UTF-8 MODSEQ 99999"), "")

    def test_a_modseq_key_enables_condstore(self) -> None:
        self.put(letter("a"))
        self.select()
        self.dialogue("""
            C: 1 THREAD REFERENCES UTF-8 MODSEQ 1
            S: * THREAD (1)
            S: * OK [HIGHESTMODSEQ {m}] CONDSTORE is enabled
            S: 1 OK THREAD completed
        """)

    def test_with_uidonly_there_is_uid_thread_only(self) -> None:
        self.put(letter("a"), letter("b", "a"))
        self.send("e ENABLE UIDONLY")
        self.select()
        self.client().send(b"q THREAD REFERENCES UTF-8 ALL\r\n")
        self.assertTrue(self.client().received().startswith(b"q BAD [UIDREQUIRED] "))
        self.assertEqual(self.thread("REFERENCES", command="UID THREAD"), "(1 2)")

    def test_what_is_refused(self) -> None:
        self.select()
        for text in (b"REFS UTF-8 ALL", b"REFERENCES ALL", b"REFERENCES UTF-8", b"(REFERENCES) UTF-8 ALL",
                     b"REFERENCES UTF-8 NONSENSE", b"RETURN (ALL) REFERENCES UTF-8 ALL", b""):
            self.client().send(b"q THREAD " + text + b"\r\n")
            self.assertTrue(self.client().received().startswith(b"q BAD "), text)
        self.client().send(b"q THREAD REFERENCES KOI8-R ALL\r\n")
        self.assertTrue(self.client().received().startswith(b"q NO [BADCHARSET (US-ASCII UTF-8)] "))

    def test_without_room_nothing_is_kept_and_all_is_answered(self) -> None:
        self.patch(threadkeys, "ROOM", 10)
        self.put(letter("a"), letter("b", "a"), letter("c", "b"))
        self.select()
        for program, told in (("2:3", "(2 3)"), ("ALL", "(1 2 3)"), ("1 OR 1 3", "(1)")):
            self.assertEqual(self.thread("REFERENCES", f"UTF-8 {program}"), told)
        view = self.client().protocol.session.selected
        self.assertEqual(len(view.image.threads._links.uids), 0)

    def test_of_far_too_many_references_the_last_ones_count(self) -> None:
        self.patch(threadkeys, "_MANY", 6)
        self.patch(threadkeys, "_USUAL", 1)
        self.patch(threadkeys, "_LAST", 2)
        self.put(letter("a"), letter("b", "a x y z"), letter("c", "a x y z"), letter("d", "z"))
        self.select()
        self.assertEqual(self.thread("REFERENCES", "UTF-8 1:2"), "(1 2)")
        self.assertEqual(self.thread("REFERENCES"), "(1)((2)(3)(4))")

    def test_many_messages_take_several_lines(self) -> None:
        self.patch(threadkeys, "_TOGETHER", 2)
        self.put(letter("a"), letter("b", "a"), letter("c"))
        self.select()
        self.dialogue("""
            C: 1 THREAD REFERENCES UTF-8 ALL
            S: * THREAD (1 2)
            S: * THREAD (3)
            S: 1 OK THREAD completed
        """)


def _words(text: str) -> list[str]:
    """Numbers, and what is between them."""
    return list(text.replace("(", "\0(\0").replace(")", "\0)\0").replace(" ", "\0 \0").split("\0"))
