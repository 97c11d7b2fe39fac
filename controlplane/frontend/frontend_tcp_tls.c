// SPDX-License-Identifier: BSD-3-Clause

// The TLS of a connection: its handshake, and how that ended.
#include "frontend_tcp_conn.h"
#include "frontend_tcp_shared.h"

#include <errno.h>
#include <weir/clock.h>

bool conn_tls_begin(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	struct frontend_tls_status *s = &t->count.tls;
	struct tls_server *server = tcp_shared_tls(t->shared);

	int rc = server ? tls_conn_accept(&c->tls, server, c->fd, c->speaks->alpn) : -ENOKEY;
	tls_server_free(server);
	if (rc < 0) {
		s->failed[rc == -ENOMEM ? TLS_REFUSED_memory : TLS_REFUSED_other]++;
		return false;
	}
	if (s->shaking == FRONTEND_TLS_SHAKING)
		conn_close(TAILQ_FIRST(&t->shaking), FRONTEND_TCP_END_evicted_handshake);
	c->shaking = true;
	TAILQ_INSERT_TAIL(&t->shaking, c, shake);
	s->open++;
	if (++s->shaking > s->shaking_max)
		s->shaking_max = s->shaking;
	return true;
}

static void shaking_end(struct frontend_conn *c)
{
	c->shaking = false;
	TAILQ_REMOVE(&c->tcp->shaking, c, shake);
	c->tcp->count.tls.shaking--;
}

static enum frontend_tcp_end handshake_done(struct frontend_conn *c)
{
	struct frontend_tls_status *s = &c->tcp->count.tls;

	shaking_end(c);
	s->handshakes++;
	s->resumed += tls_conn_is_resumed(c->tls);
	s->certified += tls_conn_is_certified(c->tls);
	conn_touch(c, clock_mono_ms());
	return c->speaks->begin ? c->speaks->begin(c) : FRONTEND_TCP_OPEN;
}

enum frontend_tcp_end conn_shake(struct frontend_conn *c)
{
	struct frontend_tcp *t = c->tcp;
	char why[TLS_WHY_MAX];

	t->turn_left -= TCP_STEP_COST - 1;
	int rc = tls_conn_handshake(c->tls);
	c->blocked = rc == -EAGAIN && tls_conn_wants_write(c->tls);
	if (rc == 1)
		return handshake_done(c);
	if (rc == -EAGAIN)
		return FRONTEND_TCP_OPEN;
	t->count.tls.failed[tls_conn_refusal(c->tls, why)]++;
	return FRONTEND_TCP_END_handshake;
}

// Why a handshake came to nothing that had not failed itself.
static enum tls_refusal refusal_by(enum frontend_tcp_end why)
{
	switch (why) {
	case FRONTEND_TCP_END_slow_handshake:
		return TLS_REFUSED_late;
	case FRONTEND_TCP_END_evicted:
	case FRONTEND_TCP_END_evicted_client:
	case FRONTEND_TCP_END_evicted_handshake:
		return TLS_REFUSED_evicted;
	default:
		return TLS_REFUSED_other;
	}
}

void conn_tls_end(struct frontend_conn *c, enum frontend_tcp_end why)
{
	struct frontend_tls_status *s = &c->tcp->count.tls;

	if (!c->tls)
		return;
	if (c->shaking) {
		shaking_end(c);
		if (why != FRONTEND_TCP_END_handshake)
			s->failed[refusal_by(why)]++;
	} else if (c->speaks->end) {
		c->speaks->end(c);
	}
	s->open--;
	tls_conn_close(c->tls);
}
