// SPDX-License-Identifier: BSD-3-Clause

#include "frontend_udp.h"

#include "base/loop.h"
#include "frontend.h"
#include "frontend_shared.h"
#include "frontend_socket.h"
#include "shm/publish.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/sender.h>

struct udp_socket {
	struct frontend_session session;
	struct frontend_udp *owner;
	struct ip_address address;
	int fd;    // -1: not bound
	int error; // the last error, as logged
	struct event *readable;
};

// A question of a balancer's client (proxy_protocol.from) that waits for the resolver: its session
// lets the reply find the balancer. FRONTEND_UDP_FORWARDED of a frontend at most, some 200 bytes
// each.
struct udp_forwarded {
	struct frontend_session session;
	TAILQ_ENTRY(udp_forwarded) entry;
	struct udp_socket *socket;
	union client_address balancer;
	uint64_t since_ms;
};

struct outgoing {
	int fd;
	union client_address client;
	struct iovec iov;
	uint8_t msg[MSG_DNS_MAX];
};

TAILQ_HEAD(udp_forwarded_list, udp_forwarded);

struct frontend_udp {
	struct publisher *publisher;
	struct frontend *frontend;
	struct loop *loop;
	struct event *retry; // while some address is not bound
	struct event *flush; // at the end of a turn that left replies
	uint16_t port;
	unsigned socket_count, out_count;
	struct udp_socket socket[CONFIG_ADDRESSES_MAX];
	struct config_proxy_protocol balancers;
	struct udp_forwarded_list forwarded; // questions that wait for the resolver
	unsigned forwarded_count;
	struct udp_forwarded *forwarded_spare; // for the next question; not in the count
	struct frontend_udp_status status;     // counters only
	struct mmsghdr head[FRONTEND_UDP_BATCH];
	struct iovec iov[FRONTEND_UDP_BATCH];
	union client_address client[FRONTEND_UDP_BATCH];
	uint8_t msg[FRONTEND_UDP_BATCH][FRONTEND_UDP_QUERY_MAX];
	struct outgoing out[FRONTEND_UDP_BATCH];
};

// A query, received or behind its PROXY header.
struct udp_query {
	const union client_address *sender;
	const uint8_t *msg;
	size_t len;
};

static socklen_t client_len(const union client_address *c)
{
	return c->any.sa_family == AF_INET ? sizeof(c->v4) : sizeof(c->v6);
}

// Sends replies from `first` on that leave by one socket; returns how many are done with.
static unsigned send_run(struct frontend_udp *u, unsigned first)
{
	struct mmsghdr head[FRONTEND_UDP_BATCH] = {0};
	unsigned n = 0;

	for (; first + n < u->out_count && u->out[first + n].fd == u->out[first].fd; n++) {
		struct outgoing *o = &u->out[first + n];
		head[n].msg_hdr = (struct msghdr){
			.msg_name = &o->client,
			.msg_namelen = client_len(&o->client),
			.msg_iov = &o->iov,
			.msg_iovlen = 1,
		};
	}
	int sent = sendmmsg(u->out[first].fd, head, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0) {
		u->status.sent += (unsigned)sent;
		return (unsigned)sent;
	}
	if (errno == EAGAIN || errno == ENOBUFS) {
		u->status.send_full += n;
		return n;
	}
	u->status.send_errors++; // the first reply failed; the next may have another route
	return 1;
}

static void flush(struct frontend_udp *u)
{
	for (unsigned done = 0; done < u->out_count;)
		done += send_run(u, done);
	u->out_count = 0;
}

static void on_flush(evutil_socket_t, short, void *arg)
{
	flush(arg);
}

// Queues a reply with the others of this turn.
static void reply_queue(struct frontend_udp *u, int fd, const union client_address *to,
	const struct frontend_reply *reply)
{
	if (reply->len == 0 || reply->len > sizeof(u->out[0].msg))
		return;
	if (u->out_count == FRONTEND_UDP_BATCH)
		flush(u);
	struct outgoing *o = &u->out[u->out_count++];
	o->fd = fd;
	o->client = *to;
	o->iov = (struct iovec){.iov_base = o->msg, .iov_len = reply->len};
	memcpy(o->msg, reply->msg, reply->len);
}

// Queues a reply that was found outside of a socket's turn, and asks for a flush.
static void reply_queue_later(struct frontend_udp *u, int fd, const union client_address *to,
	const struct frontend_reply *reply)
{
	if (u->out_count == 0)
		event_active(u->flush, EV_TIMEOUT, 0);
	reply_queue(u, fd, to, reply);
}

