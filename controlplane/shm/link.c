// SPDX-License-Identifier: BSD-3-Clause
#include "link_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/os/passed_files.h>

enum { BEAT_MS = 100 };

// Without a link, again and again: is the process dead? It may start and die unseen.
static void first_beat(struct link_server *s)
{
	publisher_heartbeat(s->publisher, clock_mono_ms());
	if (!s->up && !s->walking && publisher_probe_readers(s->publisher))
		link_detach(s);
	link_guests_beat(s->guests);
}

static void on_beat(evutil_socket_t, short, void *arg)
{
	struct link_resolver *r = arg;
	struct link_server *s = r->owner;
	if (r == &s->of[0])
		first_beat(s); // workers watch its heartbeat, whatever the rings hold
	publisher_resolver_beat(s->publisher, (unsigned)(r - s->of), clock_mono_ms());
	worker_rings_beat(r->worker_rings);
	l0_writer_reclaim(r->l0);
}

static int listen_open(struct link_server *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(s->path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listen_fd < 0)
		return -errno;
	passed_files_refuse(s->listen_fd);
	// This process holds controlplane.lock, so no process listens on a leftover socket.
	(void)unlink(s->path);
	// bind() gives the file the mode of the socket, without what the umask has; to change the
	// umask would be the whole process's.
	int rc = fchmod(s->listen_fd, 0600) < 0
				 || bind(s->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0
			 ? -errno
			 : 0;
	if (rc == 0 && publisher_paths(s->publisher)->two_users && chmod(s->path, 0660) < 0)
		rc = -errno;
	if (rc == 0 && listen(s->listen_fd, 4) < 0)
		rc = -errno;
	return rc;
}

static int events_open(struct link_server *s)
{
	int rc = link_guests_open(&s->guests, s->of[0].loop, s->listen_fd, link_guest_came, s);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		r->beat = event_new(loop_base(r->loop), -1, EV_PERSIST, on_beat, r);
		if (!r->beat
			|| event_add(r->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int resolvers_open(struct link_server *s, char why[SHM_WHY_MAX])
{
	struct l0_writer *l0[SHM_RESOLVERS_MAX] = {NULL};
	int rc = link_l0_open(s->publisher, l0, why);

	for (unsigned i = 0; i < s->resolvers; i++)
		s->of[i].l0 = l0[i];
	for (unsigned i = 0; rc == 0 && i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		rc = worker_rings_new(&r->worker_rings, r->loop, s->publisher, r->l0, i);
	}
	return rc;
}

int link_open(struct link_server **out, struct loop *const *loops, struct publisher *publisher,
	char why[SHM_WHY_MAX])
{
	struct link_server *s = heap_calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		return -ENOMEM;
	}
	*s = (struct link_server){.publisher = publisher,
		.resolvers = publisher_resolvers(publisher),
		.listen_fd = -1,
		.peer_fd = -1};
	for (unsigned i = 0; i < s->resolvers; i++)
		s->of[i] = (struct link_resolver){.owner = s, .loop = loops[i]};
	snprintf(s->path, sizeof(s->path), "%s/" SHM_NAME_LINK, publisher_paths(publisher)->run);
	int rc = resolvers_open(s, why);
	if (rc == 0) {
		rc = listen_open(s);
		if (rc < 0)
			snprintf(why, SHM_WHY_MAX, "%.200s: %s", s->path, strerror(-rc));
	}
	if (rc == 0)
		rc = events_open(s);
	if (rc < 0) {
		link_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void link_close(struct link_server *s)
{
	if (!s)
		return;
	link_peer_drop(s);
	link_guests_close(s->guests);
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		(void)unlink(s->path);
	}
	for (unsigned i = 0; i < s->resolvers; i++) {
		struct link_resolver *r = &s->of[i];
		if (r->beat)
			event_free(r->beat);
		worker_rings_free(r->worker_rings);
		l0_writer_close(r->l0);
		link_greeting_drop(r->held);
		link_greeting_drop(r->out ? r->given : NULL);
	}
	link_greeting_drop(s->target);
	heap_free(s);
}

struct worker_rings *link_worker_rings(const struct link_server *s, unsigned resolver)
{
	return s->of[resolver].worker_rings;
}

struct l0_writer *link_l0(const struct link_server *s, unsigned resolver)
{
	return s->of[resolver].l0;
}

bool link_up(const struct link_server *s)
{
	return s->up;
}

void link_tables(const struct link_server *s, unsigned resolver, struct table_registry *tables)
{
	struct publish_status p;
	struct l0_writer_stats l0;

	publish_status(s->publisher, &p);
	l0_writer_stats(s->of[resolver].l0, &l0);
	const uint64_t bytes = p.l0_bytes / s->resolvers; // of the region
	table_register(tables, &(struct table_info){.name = "l0",
				       .owner = "resolver loop",
				       .eviction = "evict by SIEVE; no room: refuse",
				       .lifetime = "TTL plus stale window",
				       .kind = TABLE_CACHE,
				       .cap = l0.units_total,
				       .used = l0.units_used,
				       .bytes = bytes + l0_writer_memory(s->of[resolver].l0),
				       .evicted = l0.evicted_space + l0.evicted_bucket,
				       .refused = l0.refused_nospace + l0.refused_large,
				       .shared = bytes,
				       .oldest_ms = table_age(l0.oldest_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}
