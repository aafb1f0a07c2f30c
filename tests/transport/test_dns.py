"""The DNS server on packets that are built and taken apart here, by hand."""

import struct
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from se.transport.dns import DnsServer

US = IPv4Address("192.168.237.1")
A, AAAA, MX, OPT, TSIG, HTTPS, IN, CHAOS = 1, 28, 15, 41, 250, 65, 1, 3
RECURSION_DESIRED = 0x0100
RESPONSE, TRUNCATED = 0x8000, 0x0200
DAY_S = 86_400


def name(text: str) -> bytes:
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(text: str, kind: int = A, category: int = IN) -> bytes:
    return name(text) + struct.pack(">HH", kind, category)


def query(
    *questions: bytes, extra: tuple[bytes, ...] = (), flags: int = RECURSION_DESIRED
) -> bytes:
    header = struct.pack(">6H", 0x1234, flags, len(questions), 0, 0, len(extra))
    return header + b"".join(questions) + b"".join(extra)


def edns(size: int = 4096, version: int = 0, flags: int = 0, options: bytes = b"") -> bytes:
    head = struct.pack(">BHHBBHH", 0, OPT, size, 0, version, flags, len(options))
    return head + options


class Reader:
    """Takes a reply apart; a pointer may only lead backwards."""

    def __init__(self, packet: bytes):
        self.packet, self.offset = packet, 12
        self.flags: int
        self.id, self.flags, *counts = struct.unpack(">6H", packet[:12])
        self.questions = [self.question() for _ in range(counts[0])]
        self.answers = [self.record() for _ in range(counts[1])]
        assert counts[2] == 0
        self.extra = [self.record() for _ in range(counts[3])]
        assert self.offset == len(packet)

    @property
    def error(self) -> int:
        return self.flags & 15

    def take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self.packet, self.offset)
        self.offset += struct.calcsize(form)
        return values

    def name(self) -> str:
        labels, back = [], 0
        while length := self.packet[self.offset]:
            if length >= 0xC0:
                (pointer,) = self.take(">H")
                assert pointer & 0x3FFF < self.offset - 2
                back, self.offset = back or self.offset, pointer & 0x3FFF
                continue
            labels.append(self.packet[self.offset + 1 : self.offset + 1 + length].decode())
            self.offset += 1 + length
        self.offset = back or self.offset + 1
        return ".".join(labels)

    def question(self) -> tuple[str, int, int]:
        text = self.name()
        kind, category = self.take(">HH")
        return text, kind, category

    def record(self) -> tuple[str, int, int, int, bytes]:
        text = self.name()
        kind, category, ttl, length = self.take(">HHIH")
        data = self.packet[self.offset : self.offset + length]
        self.offset += length
        return text, kind, category, ttl, data


def ask(packet: bytes) -> Reader:
    reply = DnsServer(US).handle(packet)
    assert reply is not None
    return Reader(reply)


def test_every_name_is_ours_for_a_day() -> None:
    for text in ("prod.solaredge.com", "prodssl.solaredge.com", "my-own.server.lan", "x", ""):
        reply = ask(query(question(text)))
        assert reply.id == 0x1234
        assert reply.flags == 0x8580  # response, authoritative, recursion desired and available
        assert reply.questions == [(text, A, IN)]
        assert reply.answers == [(text, A, IN, DAY_S, US.packed)]
        assert reply.extra == []


def test_the_case_of_the_question_comes_back() -> None:
    assert ask(query(question("PrOd.SoLaReDgE.cOm"))).questions[0][0] == "PrOd.SoLaReDgE.cOm"


def test_recursion_is_said_to_be_desired_only_if_it_is() -> None:
    assert not ask(query(question("a.b"), flags=0)).flags & RECURSION_DESIRED