static void on_reply(struct frontend_session *s, const union client_address *client,
	const struct frontend_reply *reply)
{
	const struct udp_socket *socket = (struct udp_socket *)s; // `session` is the first member

	reply_queue_later(socket->owner, socket->fd, client, reply);
}

// Asks the engine on behalf of the sender.
static void query_ask(struct udp_socket *s, const struct udp_query *q)
{
	struct frontend_udp *u = s->owner;
	struct frontend_reply reply;

	if (frontend_ask(u->frontend, &s->session, q->sender, q->msg, q->len, &reply)
		== FRONTEND_REPLY)
		reply_queue(u, s->fd, q->sender, &reply);
}

static void forwarded_free(struct udp_forwarded *f)
{
	struct frontend_udp *u = f->socket->owner;

	frontend_session_end(u->frontend, &f->session);
	TAILQ_REMOVE(&u->forwarded, f, entry);
	u->forwarded_count--;
	if (u->forwarded_spare)
		heap_free(f);
	else
		u->forwarded_spare = f;
}

static void on_forwarded_reply(struct frontend_session *s, const union client_address *,
	const struct frontend_reply *reply)
{
	struct udp_forwarded *f = (struct udp_forwarded *)s; // `session` is the first member

	reply_queue_later(f->socket->owner, f->socket->fd, &f->balancer, reply);
	forwarded_free(f);
}

// Prepares the spare entry for a question. Most answers come at once, and the next question uses
// the entry again. NULL: no memory.
static struct udp_forwarded *forwarded_new(struct udp_socket *s, const union client_address *sender)
{
	struct frontend_udp *u = s->owner;
	struct udp_forwarded *f = u->forwarded_spare;

	if (!f)
		f = u->forwarded_spare = heap_calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->session.reply = on_forwarded_reply;
	f->session.transport = FRONTEND_UDP;
	f->session.service = s->session.service;
	f->socket = s;
	f->balancer = *sender;
	f->since_ms = clock_mono_ms();
	frontend_session_begin(&f->session);
	return f;
}

// Keeps the entry of a question that waits for the resolver. If too many wait, the answer is not
// sent, and the client asks again.
static void forwarded_keep(struct frontend_udp *u, struct udp_forwarded *f)
{
	if (u->forwarded_count == FRONTEND_UDP_FORWARDED) {
		u->status.forwarded_full++;
		frontend_session_end(u->frontend, &f->session);
		return;
	}
	u->forwarded_spare = NULL;
	TAILQ_INSERT_TAIL(&u->forwarded, f, entry);
	u->forwarded_count++;
}

static void ask_for(
	struct udp_socket *s, const struct udp_query *q, const union client_address *client)
{
	struct frontend_udp *u = s->owner;
	struct udp_forwarded *f = forwarded_new(s, q->sender);
	struct frontend_reply reply;

	if (!f) {
		u->status.forwarded_full++;
		return;
	}
	switch (frontend_ask(u->frontend, &f->session, client, q->msg, q->len, &reply)) {
	case FRONTEND_REPLY:
		reply_queue(u, s->fd, q->sender, &reply);
		break;
	case FRONTEND_LATER:
		forwarded_keep(u, f);
		break;
	default:
		break;
	}
}

// Reads the header of PROXY protocol v2 before a balancer's query. As in a worker
// (dataplane/stage/stage_proxy.c), the client that it names counts for access, limits, group and
// log, and the reply goes to the balancer without a header.
static void forwarded_receive(struct udp_socket *s, const struct udp_query *q)
{
	struct frontend_udp *u = s->owner;
	struct proxy_header header;
	struct udp_query behind = *q;
	union client_address client;

	switch (proxy_header_read(q->msg, q->len, &header)) {
	case PROXY_HEADER_CLIENT:
		behind.msg += header.len;
		behind.len -= header.len;
		client = frontend_proxy_client(&header);
		u->status.proxied++;
		ask_for(s, &behind, &client);
		break;
	case PROXY_HEADER_SENDER:
		behind.msg += header.len;
		behind.len -= header.len;
		query_ask(s, &behind);
		break;
	case PROXY_HEADER_PART:
	case PROXY_HEADER_BAD:
		u->status.bad_proxy++;
		break;
	}
}

static void forwarded_end(struct frontend_udp *u)
{
	struct udp_forwarded *f = TAILQ_FIRST(&u->forwarded), *next;

	for (; f; f = next) {
		next = TAILQ_NEXT(f, entry);
		forwarded_free(f);
	}
	FREE_AND_NULL(u->forwarded_spare);
}

