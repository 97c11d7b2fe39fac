# SPDX-License-Identifier: BSD-3-Clause
"""Upstreams that are silent, truncate, break TCP off or fail, what that costs them (RFC 9520), and what the client sees."""
import time

from harness import TCP4, UDP4, alike, case, configured, eventually, query, refuses
from zoo import GRAVE, PACK, ZOO, believed, log, questions, refused, sent, served

SENDS_MAX = 6  # upstreams.max_sends: for one question, whatever goes wrong


@case(ways=[UDP4, TCP4])
def silence_is_servfail_in_time(way):
    name = way.fresh("dead", GRAVE)
    reply = way.ask(name)
    refused(reply)
    assert set(reply.ede()) <= {22, 23}


@case(ways=[UDP4])
def rfc8914_4_23_silence_is_explained(way):
    assert way.ask(way.fresh("dead", GRAVE), edns=True).ede() == [22]


@case(ways=[UDP4])
def rfc9520_3_1_no_server_is_asked_more_than_3_times_by_udp(way):
    name = way.fresh("dead", GRAVE)
    refused(way.ask(name))
    assert 1 <= len(sent(name)) <= 3, sent(name)


@case(ways=[UDP4])
def rfc2308_7_2_a_server_that_was_silent_is_asked_all_the_same(way):
    """To be dead for a name says nothing of other names, as long as no other server can be asked."""
    for _ in range(3):
        refused(way.ask(way.fresh("dead", GRAVE)))
    believed(way.ask(way.fresh("good", GRAVE)))


def back_off(seconds):
    return f"upstreams: {{servers: [{{address: '127.0.0.1:5301'}}], backoff: {seconds}, check: 'off'}}"


def first_asked(way, zone):
    name = way.fresh("good", zone)
    believed(way.ask(name))
    return sent(name)[0].port


@case(ways=[UDP4], alone=True)
def rfc2308_7_2_a_dead_server_is_dead_for_five_minutes_at_most(way):
    """For a second here: weir asks it last then, and first again afterwards. More than five minutes cannot be configured."""
    zone, dead, other = "down.example", 5307, 5306

    def asked_last():
        for _ in range(4):  # three in a row make it dead
            believed(way.ask(way.fresh(f"silentat-{dead}", zone)))
        return first_asked(way, zone) == other

    assert refuses(upstreams=back_off(301))
    with configured(upstreams=back_off(1), forward_zones=served(zone, dead, other)):
        eventually(asked_last)
        eventually(lambda: first_asked(way, zone) == dead)
    with configured(upstreams=back_off(300), forward_zones=served(zone, dead, other)):
        eventually(asked_last)
        for _ in range(3):
            time.sleep(0.5)
            assert first_asked(way, zone) == other


@case(ways=[UDP4], alone=True)
def rfc1035_4_2_1_the_wait_follows_how_long_a_server_takes(way):
    """After 200 ms without a reply weir repeats the query to a server that answers at once. It waits for one
    that usually takes as long, until that one is fast again."""
    zone = "pace.example"

    def sends():
        name = way.fresh("late-200", zone)
        believed(way.ask(name))
        return len(sent(name))

    def fast():
        for _ in range(20):
            first_asked(way, zone)
        return sends() > 1

    with configured(forward_zones=served(zone, 5307)):
        eventually(fast)
        eventually(lambda: sends() == 1)
        eventually(fast)


alike(
    lambda way, word: believed(way.ask(way.fresh(word, ZOO))),
    rfc1035_7_late_reply_still_answers=([UDP4, TCP4], "late-900"),
    rfc2181_9_records_beside_tc_are_not_used=([UDP4], "tcwithanswer"),
    rfc7766_8_reply_octet_by_octet_is_read=([UDP4], "drip"),
)
alike(
    lambda way, word: refused(way.ask(way.fresh(word, GRAVE))),
    tc_over_tcp_too_is_servfail=([UDP4, TCP4], "tcever"),
    tcp_that_says_nothing_is_servfail=([UDP4], "tchang"),
    tcp_closed_at_once_is_servfail=([UDP4], "tcclose"),
    tcp_closed_in_a_message_is_servfail=([UDP4], "tchalf"),
    tcp_with_another_id_is_servfail=([UDP4], "tcliar"),
    rfc7766_7_tcp_with_another_question_is_servfail=([UDP4], "tcotherquestion"),
    tcp_message_of_no_octets_is_no_answer=([UDP4], "tcempty"),
)


@case(ways=[UDP4], alone=True)
def late_reply_after_servfail_still_fills_the_cache(way):
    with configured(limits="limits: {answer_deadline_ms: 1900}"):
        name = way.fresh("late-2100", ZOO)
        first = way.ask(name)
        assert first.rcode == "SERVFAIL"
        eventually(lambda: way.ask(name).rcode == "NOERROR")
        assert len(sent(name)) <= 3


@case(ways=[UDP4, TCP4])
def rfc7766_5_tc_is_asked_again_over_tcp(way):
    name = way.fresh("tc", ZOO)
    believed(way.ask(name))
    assert [one.proto for one in sent(name)] == ["udp", "tcp"]