def test_other_types_and_classes_get_an_empty_answer() -> None:
    for kind, category in ((AAAA, IN), (MX, IN), (HTTPS, IN), (A, CHAOS), (255, IN)):
        reply = ask(query(question("prod.solaredge.com", kind, category)))
        assert reply.error == 0
        assert reply.questions == [("prod.solaredge.com", kind, category)]
        assert reply.answers == []


def test_several_questions_are_answered_at_once() -> None:
    reply = ask(query(question("a.example"), question("b.example", AAAA), question("c.example")))
    assert [text for text, *_ in reply.questions] == ["a.example", "b.example", "c.example"]
    assert [text for text, *_ in reply.answers] == ["a.example", "c.example"]


def test_a_compressed_question_is_understood() -> None:
    pointer = b"\x03foo" + struct.pack(">H", 0xC000 | 12 + 5)
    reply = ask(query(question("prod.solaredge.com"), pointer + struct.pack(">HH", A, IN)))
    assert [text for text, *_ in reply.answers] == ["prod.solaredge.com", "foo.solaredge.com"]


def test_a_pointer_that_leads_forward_or_to_itself_is_malformed() -> None:
    for target in (12, 14, 200):
        server = DnsServer(US)
        packet = query(struct.pack(">HHH", 0xC000 | target, A, IN))
        assert server.handle(packet) is None
        assert server.dropped == {"malformed": 1}


def test_a_query_with_edns_gets_a_plain_answer() -> None:
    cookie = struct.pack(">HH8s", 10, 8, b"cookies!")
    for opt in (edns(), edns(options=cookie), edns(flags=0x8000), edns(version=1)):
        reply = ask(query(question("a.example"), extra=(opt,)))
        assert reply.error == 0
        assert [record[1] for record in reply.answers] == [A]
        assert reply.extra == []


def test_a_record_of_unknown_type_does_no_harm() -> None:
    key = name("key") + struct.pack(">HHIH", TSIG, 255, 0, 3) + b"abc"
    assert len(ask(query(question("a.example"), extra=(key,))).answers) == 1


def test_a_reply_that_is_too_long_is_cut_and_says_so() -> None:
    questions = [question(f"{number}.example.solaredge.com") for number in range(20)]
    reply = ask(query(*questions))
    assert reply.flags & TRUNCATED
    assert reply.answers == []
    assert ask(query(*questions, extra=(edns(),))).flags & TRUNCATED


def test_another_operation_is_not_implemented() -> None:
    reply = ask(query(question("a.example"), flags=5 << 11))
    assert reply.error == 4
    assert reply.flags >> 11 & 15 == 5
    assert reply.answers == []


def test_a_response_is_never_answered() -> None:
    server = DnsServer(US)
    assert server.handle(query(question("a.example"), flags=RESPONSE)) is None
    assert server.dropped == {"response": 1}


def test_a_query_cut_anywhere_is_malformed() -> None:
    packet = query(question("prod.solaredge.com"))
    for length in range(len(packet)):
        server = DnsServer(US)
        assert server.handle(packet[:length]) is None
        assert server.dropped == {"malformed": 1}


def test_a_name_that_is_no_text_is_malformed() -> None:
    server = DnsServer(US)
    assert server.handle(query(b"\x02\xff\xfe\0" + struct.pack(">HH", A, IN))) is None
    assert server.dropped == {"malformed": 1}


@given(st.binary(max_size=600))
def test_random_bytes_never_raise(packet: bytes) -> None:
    DnsServer(US).handle(packet)


@given(st.data())
def test_a_spoilt_query_never_raises(data: st.DataObject) -> None:
    packet = bytearray(
        query(question("prod.solaredge.com"), question("b.example", AAAA), extra=(edns(),))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    server = DnsServer(US)
    reply = server.handle(bytes(packet))
    assert (reply is None) == (server.dropped.total() == 1)


@given(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True), max_size=5))
def test_any_name_gets_our_address(labels: list[str]) -> None:
    reply = ask(query(question(".".join(labels))))
    assert reply.answers == [(".".join(labels), A, IN, DAY_S, US.packed)]
