// SPDX-License-Identifier: BSD-3-Clause
#include "client_names.h"

#include "base/config_files.h"
#include "client_file.h"
#include "client_ptr.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

enum {
	TICK_MS = 1000,
	STEP_BACK_MS = 60000, // the wall clock was set back, not slowed
	// Ends of PTR names move with each answer: the table says so well before its own pass.
	PTR_PUBLISH_MS = CLIENT_STALE_S * 1000 / 4
};

// Where Debian's packages have their leases.
static const char *const usual_leases[] = {"/var/lib/misc/dnsmasq.leases",
	"/var/lib/dhcp/dhcpd.leases", "/var/lib/kea/kea-leases4.csv",
	"/var/lib/kea/kea-leases6.csv"};
static_assert(1 + CONFIG_HOSTS_FILES_MAX + 3 * (ARRAY_LEN(usual_leases) + CONFIG_LEASE_FILES_MAX)
	      <= CLIENT_FILES_MAX);

// A file to check, and what the last check found.
struct watched {
	enum client_file_kind kind;
	bool may_be_missing, is_missing;
	bool is_again; // the file could not be read, for a reason that may pass
	struct file_seen seen;
	struct client_names_file report;
};

struct settings {
	unsigned files, servers;
	struct watched file[CLIENT_FILES_MAX];
	struct socket_address server[CONFIG_CLIENT_PTR_MAX];
	bool uses_ptr;
	struct dns_name domain; // the leases' names stand below it; no labels: no domain
	struct lease_own own;
};

// The leases of the table, on their way to the names that weir answers.
struct leases {
	const struct settings *settings;
	char server[CONFIG_CLIENT_PTR_MAX][SOCKET_ADDRESS_TEXT_MAX];
	unsigned count;
	struct lease_given *given;     // [CLIENT_BOOK_MAX]
	char (*name)[CLIENT_NAME_MAX]; // [CLIENT_BOOK_MAX]
};

struct client_names {
	struct client_book *book;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic bool stop;
	bool is_other;            // under the lock: `next` has new settings
	struct settings next;     // under the lock
	struct settings settings; // used by the thread; reports of files under the lock
	uint32_t pass;            // used by the thread
	uint64_t look_ms;         // when to check the files next; 0: read them
	uint64_t publish_ms;      // when to publish PTR names next; 0: one has changed
	int64_t wall_ahead_ms;    // clock_wall_ahead_ms, the most since the last step back
	_Atomic uint64_t asked, answered, failed;
};

static void file_add(
	struct settings *s, enum client_file_kind kind, const char *path, bool is_usual)
{
	struct watched *w = &s->file[s->files++];
	*w = (struct watched){.kind = kind, .may_be_missing = is_usual};
	snprintf(w->report.path, sizeof(w->report.path), "%s", path);
}

// Kea's clean-up of leases (kea-lfc) moves the file to PATH.1 and leaves its result in PATH.2.
static void leases_add(struct settings *s, const char *path, bool is_usual)
{
	char older[CONFIG_LEASE_PATH_MAX + 3];
	for (unsigned i = 2; i > 0; i--) {
		snprintf(older, sizeof(older), "%s.%u", path, i);
		file_add(s, CLIENT_FILE_KEA, older, true);
	}
	file_add(s, CLIENT_FILE_LEASES, path, is_usual);
}

static void settings_make(struct settings *s, const struct config *c)
{
	const struct config_client_names *k = &c->client_names;
	*s = (struct settings){.servers = k->ptr_server_count};
	if (k->usual_files)
		file_add(s, CLIENT_FILE_HOSTS, "/etc/hosts", true);
	for (unsigned i = 0; k->usual_files && i < ARRAY_LEN(usual_leases); i++)
		leases_add(s, usual_leases[i], true);
	for (unsigned i = 0; i < c->local.hosts_file_count; i++)
		file_add(s, CLIENT_FILE_HOSTS, c->local.hosts_files[i], false);
	for (unsigned i = 0; i < k->lease_file_count; i++)
		leases_add(s, k->lease_files[i], false);
	memcpy(s->server, k->ptr_servers, sizeof(s->server));
	s->domain = c->local.house;
	lease_own_find(c, &s->own);
	s->uses_ptr = c->local.router_names && s->servers && s->domain.labels;
}

