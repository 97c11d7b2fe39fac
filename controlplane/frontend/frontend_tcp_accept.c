// SPDX-License-Identifier: BSD-3-Clause
// From a listening socket to a connection: listeners, and the places that a new connection needs,
// one of tcp.connections and one of tcp.per_client. If all are taken, an idle connection of this
// frontend makes room, else one of another frontend.

#include "frontend_socket.h"
#include "frontend_tcp_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum conn_place { CONN_PLACED, CONN_FULL, CONN_CLIENT_FULL }; // CONN_FULL has its client's place

// A stalled connection makes room only if no frontend has an idle one.
static enum conn_place place_find(struct frontend_tcp *t, struct tcp_client *client)
{
	struct frontend_tcp_shared *s = t->shared;
	const bool idle_only = s->frontends > 1;

	if (!tcp_place_take(&client->shared->open, t->set.per_client))
		return tcp_evict(t, client, FRONTEND_TCP_END_evicted_client, idle_only, true)
			       ? CONN_PLACED
			       : CONN_CLIENT_FULL;
	if (tcp_place_take(&s->open, tcp_connections_cap(t))
		|| tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, idle_only, true))
		return CONN_PLACED;
	return CONN_FULL;
}

static void count_refusal(struct frontend_tcp *t, enum conn_place place)
{
	t->count.refused_full += place == CONN_FULL;
	t->count.refused_client += place == CONN_CLIENT_FULL;
}

// Ends a connection that has no place, or only its client's (`has_client_place`). fd -1: the socket
// is closed already.
static void conn_refuse(
	struct frontend_tcp *t, int fd, struct tcp_client *client, bool has_client_place)
{
	if (has_client_place)
		tcp_place_give(&client->shared->open);
	tcp_client_leave(t->clients, client);
	if (fd >= 0)
		close(fd);
}

static void placed_start(
	struct frontend_tcp *t, const struct tcp_arrival *a, struct tcp_client *client)
{
	if (conn_start(t, a, client))
		return;
	tcp_place_give(&t->shared->open);
	conn_refuse(t, a->fd, client, true);
}

// A new connection for which only another frontend can make room: its client has as many as it may,
// or all places are taken, and no connection of this frontend is idle.
//
// A claim goes from loop to loop: first each other frontend closes an idle connection if it has
// one, then each, this one too, one that has stalled. The closed connection's places become those
// of the claim, so no bound is passed meanwhile. The client's socket waits unread until the claim
// is back, CLAIM_MS at most; after that no connection is closed for a claim that is still on its
// way. FRONTEND_TCP_CLAIMS of a frontend wait, one more is refused.

enum { CLAIM_MS = 1000 };

struct tcp_claim {
	struct loop_return hop;
	struct wheel_timer timer; // on the origin's loop
	struct frontend_tcp *origin;
	struct tcp_client *client;  // the entry in the origin's table
	struct tcp_arrival arrival; // fd -1: the client waited too long; on the origin's loop only
	enum conn_place asked;      // the bound that was reached at the beginning
	enum conn_place place;      // the bound that is reached at this step
	unsigned step;              // loops that the claim has been to
	uint64_t begun_ms;
	bool got;
};

static bool claim_is_late(const struct tcp_claim *k)
{
	return clock_mono_ms() - k->begun_ms >= CLAIM_MS;
}

// A place may be free already: a connection may have ended since.
static bool claim_serve(struct tcp_claim *k, struct frontend_tcp *t, bool idle_only)
{
	struct frontend_tcp_shared *s = t->shared;
	const uint8_t *key = k->client->shared->key;

	if (k->place == CONN_CLIENT_FULL
		&& tcp_place_take(&k->client->shared->open, t->set.per_client))
		k->place = CONN_FULL;
	if (k->place == CONN_FULL)
		return tcp_place_take(&s->open, tcp_connections_cap(t))
		       || tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, idle_only, true);
	struct tcp_client *client = tcp_client_find(t->clients, key);
	return client && tcp_evict(t, client, FRONTEND_TCP_END_evicted_client, idle_only, true);
}

