// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_rig.h"

#include "tests/oracle/reply_oracle.h"

enum { QUERY_MAX = 600, QUERIES_KEPT = 512 };

struct frontend_session frontend_session[FRONTEND_TRANSPORTS];
uint8_t frontend_said[DNS_MESSAGE_MAX];
struct frontend_reply frontend_said_reply;
struct frontend_rig_reply later[LATER_MAX];
_Atomic unsigned later_count;

// The last queries, for those that are answered later. Only the loop uses them.
static struct kept {
	enum frontend_transport transport;
	size_t len;
	uint8_t msg[QUERY_MAX];
} queries[QUERIES_KEPT];
static unsigned queries_kept;

static void query_keep(enum frontend_transport t, const uint8_t *msg, size_t len)
{
	struct kept *k = &queries[queries_kept % QUERIES_KEPT];
	if (len > sizeof(k->msg))
		return;
	k->transport = t;
	k->len = len;
	memcpy(k->msg, msg, len);
	queries_kept++;
}

static bool may_be_of(
	const struct kept *k, enum frontend_transport t, const struct frontend_reply *r)
{
	size_t question_len = k->len - DNS_HEADER_LEN - (k->msg[11] ? DNS_OPT_FIXED_LEN : 0);
	return k->transport == t && get_u16(k->msg) == get_u16(r->msg)
	       && r->len >= DNS_HEADER_LEN + question_len
	       && memcmp(k->msg + DNS_HEADER_LEN, r->msg + DNS_HEADER_LEN, question_len) == 0;
}

// The one query that the reply can be for; NULL where there are several, or it is too long ago.
static const struct kept *query_of(enum frontend_transport t, const struct frontend_reply *r)
{
	const struct kept *found = NULL;
	unsigned count = queries_kept < QUERIES_KEPT ? queries_kept : QUERIES_KEPT;
	for (unsigned i = 0; i < count; i++) {
		if (!may_be_of(&queries[i], t, r))
			continue;
		if (found)
			return NULL;
		found = &queries[i];
	}
	return found;
}

// Every reply of the front is one as may leave weir.
static void reply_check(enum frontend_transport t, const struct frontend_reply *r,
	const uint8_t *query, size_t query_len)
{
	const struct reply_oracle o = {.query = query,
		.query_len = query_len,
		.limit = t != FRONTEND_UDP ? (size_t)REPLY_ORACLE_TCP
					   : rig.config.limits.udp_reply_size};
	if (r->len > 0)
		reply_oracle_check(&o, r->msg, r->len);
}

static void on_reply(struct frontend_session *s, const union client_address *client,
	const struct frontend_reply *reply)
{
	unsigned n = later_count;
	const struct kept *k = reply->len > 0 ? query_of(s->transport, reply) : NULL;
	reply_check(s->transport, reply, k ? k->msg : NULL, k ? k->len : 0);
	if (n == LATER_MAX)
		return;
	struct frontend_rig_reply *l = &later[n];
	*l = (struct frontend_rig_reply){
		.client = *client, .transport = s->transport, .len = reply->len, .opt = reply->opt};
	if (reply->len)
		memcpy(l->msg, reply->msg,
			reply->len < sizeof(l->msg) ? reply->len : sizeof(l->msg));
	later_count = n + 1;
}

static void sessions_begin(void *)
{
	for (unsigned i = 0; i < FRONTEND_TRANSPORTS; i++) {
		frontend_session[i] = (struct frontend_session){
			.reply = on_reply, .transport = (enum frontend_transport)i};
		frontend_session_begin(&frontend_session[i]);
	}
}

void frontend_rig_open(void)
{
	later_count = 0;
	queries_kept = 0;
	on_loop(sessions_begin, NULL);
}

static void session_end(void *session)
{
	frontend_session_end(rig.frontend, session);
}

static void on_frontend_status(void *status)
{
	frontend_status(rig.frontend, status);
}

struct frontend_status frontend_now(void)
{
	struct frontend_status s;
	on_loop(on_frontend_status, &s);
	return s;
}