static void lease_take(void *arg, const struct client_entry *e)
{
	struct leases *l = arg;
	struct lease_given *g = &l->given[l->count];
	memcpy(l->name[l->count], e->name, sizeof(e->name));
	*g = (struct lease_given){.name = e->is_cut ? "" : l->name[l->count], // "" is refused
		.address = {.version = e->address.version},
		.ends_s = e->ends_s,
		.is_ptr = e->from == CLIENT_FROM_PTR};
	g->path = g->is_ptr ? l->server[e->file] : l->settings->file[e->file].report.path;
	memcpy(g->address.bytes, e->address.bytes, sizeof(g->address.bytes));
	l->count++;
}

// False: no memory; the table that is published stays.
static bool leases_publish(struct client_names *n, time_t now_s)
{
	const struct settings *s = &n->settings;
	struct lease_names *table = NULL;
	struct leases l = {.settings = s};
	if (s->domain.labels) {
		l.given = heap_calloc(CLIENT_BOOK_MAX, sizeof(l.given[0]));
		l.name = heap_calloc(CLIENT_BOOK_MAX, sizeof(l.name[0]));
	}
	for (unsigned i = 0; i < s->servers; i++)
		(void)ip_address_text(&s->server[i].ip, false, l.server[i]);
	if (l.given && l.name) {
		client_book_house(n->book, now_s, lease_take, &l);
		(void)!lease_names_make(&s->domain, &s->own, l.given, l.count, &table);
	}
	heap_free(l.given);
	heap_free(l.name);
	if (s->domain.labels && !table)
		return false;
	lease_names_publish(table);
	n->publish_ms = clock_mono_ms() + PTR_PUBLISH_MS;
	return true;
}

// Whether a file that could not be read may be readable later although it has not changed.
static bool may_pass(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EIO || err == -EINTR
	       || err == -ESTALE || err == -ETIMEDOUT;
}

// Reads all files as one pass. A file that cannot be read gives no names. False: they are to be
// read again, as memory was short.
static bool files_read(struct client_names *n)
{
	struct settings *s = &n->settings;
	const time_t now_s = time(NULL);
	n->pass++;
	for (unsigned i = 0; i < s->files; i++) {
		struct watched *w = &s->file[i];
		const struct file_seen before = file_seen_now(w->report.path);
		struct client_file_counts counts;
		client_book_file(n->book, i);
		int rc =
			client_file_read(n->book, w->kind, w->report.path, n->pass, now_s, &counts);
		w->seen = file_seen_settled(&before, w->report.path, now_s);
		w->is_again = may_pass(rc);
		pthread_mutex_lock(&n->lock);
		w->is_missing = rc == -ENOENT;
		w->report.names = counts.names;
		w->report.bad = counts.bad;
		snprintf(w->report.why, sizeof(w->report.why), "%s",
			rc == 0         ? ""
			: rc == -EFBIG  ? "over 8 MiB"
			: rc == -EINVAL ? "is no regular file"
					: strerror(-rc));
		pthread_mutex_unlock(&n->lock);
	}
	client_book_sweep(n->book, n->pass);
	return leases_publish(n, now_s);
}

// Whether a file has changed, or is to be read again as it is. The state of a missing file is all
// zeros: missing before and now is no change.
static bool files_changed(const struct settings *s)
{
	static const struct file_seen none;
	for (unsigned i = 0; i < s->files; i++) {
		const struct watched *w = &s->file[i];
		const struct file_seen now = file_seen_now(w->report.path);
		const bool is_gone = memcmp(&now, &none, sizeof(now)) == 0;
		const bool was_gone = *w->report.why && memcmp(&w->seen, &none, sizeof(none)) == 0;
		if (w->is_again || is_gone != was_gone
			|| (!is_gone && !file_seen_same(&now, &w->seen)))
			return true;
	}
	return false;
}