// The claim is back: runs on the origin's loop.
static void claim_back(void *arg)
{
	struct tcp_claim *k = arg;
	struct frontend_tcp *t = k->origin;

	t->claims--;
	wheel_stop(&k->timer);
	const int fd = k->arrival.fd;
	if (k->got && fd >= 0 && t->serves[k->arrival.kind].enabled) {
		placed_start(t, &k->arrival, k->client);
	} else {
		if (k->got)
			tcp_place_give(&t->shared->open);
		if (fd >= 0)
			count_refusal(t, k->asked);
		conn_refuse(t, fd, k->client, k->got || k->place == CONN_FULL);
	}
	heap_free(k);
}

static void claim_go(struct tcp_claim *k);

// Looks for a place: runs on the loop of the frontend that the claim has come to.
static void claim_look(void *arg)
{
	struct tcp_claim *k = arg;
	const unsigned frontends = k->origin->shared->frontends;
	struct frontend_tcp *t =
		k->origin->shared->one[(k->origin->engine.number + k->step) % frontends];

	k->got = !claim_is_late(k) && claim_serve(k, t, k->step < frontends);
	claim_go(k);
}

static void claim_go(struct tcp_claim *k)
{
	const struct frontend_tcp_shared *s = k->origin->shared;

	if (k->got || ++k->step == 2 * s->frontends) {
		loop_call_back(k->origin->loop, &k->hop, claim_back, k);
		return;
	}
	const struct frontend_tcp *next =
		s->one[(k->origin->engine.number + k->step) % s->frontends];
	loop_call_back(next->loop, &k->hop, claim_look, k);
}

// The claim is late: another loop hangs, or has a lot to do.
static void claim_late(void *arg)
{
	struct tcp_claim *k = arg;

	close(k->arrival.fd);
	k->arrival.fd = -1;
	count_refusal(k->origin, k->asked);
}

// Asks the other frontends for a place. Takes the descriptor, the reference to the client, and with
// CONN_FULL the client's place. False: there are no other frontends, or too many claims.
static bool claim_begin(struct frontend_tcp *t, const struct tcp_arrival *a,
	struct tcp_client *client, enum conn_place place)
{
	if (t->shared->frontends == 1)
		return false;
	struct tcp_claim *k = t->claims < FRONTEND_TCP_CLAIMS ? heap_calloc(1, sizeof(*k)) : NULL;
	if (!k) {
		t->claims_refused++;
		return false;
	}
	k->origin = t;
	k->client = client;
	k->arrival = *a;
	k->asked = k->place = place;
	k->timer.fn = claim_late;
	k->timer.arg = k;
	k->begun_ms = clock_mono_ms();
	t->claims++;
	wheel_start(loop_wheel(t->loop), &k->timer, CLAIM_MS, k->begun_ms);
	claim_go(k);
	return true;
}

void tcp_claim_tables(const struct frontend_tcp *t, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "tcp_claims",
				       .owner = "frontend loop",
				       .eviction = "refuse the connection",
				       .lifetime = "1 s",
				       .kind = TABLE_WORK,
				       .cap = FRONTEND_TCP_CLAIMS,
				       .descriptors = t->claims,
				       .used = t->claims,
				       .refused = t->claims_refused,
				       .has = TABLE_REFUSES,
				       .bytes = t->claims * sizeof(struct tcp_claim)});
}