static void forwarded_tables(const struct frontend_udp *u, struct table_registry *tables)
{
	const struct udp_forwarded *oldest = u ? TAILQ_FIRST(&u->forwarded) : NULL;

	table_register(tables,
		&(struct table_info){.name = "frontend_udp_proxied",
			.owner = "frontend loop",
			.eviction = "drop the query",
			.lifetime = "until its answer, at most 6 s",
			TABLE_WORK_FOR(FRONTEND_LIFE_MS + 1000),
			.cap = FRONTEND_UDP_FORWARDED,
			.used = u ? u->forwarded_count : 0,
			.bytes = u ? (u->forwarded_count + (u->forwarded_spare != NULL))
						 * sizeof(struct udp_forwarded)
				   : 0,
			.refused = u ? u->status.forwarded_full : 0,
			.oldest_ms = table_age(oldest ? oldest->since_ms : 0, clock_mono_ms()),
			.has = TABLE_AGES | TABLE_REFUSES});
}

static void query_receive(struct udp_socket *s, unsigned i)
{
	struct frontend_udp *u = s->owner;
	const struct udp_query q = {
		.sender = &u->client[i], .msg = u->msg[i], .len = u->head[i].msg_len};

	if (u->head[i].msg_hdr.msg_flags & MSG_TRUNC) {
		u->status.too_long++;
		return;
	}
	if (!source_port_fits(client_port(q.sender))) {
		u->status.bad_source++;
		return;
	}
	if (frontend_proxy_is_due(&u->balancers, q.sender))
		forwarded_receive(s, &q);
	else
		query_ask(s, &q);
}

static int batch_receive(struct frontend_udp *u, int fd)
{
	for (unsigned i = 0; i < FRONTEND_UDP_BATCH; i++) {
		u->iov[i] = (struct iovec){u->msg[i], FRONTEND_UDP_QUERY_MAX};
		u->head[i].msg_hdr = (struct msghdr){
			.msg_name = &u->client[i],
			.msg_namelen = sizeof(u->client[i]),
			.msg_iov = &u->iov[i],
			.msg_iovlen = 1,
		};
	}
	return recvmmsg(fd, u->head, FRONTEND_UDP_BATCH, MSG_DONTWAIT, NULL);
}

// Counts queries without a data plane, and logs its absence once for all frontends.
static void note_alone(struct frontend_udp *u, unsigned received)
{
	_Atomic bool *alone = &frontend_shared_of(u->frontend)->alone;
	bool is_alone = !publisher_has_workers(u->publisher);

	u->status.alone += is_alone ? received : 0;
	if (is_alone == atomic_load_explicit(alone, memory_order_relaxed))
		return;
	if (!atomic_exchange_explicit(alone, is_alone, memory_order_relaxed) && is_alone)
		log_info("no data plane: the control plane answers queries on sockets");
}

static void on_readable(evutil_socket_t fd, short, void *arg)
{
	struct udp_socket *s = arg;
	struct frontend_udp *u = s->owner;

	for (unsigned taken = 0; taken < FRONTEND_UDP_BURST;) {
		int n = batch_receive(u, fd);
		if (n <= 0)
			break; // EAGAIN, or an error that an earlier reply left behind
		u->status.received += (unsigned)n;
		note_alone(u, (unsigned)n);
		for (unsigned i = 0; i < (unsigned)n; i++)
			query_receive(s, i);
		flush(u);
		taken += (unsigned)n;
		if (n < FRONTEND_UDP_BATCH)
			break;
	}
}