static int64_t kept_s(int err, uint32_t ttl_s)
{
	if (err == -ENOENT)
		return CLIENT_PTR_NONE_S;
	return ttl_s < CLIENT_PTR_LEAST_S  ? CLIENT_PTR_LEAST_S
	       : ttl_s > CLIENT_PTR_MOST_S ? CLIENT_PTR_MOST_S
					   : ttl_s;
}

// Asks the servers in turn. The error of the last; e->name and e->file are the answer's.
static int servers_ask(struct client_names *n, struct client_entry *e, uint32_t *ttl_s)
{
	const struct settings *s = &n->settings;
	struct ip_address address = {.version = e->address.version};
	int err = -ETIMEDOUT;
	memcpy(address.bytes, e->address.bytes, sizeof(address.bytes));
	lease_names_asks(&address);
	for (unsigned i = 0; i < s->servers && err && err != -ENOENT && err != -ECANCELED; i++) {
		e->file = i;
		err = client_ptr_ask(&s->server[i], &e->address, &n->stop, e->name, ttl_s);
	}
	lease_names_asks(NULL);
	return err;
}

static void address_ask(struct client_names *n, const struct client_ip *a)
{
	struct client_entry e = {.address = *a, .from = CLIENT_FROM_PTR}, before;
	uint32_t ttl_s = 0;
	n->asked++;
	const int err = servers_ask(n, &e, &ttl_s);
	if (err == -ECANCELED)
		return;
	const time_t now_s = time(NULL);
	if (err && err != -ENOENT) {
		n->failed++;
		client_book_unanswered(n->book, a, now_s, now_s + CLIENT_PTR_FAILED_S);
		return;
	}
	n->answered++;
	if (err)
		*e.name = '\0';
	e.is_cut = strlen(e.name) >= CLIENT_NAME_MAX - 4; // room for a byte as \xNN
	e.due_s = now_s + kept_s(err, ttl_s);
	e.ends_s = e.due_s + (n->settings.uses_ptr && !err ? CLIENT_STALE_S : 0);
	if (!client_book_find(n->book, a->version, a->bytes, now_s, &before))
		*before.name = '\0';
	if (strcmp(before.name, e.name) != 0)
		n->publish_ms = 0;
	client_book_put(n->book, &e, now_s);
}

// Names that are due and new addresses by turns, so that neither keeps out the other.
static void addresses_ask(struct client_names *n)
{
	struct client_ip due[CLIENT_NAMES_ASKS], a;
	unsigned dues, taken = 0;
	if (!n->settings.servers)
		return;
	dues = client_book_due(n->book, time(NULL), due, CLIENT_NAMES_ASKS);
	for (unsigned i = 0; i < CLIENT_NAMES_ASKS && !n->stop; i++) {
		const bool is_dues = i % 2 == 0 && taken < dues;
		if (is_dues || !client_book_wanted(n->book, time(NULL), &a)) {
			if (taken == dues)
				return;
			a = due[taken++];
		}
		address_ask(n, &a);
	}
}

static bool servers_same(const struct settings *a, const struct settings *b)
{
	bool same = a->servers == b->servers;
	for (unsigned i = 0; same && i < a->servers; i++)
		same = a->server[i].port == b->server[i].port
		       && a->server[i].ip.version == b->server[i].ip.version
		       && memcmp(a->server[i].ip.bytes, b->server[i].ip.bytes,
				  sizeof(a->server[i].ip.bytes))
				  == 0;
	return same;
}