void tcp_accept_conn(struct frontend_tcp *t, const struct tcp_arrival *a)
{
	const bool over_tls = tcp_kind_of(a->kind)->alpn;

	// Clients that may not ask would take places of allowed ones.
	if (t->engine.admits && !t->engine.admits(t->engine.frontend, &a->peer, over_tls)) {
		t->count.refused_denied++;
		close(a->fd);
		return;
	}
	struct tcp_client *client = tcp_client_join(t->clients, &a->peer);
	if (!client) {
		t->count.refused_full++;
		close(a->fd);
		return;
	}
	const enum conn_place place = place_find(t, client);
	if (place == CONN_PLACED) {
		placed_start(t, a, client);
	} else if (!claim_begin(t, a, client, place)) {
		count_refusal(t, place);
		conn_refuse(t, a->fd, client, place == CONN_FULL);
	}
}

// Takes the descriptor of a new connection. The PROXY header of a balancer's connection names its
// client.
static void on_arrival(struct frontend_tcp *t, int fd, const union client_address *peer,
	enum frontend_tcp_kind kind)
{
	if (frontend_proxy_is_due(&t->balancers, peer))
		tcp_proxied_begin(t, fd, peer, kind);
	else
		tcp_accept_conn(t, &(struct tcp_arrival){.peer = *peer, .kind = kind, .fd = fd});
}

enum {
	BACKLOG = 4096, // the kernel's own limit cuts it
	FAST_OPEN_QUEUE = 256,
	SEND_BUFFER = 65536, // the kernel doubles it
	USER_TIMEOUT_MS = 10000,
	ACCEPT_PAUSE_MS = 100,
	RETRY_MS = 5000,
};

// Sets options that accepted connections inherit. A kernel may lack any of them.
static void options_inherited(int fd)
{
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_QUEUE);
	// Unread replies stay within weir's bounds, not in the kernel.
	frontend_socket_prefer(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

static int socket_listen(struct frontend_tcp *t, const struct tcp_listener *l)
{
	struct frontend_sockets *sockets = &t->shared->sockets;
	const unsigned number = (unsigned)(l - t->listener);
	if (tcp_kind_of(l->kind)->alpn && !tcp_shared_has_tls(t->shared))
		return -ENOKEY;
	int fd = frontend_socket_open(sockets, number, &l->address, SOCK_STREAM);
	if (fd < 0)
		return fd;
	options_inherited(fd);
	if (listen(fd, BACKLOG) == 0)
		return fd;
	int rc = -errno;
	frontend_socket_close(sockets, number, l->address.port, fd);
	return rc;
}

static void on_retry(void *arg)
{
	struct frontend_tcp *t = arg;

	for (unsigned i = 0; t->accept_paused && i < t->listener_count; i++)
		if (t->listener[i].fd >= 0)
			(void)event_add(&t->listener[i].event, NULL);
	t->accept_paused = false;
	tcp_listen(t);
}

static void retry_in(struct frontend_tcp *t, uint64_t ms)
{
	t->retry.fn = on_retry;
	t->retry.arg = t;
	wheel_start(loop_wheel(t->loop), &t->retry, ms, clock_mono_ms());
}

// Pauses all listeners: accepting again at once would only spin the loop. If files or memory are
// short, closing a connection helps.
static void accept_pause(struct frontend_tcp *t, int err)
{
	t->count.accept_paused++;
	if (frontend_tcp_accept_error_of(err) != FRONTEND_TCP_ACCEPT_other)
		(void)tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, false, false);
	for (unsigned i = 0; i < t->listener_count; i++)
		if (t->listener[i].fd >= 0)
			event_del(&t->listener[i].event);
	t->accept_paused = true;
	retry_in(t, ACCEPT_PAUSE_MS);
}

const char *const frontend_tcp_accept_error_names[FRONTEND_TCP_ACCEPT_ERROR_COUNT] = {
#define X(name, text) [FRONTEND_TCP_ACCEPT_##name] = #name,
	FRONTEND_TCP_ACCEPT_ERRORS(X)
#undef X
};

enum frontend_tcp_accept_error frontend_tcp_accept_error_of(int err)
{
	// Errors of the new connection itself, which Linux returns from accept(2).
	static const int lost[] = {ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
		EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM, ECONNRESET, ETIMEDOUT};

