// SPDX-License-Identifier: BSD-3-Clause
// The queries at the recursor's socket, and their replies.
#include "lists/zone_suffix.h"
#include "recursor_internal.h"
#include "validator/validator_library.h"

#include <string.h>
#include <sys/socket.h>
#include <weir/dns_query.h>

enum {
	QUERY_MAX = 1024,
	REPLY_MAX = 65507, // of a datagram over IPv4
	A_TURN = 64,
	ZONE_LEAST = 8, // questions of a zone, however few sockets are free
};

static struct recursion **chain_of(struct recursor *r, const struct sockaddr_in *peer)
{
	return &r->chain[peer->sin_port % RECURSOR_CHAINS];
}

static bool is_asked(struct recursor *r, const struct sockaddr_in *peer, uint16_t id)
{
	for (const struct recursion *q = *chain_of(r, peer); q; q = q->next)
		if (q->peer.sin_port == peer->sin_port && q->id == id)
			return true;
	return false;
}

// A zone may have as many as are free (Choudhury and Hahne 1998, dynamic thresholds), of the places
// and of the sockets, because each question whose servers are silent holds a socket: a part stays
// free whatever the others have.
static bool zone_is_full(const struct recursor *r, uint32_t zone)
{
	const unsigned all = r->count.questions, left = r->cap - all;
	const unsigned n = zone_count(r->zone, r->touched, zone);
	unsigned sockets = all < RECURSOR_SOCKETS ? RECURSOR_SOCKETS - all : 0;

	if (sockets < ZONE_LEAST)
		sockets = ZONE_LEAST;
	return n >= left || n >= sockets;
}

static struct recursion *question_new(
	struct recursor *r, const struct sockaddr_in *peer, const struct dns_name *name)
{
	struct recursion *q = r->free, **chain = chain_of(r, peer);
	const uint32_t zone = zone_key(name, &r->secret);

	if (zone_is_full(r, zone))
		return NULL;
	if (q)
		r->free = q->next;
	else if (r->touched < r->cap)
		q = &r->question[r->touched++];
	else
		return NULL;
	*q = (struct recursion){.next = *chain, .owner = r, .peer = *peer};
	*chain = q;
	r->zone[q - r->question] = zone;
	age_add(&r->ages, &q->age);
	if (++r->count.questions > r->most)
		r->most = r->count.questions;
	return q;
}

static void question_free(struct recursion *q)
{
	struct recursor *r = q->owner;
	struct recursion **at = chain_of(r, &q->peer);

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	age_remove(&r->ages, &q->age);
	r->zone[q - r->question] = 0;
	r->old_questions -= q->is_old;
	r->count.questions--;
	q->next = r->free;
	r->free = q;
}

// `rest`: what follows the question. A datagram that finds no room is lost: who asked asks again.
static void reply_send(const struct recursor *r, const struct sockaddr_in *peer,
	const uint8_t head[DNS_HEADER_LEN], const uint8_t *question, size_t question_len,
	const uint8_t *rest, size_t rest_len)
{
	struct sockaddr_in to = *peer;
	struct iovec part[] = {
		{.iov_base = (void *)(uintptr_t)head, .iov_len = DNS_HEADER_LEN},
		{.iov_base = (void *)(uintptr_t)question, .iov_len = question_len},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = rest_len},
	};
	const struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 3};
	(void)!sendmsg(r->fd, &msg, MSG_DONTWAIT);
}

static void servfail_send(struct recursor *r, const struct sockaddr_in *peer, uint16_t id,
	uint16_t flags, const uint8_t *question, size_t question_len)
{
	uint8_t head[DNS_HEADER_LEN] = {0};

	put_u16(head, id);
	put_u16(head + 2, DNS_FLAG_QR | DNS_FLAG_RA | (flags & (DNS_FLAG_RD | DNS_FLAG_CD))
				  | DNS_RCODE_SERVFAIL);
	put_u16(head + 4, 1);
	reply_send(r, peer, head, question, question_len, NULL, 0);
	r->count.failed++;
}

// The library writes its own spelling of the question, of the same length; compressed names of the
// answer point into it.
static void answer_send(struct recursion *q, const struct library_answer *a)
{
	const size_t skip = DNS_HEADER_LEN + (size_t)q->question_len;
	uint8_t head[DNS_HEADER_LEN];

	memcpy(head, a->msg, sizeof(head));
	put_u16(head, q->id);
	put_u16(head + 2, DNS_FLAG_QR | DNS_FLAG_RA | (q->flags & (DNS_FLAG_RD | DNS_FLAG_CD))
				  | (get_u16(a->msg + 2) & DNS_FLAG_RCODE));
	reply_send(q->owner, &q->peer, head, q->question, q->question_len, a->msg + skip,
		a->len - skip);
	q->owner->count.answers++;
}

static void on_answer(void *arg, const struct library_answer *a)
{
	struct recursion *q = arg;
	const size_t least = DNS_HEADER_LEN + (size_t)q->question_len;

	if (a->rcode == 0 && a->len >= least && a->len <= REPLY_MAX && get_u16(a->msg + 4) == 1)
		answer_send(q, a);
	else
		servfail_send(q->owner, &q->peer, q->id, q->flags, q->question, q->question_len);
	question_free(q);
}

static void question_ask(struct recursor *r, const struct sockaddr_in *peer, const uint8_t *msg,
	const struct dns_query *query)
{
	const uint8_t *question = msg + DNS_HEADER_LEN;
	char text[DNS_NAME_TEXT_MAX];

	r->count.queries++;
	if (is_asked(r, peer, query->id)) {
		r->count.repeated++;
		return;
	}
	struct recursion *q = question_new(r, peer, &query->name);
	if (!q) {
		r->count.refused++;
		servfail_send(r, peer, query->id, query->flags, question, query->question_len);
		return;
	}
	q->id = query->id;
	q->flags = query->flags;
	q->question_len = query->question_len;
	memcpy(q->question, question, query->question_len);
	dns_name_to_text(&query->name, text);
	r->is_empty = false;
	if (library_ask(r->library, text, query->qtype, on_answer, q) == 0)
		return;
	r->count.broken++;
	servfail_send(r, peer, query->id, query->flags, question, query->question_len);
	question_free(q);
}

void recursor_readable(int fd, short, void *arg)
{
	struct recursor *r = arg;

	for (unsigned i = 0; i < A_TURN; i++) {
		uint8_t msg[QUERY_MAX];
		struct sockaddr_in peer = {0};
		socklen_t peer_len = sizeof(peer);
		struct dns_query q;
		ssize_t n = recvfrom(
			fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len);
		if (n < 0)
			return;
		if (dns_query_parse(msg, (size_t)n, &q) != DNS_QUERY_OK
			|| q.question_len > RECURSOR_QUESTION_LEN || q.qclass != DNS_CLASS_IN)
			r->count.malformed++;
		else
			question_ask(r, &peer, msg, &q);
	}
}
