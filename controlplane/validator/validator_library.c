// SPDX-License-Identifier: BSD-3-Clause
#include "validator_library.h"

#include "memory/heap.h"
#include "validator_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>

struct library {
	struct ub_event_base events; // first: the library has this address
	struct event_base *base;
	struct ub_ctx *ctx;
	library_peer_fn met; // NULL: nobody watches
	void *met_arg;
	struct timeval patience; // zero: as its settings say
	bool is_sending;         // a socket over UDP waits since, its timer not yet
	int64_t bytes, bytes_most;
	bool is_ready; // the first question has applied the settings
};

// The library's memory is measured while its functions run: each call of them, and each of its
// events, which is why these are made here.
static void measured(struct library *l, const struct heap_meter *since)
{
	l->bytes += heap_meter_end(since, HEAP_LIBRARY_unbound);
	if (l->bytes > l->bytes_most)
		l->bytes_most = l->bytes;
}

struct library_event {
	struct ub_event event; // first
	struct library *library;
	struct event *e;
	void (*fn)(int fd, short what, void *arg);
	void *arg;
	// The server that the query at this socket is for; its family is 0 while none waits.
	struct sockaddr_in6 server;
	uint64_t asked_ms;
};
static_assert(UB_EV_TIMEOUT == EV_TIMEOUT && UB_EV_READ == EV_READ && UB_EV_WRITE == EV_WRITE
	      && UB_EV_PERSIST == EV_PERSIST);

// A socket of the library begins to wait. One over UDP is for one query, and connected to its
// server.
static void query_begin(struct library_event *e)
{
	const int fd = event_get_fd(e->e);
	socklen_t len = sizeof(e->server), type_len = sizeof(int);
	int type = 0;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0
		|| type != SOCK_DGRAM)
		return;
	e->library->is_sending = true;
	if (!e->library->met || getpeername(fd, (struct sockaddr *)&e->server, &len) < 0)
		e->server.sin6_family = 0;
	e->asked_ms = clock_mono_ms();
}

static void query_end(struct library_event *e, bool came)
{
	struct library *l = e->library;

	if (e->server.sin6_family && l->met
		&& (came || clock_mono_ms() - e->asked_ms >= LIBRARY_SILENT_MS))
		l->met(l->met_arg, (const struct sockaddr *)&e->server, came);
	e->server.sin6_family = 0;
}

// Not so for an error of the socket, such as a port or net that is unreachable.
static bool has_datagram(int fd, short what)
{
	int bytes = 0;
	return (what & EV_READ) && ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct library_event *e = arg;
	struct library *l = e->library;

	if (e->server.sin6_family && has_datagram(fd, what))
		query_end(e, true);
	const struct heap_meter m = heap_meter_begin();
	e->fn(fd, what, e->arg); // which may free the event
	measured(l, &m);
}

static struct library_event *of_event(struct ub_event *e)
{
	return (struct library_event *)(void *)e;
}

// The library takes an event out of the loop before it changes it.
static void event_change(struct library_event *e, int fd, short what)
{
	(void)event_assign(e->e, e->library->base, fd, what, on_event, e);
}

static void event_bits_add(struct ub_event *e, short what)
{
	struct event *x = of_event(e)->e;
	event_change(of_event(e), event_get_fd(x), event_get_events(x) | what);
}

static void event_bits_remove(struct ub_event *e, short what)
{
	struct event *x = of_event(e)->e;
	event_change(of_event(e), event_get_fd(x), event_get_events(x) & (short)~what);
}

static void event_fd_set(struct ub_event *e, int fd)
{
	event_change(of_event(e), fd, event_get_events(of_event(e)->e));
}

static void library_event_free(struct ub_event *e)
{
	if (!e)
		return;
	event_free(of_event(e)->e);
	heap_free(of_event(e));
}

static int library_event_add(struct ub_event *e, struct timeval *within)
{
	query_begin(of_event(e));
	return event_add(of_event(e)->e, within);
}

static int library_event_remove(struct ub_event *e)
{
	query_end(of_event(e), false);
	return event_del(of_event(e)->e);
}