struct frontend_counts frontend_counts(enum frontend_transport t)
{
	return frontend_now().of[t];
}

void frontend_rig_end(enum frontend_transport t)
{
	on_loop(session_end, &frontend_session[t]);
}

void frontend_rig_close(void)
{
	for (unsigned i = 0; i < FRONTEND_TRANSPORTS; i++)
		frontend_rig_end((enum frontend_transport)i);
}

void frontend_rig_admit_all(void)
{
	static const struct policy_group everyone;
	rig_policy(&everyone);
}

int frontend_rig_setup_closed(void **state)
{
	rig_setup(state);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	frontend_rig_open();
	return 0;
}

int frontend_rig_setup(void **state)
{
	frontend_rig_setup_closed(state);
	frontend_rig_admit_all();
	return 0;
}

int frontend_rig_teardown(void **state)
{
	frontend_rig_close();
	return rig_teardown(state);
}

void frontend_rig_configure(void)
{
	assert_int_equal(resolver_reconfigure(rig.resolver, &rig.config), 0);
	frontend_configure(rig.frontend, &rig.config);
}

size_t query_write(uint8_t msg[600], const struct frontend_rig_query *q)
{
	struct wr w = wr_init(msg, 600);
	struct dns_name name = name_of_text(q->name);
	for (size_t i = 0; q->name[i]; i++) // the letter case, too
		if (q->name[i] != '.')
			name.wire[i + 1] = (uint8_t)q->name[i];
	wr_u16(&w, q->id);
	wr_u16(&w, DNS_FLAG_RD);
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, q->udp_size ? 1 : 0);
	wr_bytes(&w, name.wire, name.len);
	wr_u16(&w, q->type ? q->type : DNS_TYPE_A);
	wr_u16(&w, DNS_CLASS_IN);
	if (q->udp_size) {
		wr_bytes(&w, "\0\0\51", 3);
		wr_u16(&w, q->udp_size);
		wr_bytes(&w, "\0\0\0\0\0\0", 6);
	}
	assert_true(wr_ok(&w));
	return w.pos;
}

struct asking {
	enum frontend_transport t;
	union client_address client;
	const uint8_t *msg;
	size_t len;
	enum frontend_outcome outcome;
};

static void on_ask(void *arg)
{
	struct asking *a = arg;
	a->outcome = frontend_ask(rig.frontend, &frontend_session[a->t], &a->client, a->msg, a->len,
		&frontend_said_reply);
	if (a->outcome == FRONTEND_LATER)
		query_keep(a->t, a->msg, a->len);
	if (a->outcome != FRONTEND_REPLY)
		return;
	reply_check(a->t, &frontend_said_reply, a->msg, a->len);
	memcpy(frontend_said, frontend_said_reply.msg, frontend_said_reply.len);
}

enum frontend_outcome frontend_rig_ask_bytes(
	enum frontend_transport t, const char *client, const uint8_t *msg, size_t len)
{
	struct asking a = {.t = t, .msg = msg, .len = len};
	if (inet_pton(AF_INET, client, &a.client.v4.sin_addr) == 1) {
		a.client.v4.sin_family = AF_INET;
		a.client.v4.sin_port = htons(4000);
	} else {
		assert_int_equal(inet_pton(AF_INET6, client, &a.client.v6.sin6_addr), 1);
		a.client.v6.sin6_family = AF_INET6;
		a.client.v6.sin6_port = htons(4000);
	}
	on_loop(on_ask, &a);
	return a.outcome;
}

enum frontend_outcome frontend_rig_ask(
	enum frontend_transport t, const struct frontend_rig_query *q)
{
	uint8_t msg[600];
	size_t len = query_write(msg, q);
	return frontend_rig_ask_bytes(t, q->client ? q->client : "198.18.0.2", msg, len);
}

enum frontend_outcome ask_for(const char *name)
{
	return FRONTEND_ASK(FRONTEND_TCP, .name = name, .id = 7);
}

const struct frontend_rig_reply *expect_later(unsigned n)
{
	WAIT_FOR(later_count > n);
	return &later[n];
}