def an_rcode(way, number):
    name = way.fresh(f"rcode-{number}", GRAVE)
    refused(way.ask(name))
    assert len(sent(name)) <= 3, sent(name)


alike(an_rcode, **{f"rfc6895_2_3_rcode_{number}_with_records_is_servfail": ([UDP4], number)
                   for number in (*(n for n in range(1, 16) if n != 3), 16, 17, 23, 24, 2048, 4095)})


def the_other_is_asked(way, word, most):
    name = way.fresh(word, PACK)
    believed(way.ask(name))
    assert len({one.port for one in sent(name)[:most]}) == 2, sent(name)


alike(
    the_other_is_asked,
    rfc1035_7_2_an_error_of_one_server_is_the_other_s_question=([UDP4, TCP4], "failsfirst", None),
    rfc1035_4_2_1_after_a_time_out_the_other_server_is_asked=([UDP4, TCP4], "silentfirst", 2),
)


@case(ways=[UDP4, TCP4])
def rfc9520_3_2_failure_is_kept_for_a_second_at_least(way):
    name = way.fresh("rcode-2", GRAVE)
    began = time.monotonic()
    refused(way.ask(name))
    for _ in range(5):
        again = way.ask(name, edns=True)
        if time.monotonic() - began > 0.9:
            return  # too slow a machine to tell
        refused(again)
        assert again.ede() == [13], again.ede()
        assert len(questions(name)) == 1


@case(ways=[UDP4])
def rfc9520_3_2_failure_is_forgotten_in_time(way):
    """Asked again within 5 minutes at most; here after the shortest time."""
    name = way.fresh("rcode-2", GRAVE)
    refused(way.ask(name))
    eventually(lambda: way.ask(name) and len(questions(name)) >= 2)


@case(ways=[UDP4])
def rfc9520_2_failures_of_every_kind_are_kept(way):
    """What servers refuse, what cannot be followed, what TCP does not bring."""
    for word in ("rcode-1", "rcode-4", "rcode-5", "badvers", "alwaysformerr", "selfloop", "loop", "lame", "tcever", "tcclose"):
        name = way.fresh(word, GRAVE)
        refused(way.ask(name))
        began, sends = time.monotonic(), len(questions(name))
        for _ in range(4):
            refused(way.ask(name))
            time.sleep(0.1)
        if time.monotonic() - began < 0.9:
            assert len(questions(name)) == sends, (word, sent(name))


@case(ways=[UDP4])
def rfc9520_3_2_failures_in_a_row_are_asked_less_and_less(way):
    """Asked each 0.1 s for 5 s: 1 s, 2 s, 4 s between what reaches the server."""
    name = way.fresh("rcode-5", GRAVE)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        refused(way.ask(name))
        time.sleep(0.1)
    assert 2 <= len(questions(name)) <= 4, sent(name)


@case(ways=[UDP4])
def other_types_of_a_failed_name_are_asked(way):
    name = way.fresh("rcode-2", GRAVE)
    refused(way.ask(name))
    refused(way.ask(name, "TXT"))
    assert len(questions(name)) == 2


WORST = ("dead", "tcever", "tchang", "tcclose", "tchalf", "tcliar", "tcempty", "bad-0", "alwaysformerr", "noednsatall", "selfloop",
         "lame", "wrongid-3", "rcode-5", "badvers", "lower", "twice-20", "short")


def flood(way, words, each):
    """Asks all of these at one time; word -> for each of its names what was sent for it."""
    socks = []
    for word in words:
        for _ in range(each):
            sock = way.socket()
            way.send(sock, query(way.fresh(word, PACK)))
            socks.append(sock)
    answers = sum(way.receive(sock) is not None for sock in socks)
    for sock in socks:
        sock.close()
    assert answers >= len(socks) * 0.9, f"{answers} of {len(socks)}"
    time.sleep(1)
    mark = f"-{way.title}-{way.number}.{PACK}"
    packets = {name: found for name, found in log().items() if name.endswith(mark)}
    out = {word: [found for name, found in packets.items() if name.split(".")[0] == word] for word in words}
    assert all(len(names) >= each * 0.9 for names in out.values()), out
    return out


def mean(counts):
    return sum(counts) / len(counts)


@case(ways=[UDP4], alone=True)
def camp_a_miss_costs_at_most_6_packets_whatever_upstream_does(way):
    """Two servers, each of them all of that (RFC 9520 3.1; CAMP, USENIX Security 2024)."""
    packets = {word: [len(packets) for packets in names] for word, names in flood(way, WORST, 20).items()}
    print("  packets a miss: " + ", ".join(f"{word} {mean(counts):.2f}" for word, counts in packets.items()))
    every = [count for counts in packets.values() for count in counts]
    print(f"  all {len(every)}: mean {mean(every):.2f}, {max(every)} at most")
    assert max(every) <= SENDS_MAX, packets


@case(ways=[UDP4], alone=True)
def camp_an_honest_upstream_is_asked_once(way):
    """After all that: what was learnt of the servers costs nobody else anything."""
    counts = [len(set(packets)) for packets in flood(way, ["good"], 100)["good"]]
    assert mean(counts) <= 1.2, counts
