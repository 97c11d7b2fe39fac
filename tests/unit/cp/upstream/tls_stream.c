// SPDX-License-Identifier: BSD-3-Clause
#include "tls_stream.h"

#include "tests/unit/unit.h"

struct tls_stream conn[TLS_STREAM_CONNS];
static struct ssl_ctx_st *context;

void server_is(enum tls_rig_kind kind)
{
	tls_rig_context_free(context);
	context = tls_rig_context(kind);
}

void name_is(const char *name)
{
	struct config_upstream_tls *t = &rig.config.server[0].tls;
	t->is_on = true;
	snprintf(t->name, sizeof(t->name), "%s", name);
	rig.config.ca_file = tls_rig_ca;
	stream_configure();
}

int tls_stream_setup(void **state)
{
	stream_rig_setup(state);
	memset(conn, 0, sizeof(conn));
	server_is(TLS_RIG_GOOD);
	name_is("dns.example");
	return 0;
}

void conn_close(unsigned i, bool reset)
{
	tls_side_free(conn[i].side);
	conn[i].side = NULL;
	conn[i].done = false;
	conn_end(rig.conn[i], reset);
}

int tls_stream_teardown(void **state)
{
	for (unsigned i = 0; i < TLS_STREAM_CONNS; i++)
		tls_side_free(conn[i].side);
	tls_rig_context_free(context);
	context = NULL;
	// Never a datagram, never a query over TCP that is not of TLS.
	assert_int_equal(rig.steps[TRACE_udp_sent], 0);
	return stream_rig_teardown(state);
}

static void serve(unsigned i)
{
	if (rig.conn[i] < 0)
		return;
	if (!conn[i].side) {
		fcntl(rig.conn[i], F_SETFL, O_NONBLOCK);
		conn[i].side = tls_side_new(context, rig.conn[i]);
	}
	if (!conn[i].done)
		conn[i].done = tls_side_turn(conn[i].side);
	ssize_t n = conn[i].done ? tls_side_read(
			    conn[i].side, conn[i].in + conn[i].len, TLS_STREAM_IN - conn[i].len)
				 : -1;
	conn[i].len += n > 0 ? (size_t)n : 0;
}

void serve_all(void)
{
	for (unsigned i = 0; i < rig.conns && i < TLS_STREAM_CONNS; i++)
		serve(i);
}

static bool has_query(const void *arg)
{
	unsigned i = *(const unsigned *)arg;
	serve_all();
	return conn[i].len >= 2 && conn[i].len >= 2u + get_u16(conn[i].in);
}

size_t question_end(const uint8_t *msg)
{
	size_t i = DNS_HEADER_LEN;
	while (msg[i])
		i += msg[i] + 1u;
	return i + 5;
}

void query_take(unsigned i, struct stream_query *q)
{
	wait_for(has_query, &i);
	q->len = get_u16(conn[i].in);
	assert_in_range(q->len, DNS_HEADER_LEN, sizeof(q->msg));
	memcpy(q->msg, conn[i].in + 2, q->len);
	conn[i].len -= q->len + 2;
	memmove(conn[i].in, conn[i].in + 2 + q->len, conn[i].len);
	q->edns = get_u16(q->msg + 10) == 1;
	q->number = 0;
	for (unsigned k = 2; k < 6; k++)
		q->number = q->number * 10 + q->msg[DNS_HEADER_LEN + k] - '0';
}

void answer(unsigned i, const struct stream_query *q)
{
	uint8_t out[700];
	tls_side_write(conn[i].side, out, reply_write(q, -1, out));
}

static bool is_done(const void *arg)
{
	unsigned n = *(const unsigned *)arg;
	serve_all();
	return rig.replied[n] || rig.ended[n];
}

void ask_wait(unsigned number)
{
	wait_for(is_done, &number);
}

void answer_asked(unsigned i, unsigned number)
{
	struct stream_query q;
	query_take(i, &q);
	answer(i, &q);
	ask_wait(number);
	assert_true(rig.replied[number]);
}

void answer_ask(unsigned i)
{
	answer_asked(i, ask_more(1));
}

void ask_fails(void)
{
	unsigned first = ask_more(1);
	wait_for(is_done, &first);
	assert_true(rig.ended[first]);
}

bool has_failed(const void *arg)
{
	serve_all();
	return server_status().tls_failed[*(const enum tls_failure *)arg] > 0;
}