	for (unsigned i = 0; i < ARRAY_LEN(lost); i++)
		if (err == lost[i])
			return FRONTEND_TCP_ACCEPT_lost;
	if (err == EMFILE || err == ENFILE)
		return FRONTEND_TCP_ACCEPT_files;
	return err == ENOBUFS || err == ENOMEM ? FRONTEND_TCP_ACCEPT_memory
					       : FRONTEND_TCP_ACCEPT_other;
}

// All listeners share what an iteration may accept; `resume` restores it in the next one.
static bool accept_spend(struct frontend_tcp *t)
{
	if (t->accepts_left == 0)
		return false;
	if (t->accepts_left-- == TCP_ACCEPTS_A_TURN)
		event_add(&t->resume, &(struct timeval){0});
	return true;
}

static void on_accept(evutil_socket_t listener, short, void *arg)
{
	const struct tcp_listener *l = arg;
	struct frontend_tcp *t = l->tcp;

	for (unsigned i = 0; accept_spend(t); i++) {
		union client_address peer = {0};
		socklen_t len = sizeof(peer);
		int fd = accept4(listener, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			on_arrival(t, fd, &peer, l->kind);
			continue;
		}
		int err = errno;
		if (err == EINTR)
			continue;
		if (err == EAGAIN || err == EWOULDBLOCK)
			return;
		enum frontend_tcp_accept_error kind = frontend_tcp_accept_error_of(err);
		if (kind == FRONTEND_TCP_ACCEPT_lost) { // the next connection may be fine
			t->count.accept_errors[kind]++;
			continue;
		}
		// The kernel allocates a file before it looks for a connection: only at the first
		// call does a client surely wait.
		if (i > 0)
			return;
		t->count.accept_errors[kind]++;
		accept_pause(t, err);
		return;
	}
}

const char *frontend_tcp_listen_error(int err)
{
	return err == -ENOKEY ? "no certificate" : strerror(-err);
}

static void listener_try(struct frontend_tcp *t, struct tcp_listener *l)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	int fd = socket_listen(t, l);

	if (fd < 0) {
		if (fd != l->err)
			log_warning("TCP: %s: cannot listen: %s; trying again",
				socket_address_text(&l->address, text),
				frontend_tcp_listen_error(fd));
		l->err = fd;
		return;
	}
	l->fd = fd;
	l->err = 0;
	event_assign(&l->event, loop_base(t->loop), fd, EV_READ | EV_PERSIST, on_accept, l);
	if (event_add(&l->event, NULL) < 0)
		log_warning("TCP: %s: no memory", socket_address_text(&l->address, text));
	else
		log_info("TCP: listening on %s", socket_address_text(&l->address, text));
}

static void listener_end(struct frontend_tcp *t, struct tcp_listener *l)
{
	if (l->fd < 0)
		return;
	event_del(&l->event);
	frontend_socket_close(
		&t->shared->sockets, (unsigned)(l - t->listener), l->address.port, l->fd);
	l->fd = -1;
}

void tcp_listen(struct frontend_tcp *t)
{
	bool missing = false;

	for (unsigned i = 0; i < t->listener_count; i++) {
		struct tcp_listener *l = &t->listener[i];
		const struct frontend_tcp_port *p = &t->serves[l->kind];
		if (!p->enabled || l->address.port != p->port) {
			listener_end(t, l);
			l->address.port = p->port;
			l->err = 0;
		}
		if (!p->enabled)
			continue;
		if (l->fd < 0)
			listener_try(t, l);
		missing |= l->fd < 0;
	}
	if (t->accept_paused)
		return;
	if (missing)
		retry_in(t, RETRY_MS);
	else
		wheel_stop(&t->retry);
}

void tcp_listen_end(struct frontend_tcp *t)
{
	wheel_stop(&t->retry);
	t->accept_paused = false;
	for (unsigned i = 0; i < t->listener_count; i++)
		listener_end(t, &t->listener[i]);
}