// Waits for a tick, or for new settings. False: the thread must end.
static bool tick_wait(struct client_names *n)
{
	const struct timespec until = clock_deadline(TICK_MS);
	pthread_mutex_lock(&n->lock);
	while (!n->stop && !n->is_other
		&& pthread_cond_timedwait(&n->wake, &n->lock, &until) != ETIMEDOUT)
		;
	if (n->is_other) {
		const bool asks_others = !servers_same(&n->settings, &n->next);
		n->settings = n->next;
		n->is_other = false;
		n->look_ms = 0;
		if (asks_others)
			client_book_ask(n->book, n->settings.servers > 0);
		client_book_use_ptr(n->book, n->settings.uses_ptr);
	}
	pthread_mutex_unlock(&n->lock);
	return !n->stop;
}

// Ends are moments by the wall clock. Once that is set back, those made before lie too far ahead,
// and leases may have been dropped that have not ended: weir asks and reads again.
static void clock_look(struct client_names *n)
{
	const int64_t ahead_ms = clock_wall_ahead_ms(n->wall_ahead_ms);
	const bool is_back = ahead_ms <= n->wall_ahead_ms - STEP_BACK_MS;
	if (is_back || ahead_ms > n->wall_ahead_ms)
		n->wall_ahead_ms = ahead_ms;
	if (!is_back)
		return;
	client_book_set_back(n->book, time(NULL));
	n->look_ms = 0;
}

static void *run(void *arg)
{
	struct client_names *n = arg;
	thread_background();
	while (tick_wait(n)) {
		clock_look(n);
		const uint64_t now_ms = clock_mono_ms();
		if (now_ms >= n->look_ms) {
			bool is_done = n->look_ms > 0 && !files_changed(&n->settings);
			if (!is_done)
				is_done = files_read(n);
			n->look_ms = is_done ? now_ms + CLIENT_NAMES_LOOK_MS : 0;
		}
		addresses_ask(n);
		if (n->settings.uses_ptr && clock_mono_ms() >= n->publish_ms)
			(void)!leases_publish(n, time(NULL));
	}
	return NULL;
}

int client_names_open(struct client_names **out)
{
	struct client_names *n = heap_calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	int rc = client_book_open(&n->book);
	if (rc < 0) {
		heap_free(n);
		return rc;
	}
	n->wall_ahead_ms = clock_wall_ahead_ms(0);
	pthread_mutex_init(&n->lock, NULL);
	thread_cond_init(&n->wake);
	rc = thread_start(&n->thread, "weir-names", run, n);
	if (rc < 0) {
		client_book_close(n->book);
		pthread_cond_destroy(&n->wake);
		pthread_mutex_destroy(&n->lock);
		heap_free(n);
		return rc;
	}
	*out = n;
	return 0;
}

int client_names_configure(struct client_names *n, const struct config *c)
{
	struct settings *s = heap_malloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	settings_make(s, c);
	pthread_mutex_lock(&n->lock);
	n->next = *s;
	n->is_other = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	heap_free(s);
	return 0;
}

void client_names_close(struct client_names *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->stop = true;
	pthread_cond_signal(&n->wake);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	lease_names_publish(NULL);
	client_book_close(n->book);
	pthread_cond_destroy(&n->wake);
	pthread_mutex_destroy(&n->lock);
	heap_free(n);
}

struct client_book *client_names_book(struct client_names *n)
{
	return n ? n->book : NULL;
}

void client_names_status(struct client_names *n, struct client_names_status *out)
{
	*out = (struct client_names_status){
		.asked = n->asked, .answered = n->answered, .failed = n->failed};
	client_book_status(n->book, &out->book);
	out->book.bytes += sizeof(*n);
	struct lease_names *held = NULL;
	const struct lease_names *t = lease_names_now(&held);
	out->leases = lease_names_counts(t, false);
	out->router = lease_names_counts(t, true);
	out->lease_bytes = lease_names_bytes(t);
	lease_names_release(held);
	pthread_mutex_lock(&n->lock);
	out->servers = n->settings.servers;
	for (unsigned i = 0; i < n->settings.files; i++) {
		const struct watched *w = &n->settings.file[i];
		if (!w->may_be_missing || !w->is_missing)
			out->file[out->file_count++] = w->report;
	}
	pthread_mutex_unlock(&n->lock);
}