// The first timer after that of a socket over UDP is how long its query waits.
static int timer_add(struct ub_event *event, struct ub_event_base *,
	void (*fn)(int fd, short what, void *arg), void *arg, struct timeval *within)
{
	struct library_event *e = of_event(event);
	struct library *l = e->library;

	if (l->is_sending && evutil_timercmp(within, &l->patience, <))
		within = &l->patience;
	l->is_sending = false;
	e->fn = fn;
	e->arg = arg;
	event_change(e, -1, EV_TIMEOUT);
	return event_add(e->e, within);
}

static struct ub_event *library_event_new(struct ub_event_base *base, int fd, short what,
	void (*fn)(int fd, short what, void *arg), void *arg)
{
	static struct ub_event_vmt calls = {.add_bits = event_bits_add,
		.del_bits = event_bits_remove,
		.set_fd = event_fd_set,
		.free = library_event_free,
		.add = library_event_add,
		.del = library_event_remove,
		.add_timer = timer_add,
		.del_timer = library_event_remove};
	struct library *l = (struct library *)(void *)base;
	struct library_event *e = heap_calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct library_event){.event = {.magic = UB_EVENT_MAGIC, .vmt = &calls},
		.library = l,
		.fn = fn,
		.arg = arg};
	e->e = event_new(l->base, fd, what, on_event, e);
	if (!e->e) {
		heap_free(e);
		return NULL;
	}
	return &e->event;
}

// One question at the library.
struct call {
	library_answer_fn done;
	void *arg;
};

// The library reads settings by a parser with global state, and applies some to all contexts; the
// end of one changes state of all, too.
static pthread_mutex_t making = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void on_answer(void *arg, int rcode, void *packet, int len, int security, char *why, int)
{
	static const enum library_security security_of[] = {
		LIBRARY_INSECURE, LIBRARY_BOGUS, LIBRARY_SECURE};
	struct call *call = arg;
	const struct library_answer answer = {
		.rcode = rcode,
		.msg = packet,
		.len = len > 0 ? (size_t)len : 0,
		.security = security_of[security == 1 || security == 2 ? security : 0],
		.why = why,
	};
	const library_answer_fn done = call->done;
	void *to = call->arg;

	heap_free(call);
	const struct heap_meter m = heap_meter_begin();
	done(to, &answer);
	heap_meter_skip(&m);
}