// Sets options that a socket can do without.
static void options_set(int fd, unsigned version)
{
	frontend_socket_prefer(fd, SOL_SOCKET, SO_RCVBUF, FRONTEND_UDP_BUFFER);
	if (version == 4)
		frontend_socket_prefer(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	else
		frontend_socket_prefer(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
}

static struct frontend_sockets *sockets_of(const struct frontend_udp *u)
{
	return &frontend_shared_of(u->frontend)->sockets;
}

static bool socket_bind(struct udp_socket *s)
{
	struct frontend_udp *u = s->owner;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	const struct socket_address at = {.ip = s->address, .port = u->port};
	const unsigned number = (unsigned)(s - u->socket);
	int fd = frontend_socket_open(sockets_of(u), number, &at, SOCK_DGRAM);

	if (fd >= 0) {
		options_set(fd, s->address.version);
		s->readable =
			event_new(loop_base(u->loop), fd, EV_READ | EV_PERSIST, on_readable, s);
	}
	if (fd >= 0 && (!s->readable || event_add(s->readable, NULL) < 0)) {
		frontend_socket_close(sockets_of(u), number, u->port, fd);
		fd = -ENOMEM;
	}
	ip_address_text(&s->address, false, text);
	if (fd < 0 && fd != s->error)
		log_warning("fallback.udp: %s: %s; retry every %d s", text, strerror(-fd),
			FRONTEND_UDP_RETRY_S);
	else if (fd >= 0 && s->error)
		log_info("fallback.udp: %s: bound", text);
	s->error = fd < 0 ? fd : 0;
	s->fd = fd < 0 ? -1 : fd;
	return fd >= 0;
}

static void on_retry(evutil_socket_t, short, void *arg)
{
	struct frontend_udp *u = arg;
	bool missing = false;

	for (unsigned i = 0; i < u->socket_count; i++)
		if (u->socket[i].fd < 0 && !socket_bind(&u->socket[i]))
			missing = true;
	if (missing)
		event_add(u->retry, &(struct timeval){.tv_sec = FRONTEND_UDP_RETRY_S});
}

static bool is_wanted(const struct config *c)
{
	bool has_xdp = false;
	for (unsigned i = 0; i < c->dataplane.port_count; i++)
		has_xdp |= strncmp(c->dataplane.ports[i].device, "net_af_xdp", 10) == 0;
	return c->fallback.udp == FALLBACK_ON || (c->fallback.udp == FALLBACK_AUTO && has_xdp);
}

int frontend_udp_open(struct frontend_udp **out, struct frontend *frontend,
	struct publisher *publisher, struct loop *loop, const struct config *config, uint16_t port)
{
	*out = NULL;
	if (!is_wanted(config))
		return 0;
	struct frontend_udp *u = heap_calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->publisher = publisher;
	u->frontend = frontend;
	u->loop = loop;
	u->port = port;
	u->socket_count = config->dataplane.address_count;
	TAILQ_INIT(&u->forwarded);
	frontend_udp_configure(u, config);
	u->flush = event_new(loop_base(loop), -1, 0, on_flush, u);
	u->retry = event_new(loop_base(loop), -1, 0, on_retry, u);
	for (unsigned i = 0; i < u->socket_count; i++) {
		struct udp_socket *s = &u->socket[i];
		*s = (struct udp_socket){
			.session = {.reply = on_reply, .transport = FRONTEND_UDP},
			.owner = u,
			.address = config->dataplane.addresses[i],
			.fd = -1,
		};
		socklen_t len;
		const struct socket_address at = {.ip = s->address, .port = port};
		struct sockaddr_storage sa;
		if (socket_address_to_sockaddr(&at, &sa, &len))
			memcpy(&s->session.service, &sa, sizeof(s->session.service));
		frontend_session_begin(&s->session);
	}
	if (!u->flush || !u->retry) {
		frontend_udp_close(u);
		return -ENOMEM;
	}
	on_retry(-1, 0, u);
	*out = u;
	return 0;
}

void frontend_udp_configure(struct frontend_udp *u, const struct config *config)
{
	if (u)
		u->balancers = config->proxy_protocol;
}

void frontend_udp_close(struct frontend_udp *u)
{
	if (!u)
		return;
	forwarded_end(u);
	for (unsigned i = 0; i < u->socket_count; i++) {
		struct udp_socket *s = &u->socket[i];
		frontend_session_end(u->frontend, &s->session);
		if (s->readable)
			event_free(s->readable);
		if (s->fd >= 0)
			frontend_socket_close(sockets_of(u), i, u->port, s->fd);
	}
	if (u->flush)
		event_free(u->flush);
	if (u->retry)
		event_free(u->retry);
	heap_free(u);
}

// Datagrams dropped because the socket's receive queue was full.
static uint64_t kernel_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);
	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ? 0 : info[SK_MEMINFO_DROPS];
}

void frontend_udp_status(const struct frontend_udp *u, struct frontend_udp_status *out)
{
	*out = u ? u->status : (struct frontend_udp_status){0};
	out->sockets = u ? u->socket_count : 0;
	for (unsigned i = 0; i < out->sockets; i++) {
		int fd = u->socket[i].fd;
		out->bound += fd >= 0;
		out->kernel_drops += fd >= 0 ? kernel_drops(fd) : 0;
	}
}

void frontend_udp_tables(const struct frontend_udp *u, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "frontend_udp",
				       .owner = "frontend loop",
				       .eviction = "drop the reply",
				       .lifetime = "one iteration of the loop",
				       .kind = TABLE_WORK,
				       .cap = FRONTEND_UDP_BATCH,
				       .used = u ? u->out_count : 0,
				       .refused = u ? u->status.send_full : 0,
				       .has = TABLE_REFUSES,
				       .bytes = u ? sizeof(*u) : 0});
	forwarded_tables(u, tables);
}