// The library takes settings as a file.
static int settings_read(struct ub_ctx *ctx, const char *config, size_t len)
{
	char path[32];
	int fd = memfd_create("validator", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, config, len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int rc = n != (ssize_t)len ? -EIO : ub_ctx_config(ctx, path) ? -EINVAL : 0;
	close(fd);
	return rc;
}

int library_open(struct library **out, struct event_base *base, const char *config, size_t len)
{
	static struct ub_event_base_vmt calls = {.new_event = library_event_new};
	struct library *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->events = (struct ub_event_base){.magic = UB_EVENT_MAGIC, .vmt = &calls};
	l->base = base;
	pthread_mutex_lock(&making);
	const struct heap_meter m = heap_meter_begin();
	l->ctx = ub_ctx_create_ub_event(&l->events);
	int rc = l->ctx ? 0 : -ENOMEM;
	if (rc == 0 && ub_ctx_debugout(l->ctx, NULL))
		rc = -EINVAL;
	if (rc == 0)
		rc = settings_read(l->ctx, config, len);
	measured(l, &m);
	pthread_mutex_unlock(&making);
	if (rc < 0) {
		library_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void library_be_patient(struct library *l, unsigned ms)
{
	l->patience = (struct timeval){ms / 1000, ms % 1000 * 1000L};
}

void library_watch(struct library *l, library_peer_fn fn, void *arg)
{
	l->met = fn;
	l->met_arg = arg;
}

void library_close(struct library *l)
{
	if (!l)
		return;
	l->met = NULL;
	pthread_mutex_lock(&making);
	const struct heap_meter m = heap_meter_begin();
	if (l->ctx)
		ub_ctx_delete(l->ctx);
	measured(l, &m);
	pthread_mutex_unlock(&making);
	heap_free(l);
}

int library_ask(
	struct library *l, const char *name, uint16_t qtype, library_answer_fn done, void *arg)
{
	struct call *call = heap_malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct call){done, arg};
	const bool is_first = !l->is_ready;
	if (is_first)
		pthread_mutex_lock(&making);
	const struct heap_meter m = heap_meter_begin();
	int rc = ub_resolve_event(l->ctx, name, qtype, DNS_CLASS_IN, call, on_answer, NULL);
	measured(l, &m);
	if (is_first)
		pthread_mutex_unlock(&making);
	if (rc == 0)
		l->is_ready = true;
	if (rc) {
		heap_free(call);
		return rc == UB_NOMEM ? -ENOMEM : rc == UB_SYNTAX ? -EBADMSG : -EINVAL;
	}
	return 0;
}

static void on_applied(void *, const struct library_answer *)
{
}

int library_apply(struct library *l)
{
	return library_ask(l, LIBRARY_OWN_NAME, DNS_TYPE_A, on_applied, NULL);
}

struct library_memory library_memory(const struct library *l)
{
	return !l || l->bytes < 0
		       ? (struct library_memory){0}
		       : (struct library_memory){(uint64_t)l->bytes, (uint64_t)l->bytes_most};
}

// What the library says of a bogus answer, as Extended DNS Errors (RFC 8914 4.7 to 4.13). The
// first phrase that its text has decides: "no DNSKEY" may stand beside "no signatures".
int validator_reason_ede(const char *why)
{
	static const struct {
		const char *phrase;
		int ede;
	} reason[] = {
		{"signature expired", DNS_EDE_SIGNATURE_EXPIRED},
		{"signature before inception date", DNS_EDE_SIGNATURE_NOT_YET_VALID},
		{"DNSKEY missing", DNS_EDE_DNSKEY_MISSING},
		{"No DNSKEY record", DNS_EDE_DNSKEY_MISSING},
		{"no DNSKEY rrset", DNS_EDE_DNSKEY_MISSING},
		{"lookup of DNSKEY", DNS_EDE_DNSKEY_MISSING},
		{"signatures from unknown keys", DNS_EDE_DNSKEY_MISSING},
		{"no keys have a DS", DNS_EDE_DNSKEY_MISSING},
		{"DS hash mismatches key", DNS_EDE_DNSKEY_MISSING},
		{"dnskey without ZSK flag", DNS_EDE_NO_ZONE_KEY_BIT},
		{"no signatures", DNS_EDE_RRSIGS_MISSING},
		{"signature missing", DNS_EDE_RRSIGS_MISSING},
		{"signature for expected key", DNS_EDE_RRSIGS_MISSING}, // libunbound 1.26
		{"lack of signatures", DNS_EDE_RRSIGS_MISSING},
		{"no DNSSEC records", DNS_EDE_NSEC_MISSING},
		{"failed to prove", DNS_EDE_NSEC_MISSING},
		{"no NSEC3 records", DNS_EDE_NSEC_MISSING},
		{"no proof of", DNS_EDE_NSEC_MISSING},
	};
	for (unsigned i = 0; why && i < sizeof(reason) / sizeof(reason[0]); i++)
		if (strstr(why, reason[i].phrase))
			return reason[i].ede;
	return DNS_EDE_DNSSEC_BOGUS;
}

// The text repeats the question in <>, and that of an earlier failure, if that is the reason.
void validator_reason_text(const char *why, char out[VALIDATOR_WHY_MAX])
{
	static const char server[] = " from 127.0.0.1", question[] = ">: ";
	const char *text = why ? why : "", *at;

	while ((at = strstr(text, question)))
		text = at + strlen(question);
	at = strstr(text, server);
	if (at)
		snprintf(out, VALIDATOR_WHY_MAX, "%.*s%s", (int)(at - text), text,
			at + strlen(server));
	else
		snprintf(out, VALIDATOR_WHY_MAX, "%s", text);
}
