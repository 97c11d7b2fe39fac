// SPDX-License-Identifier: BSD-3-Clause

// bench_resolver [-r RESOLVERS] [-n ROUNDS] [-m SLICE_MS]: M2 with one resolver, M3 with more.
//
// Misses from ring to answer ring with default settings: names that no cache has go as MSG_MISS
// onto the rings of the resolvers, whose threads ask an upstream, store the answer and write it to
// the answer ring. The upstream is in the process, so the kernel's sockets are no part of
// it; nor are the packets, marks of workers, the query log, Redis and the control API.
//
// A round is a slice for each resolver alone, and with more than one a slice for all. A slice's
// rate is answers to CPU time of the resolver's thread, so time that another program had on a core
// does not count. The ratio is that of all rates together to the mean of those alone in the same
// round. On a machine with fewer cores than threads they seldom run at the same time, and
// contention for shared lines is then hardly part of the figure. Fails when an answer is wrong or
// missing, never because it is slow.

#include "bench_row.h"
#include "bench_tools.h"
#include "controlplane/app/app.h"
#include "tests/bench/bench_answer.h"
#include "tests/unit/cp/shm/fake_dataplane.h"
#include "tests/unit/folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/gong.h>
#include <weir/l0_table.h>
#include <weir/log.h>
#include <weir/shm_epoch.h>
#include <weir/shm_msg.h>
#include <weir/shm_region.h>
#include <weir/shm_ring.h>

// An upstream server inside the resolver's own thread: it takes the place of the kernel's sockets.
//
// A program that is linked with --wrap (meson.build) opens, binds, connects and registers UDP
// sockets as usual. A message on one that is connected to 127.0.0.1, SEAM_PORT, is answered within
// the call, and the next epoll_wait of that thread reports the socket. So the kernel's send,
// delivery, wake-up and receive are left out, and the upstream's time is that of a copy.

enum { SEAM_PORT = 5309 };

enum { FDS = 1 << 16, REPLY_MAX = 320, WAITING_MAX = 1 << 14 };

// What lies at a socket: its owner's thread alone uses it.
struct reply {
	bool is_upstream;
	uint16_t len; // 0: none
	uint8_t bytes[REPLY_MAX];
};

static struct reply reply_at[FDS];
static _Thread_local int waiting[WAITING_MAX]; // sockets with a reply that epoll has not reported
static _Thread_local unsigned waiting_count;
static const struct sockaddr_in server = {.sin_family = AF_INET};

int __real_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __real_recvfrom(
	int fd, void *buf, size_t cap, int flags, struct sockaddr *from, socklen_t *from_len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_recvfrom(
	int fd, void *buf, size_t cap, int flags, struct sockaddr *from, socklen_t *from_len);

static struct reply *reply_of(int fd)
{
	return fd >= 0 && fd < FDS && reply_at[fd].is_upstream ? &reply_at[fd] : NULL;
}

static bool is_server(const struct sockaddr *to)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;
	return to->sa_family == AF_INET && in->sin_port == htons(SEAM_PORT)
	       && in->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	if (fd >= 0 && fd < FDS) {
		reply_at[fd].is_upstream = is_server(to);
		reply_at[fd].len = 0;
	}
	return __real_connect(fd, to, len);
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
	struct reply *r = reply_of(fd);

	if (!r)
		return __real_send(fd, bytes, len, flags);
	if (len > sizeof(r->bytes) || waiting_count == WAITING_MAX) {
		fputs("seam: no room for a query\n", stderr);
		abort();
	}
	memcpy(r->bytes, bytes, len);
	r->len = (uint16_t)bench_answer(r->bytes, len, sizeof(r->bytes));
	waiting[waiting_count++] = fd;
	return (ssize_t)len;
}

ssize_t __wrap_recvfrom(
	int fd, void *buf, size_t cap, int flags, struct sockaddr *from, socklen_t *from_len)
{
	struct reply *r = reply_of(fd);

	if (!r)
		return __real_recvfrom(fd, buf, cap, flags, from, from_len);
	if (r->len == 0) {
		errno = EAGAIN;
		return -1;
	}
	size_t len = r->len < cap ? r->len : cap;
	struct sockaddr_in in = server;
	in.sin_port = htons(SEAM_PORT);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(buf, r->bytes, len);
	r->len = 0;
	memcpy(from, &in, *from_len < sizeof(in) ? *from_len : sizeof(in));
	*from_len = sizeof(in);
	return (ssize_t)len;
}

// In place of libc's, for libevent.
int epoll_wait(int epoll, struct epoll_event *ready, int most, int timeout_ms)
{
	int n = epoll_pwait(epoll, ready, most, waiting_count ? 0 : timeout_ms, NULL);

	while (n >= 0 && n < most && waiting_count > 0) {
		int fd = waiting[--waiting_count];
		ready[n++] = (struct epoll_event){.events = EPOLLIN, .data.fd = fd};
	}
	return n;
}

// A data plane with one worker that asks for names that no cache has, and takes the answers: the
// worker's end of the rings of each resolver, in shared memory as ever. One thread calls.
//
// Each resolver has at most querier.window questions in flight. Names lie in 4,096 zones and come
// from 4,096 clients, so the shipped bounds of zones and clients hold and are never met.

struct querier_rings {              // of one resolver
	struct region region, half; // half: the control plane's
	struct ring_producer misses;
	struct ring_consumer answers;
	uint64_t asked, answered;
	uint64_t late;  // SERVFAIL: this machine stood still for seconds
	uint64_t wrong; // not the address that the upstream gave
};

struct querier {
	const struct l0_reader *l0; // says which resolver a name is of
	unsigned resolvers, window;
	uint64_t incarnation, serial;
	int lock_fd, link_fd;
	struct fake_bells bells; // those of a worker, then the gongs
	struct querier_rings of[SHM_RESOLVERS_MAX];
};

enum {
	ZONES = 4096,
	CLIENTS = 4096,
	SERVICE_PORT = 53,
	HALVES_MS = 5000,
	BATCH = 64, // answers of a resolver in a turn
	ADDRESS_LEN = 4,
};

// The control plane makes its half of the other resolvers' rings some time after the welcome.
static bool halves_map(struct querier *a, const struct shm_paths *paths, char why[SHM_WHY_MAX])
{
	const uint64_t end_ms = clock_mono_ms() + HALVES_MS;
	for (unsigned r = 0; r < a->resolvers;) {
		const uint64_t geometry[SHM_GEOMETRY_WORDS] = {
			0, RINGS_ANSWER_UNITS, 0, r, a->incarnation};
		char name[SHM_NAME_MAX];
		shm_name_answers(name, 0, r);
		if (region_attach_over(paths, name, REGION_ANSWERS, geometry, &a->of[r].half, why)
			>= 0)
			r++;
		else if (clock_mono_ms() >= end_ms)
			return false;
		else
			usleep(1000);
	}
	return true;
}

// `a` has its first three fields. False: `why`.
static bool querier_open(struct querier *a, const struct shm_paths *paths, char why[SHM_WHY_MAX])
{
	char lock[SHM_PATH_MAX + 32];

	a->incarnation = incarnation_new();
	snprintf(lock, sizeof(lock), "%s/dataplane.lock", paths->run);
	a->lock_fd = process_lock(lock);
	snprintf(why, SHM_WHY_MAX, "dataplane.lock: %s", strerror(-a->lock_fd));
	bool ok = a->lock_fd >= 0;
	for (unsigned i = 0; i < a->resolvers && ok; i++) {
		struct querier_rings *of = &a->of[i];
		(void)fake_rings_make(paths, a->incarnation, 0, i, &of->region, &of->half,
			&of->misses, &of->answers);
	}
	if (!ok)
		return false;
	struct link_welcome welcome;
	const struct link_hello hello = {.workers = 1, .dp_incarnation = a->incarnation};
	int rc = fake_hello(paths, &hello, &a->bells, &a->link_fd, &welcome);
	snprintf(why, SHM_WHY_MAX, "link: %s", strerror(-rc));
	return rc == 0 && halves_map(a, paths, why);
}

static void querier_close(struct querier *a)
{
	close(a->link_fd);
	for (unsigned i = 0; i < a->bells.count; i++)
		close(a->bells.fd[i]);
	for (unsigned i = 0; i < a->resolvers; i++) {
		region_unmap(&a->of[i].region);
		region_unmap(&a->of[i].half);
	}
	close(a->lock_fd);
}

// m<serial>.z<zone>.example A. True: its resolver may have another one.
static bool question_make(struct querier *a, uint32_t mask, struct dns_query *q, unsigned *resolver)
{
	char text[48];
	struct l0_key key;
	uint64_t serial = a->serial++;
	int len = snprintf(text, sizeof(text), "m%08x.z%03x.example", (unsigned)serial,
		(unsigned)(serial % ZONES));

	*q = (struct dns_query){.id = (uint16_t)serial,
		.qtype = DNS_TYPE_A,
		.qclass = DNS_CLASS_IN,
		.flags = DNS_FLAG_RD};
	if (dns_name_from_text(text, (size_t)len, &q->name) < 0)
		return false;
	q->question_len = (uint16_t)(q->name.len + 4);
	l0_key_of_query(a->l0, q, 0, &key);
	*resolver = l0_resolver_of(a->l0, key.hash);
	return mask >> *resolver & 1;
}

static bool ask(const struct querier *a, struct querier_rings *rings, const struct dns_query *q)
{
	const uint32_t client = UINT32_C(0x0a000000) + q->id % CLIENTS; // 10.0.0.0/20
	struct msg_miss m = {.dp_incarnation = a->incarnation,
		.arrival_ms = clock_mono_ms(),
		.path = {.ip_version = 4, .client_udp = q->id, .service_udp = SERVICE_PORT},
		.id = q->id,
		.flags = q->flags,
		.udp_size = 1232,
		.kind = MISS_WAITER,
		.question_len = q->question_len};
	uint8_t *room =
		ring_reserve(&rings->misses, MSG_MISS, (uint32_t)(sizeof(m) + q->question_len));

	if (!room)
		return false;
	put_u32(m.path.client_ip, client);
	memcpy(room, &m, sizeof(m));
	memcpy(room + sizeof(m), q->name.wire, q->name.len);
	put_u16(room + sizeof(m) + q->name.len, q->qtype);
	put_u16(room + sizeof(m) + q->name.len + 2, q->qclass);
	rings->asked++;
	return true;
}

// The address 198.18.200.1 for the name whose number has the id as its low half.
static bool is_right(const struct msg_answer *head, const uint8_t *dns, size_t len)
{
	static const uint8_t address[ADDRESS_LEN] = {198, 18, 200, 1};
	unsigned serial = 0;

	if (head->verdict != ANSWER_UPSTREAM || head->dns_len != len || len < 40)
		return false;
	return (get_u16(dns + 2) & DNS_FLAG_RCODE) == DNS_RCODE_NOERROR && get_u16(dns + 6) == 1
	       && sscanf((const char *)dns + DNS_HEADER_LEN + 1, "m%8x", &serial) == 1
	       && (uint16_t)serial == get_u16(dns)
	       && memcmp(dns + len - sizeof(address), address, sizeof(address)) == 0;
}

static unsigned answers_take(struct querier_rings *rings)
{
	uint8_t buf[sizeof(struct msg_answer) + MSG_DNS_MAX];
	struct msg_answer head;
	unsigned count = 0;
	uint16_t type;

	for (int len; count < BATCH; count++) {
		len = ring_read(&rings->answers, buf, sizeof(buf), &type);
		if (len <= 0)
			break;
		memcpy(&head, buf, sizeof(head));
		bool late = head.verdict == ANSWER_SERVFAIL;
		rings->late += late;
		rings->wrong += type != MSG_ANSWER || (size_t)len < sizeof(head)
				|| (!late
					&& !is_right(&head, buf + sizeof(head),
						(size_t)len - sizeof(head)));
	}
	ring_release(&rings->answers);
	rings->answered += count;
	return count;
}

static uint64_t room_of(const struct querier *a, unsigned resolver)
{
	const struct querier_rings *rings = &a->of[resolver];
	return a->window - (rings->asked - rings->answered);
}

// Takes answers, and asks until the resolvers of the mask have their window. False: nothing to do.
static bool querier_turn(struct querier *a, uint32_t mask)
{
	unsigned done = 0, resolver = 0;
	uint32_t wanted = 0;
	struct dns_query q;

	for (unsigned i = 0; i < a->resolvers; i++) {
		struct rings_dp_page *dp = (void *)(a->of[i].region.base + RINGS_DP_PAGE);
		atomic_store_explicit(&dp->heartbeat_ms, clock_mono_ms(), memory_order_relaxed);
		done += answers_take(&a->of[i]);
		wanted |= (room_of(a, i) > a->window / 4) << i & mask;
	}
	// A resolver that has asked for more gets all of it; names of the others are skipped.
	for (uint32_t open = wanted; open;) {
		if (!question_make(a, open, &q, &resolver))
			continue;
		if (!ask(a, &a->of[resolver], &q) || room_of(a, resolver) == 0)
			open &= ~(UINT32_C(1) << resolver);
		done++;
	}
	for (unsigned i = 0; i < a->resolvers; i++) {
		ring_publish(&a->of[i].misses);
		if (wanted >> i & 1 && ring_wants_wake(&a->of[i].misses))
			gong_strike(a->bells.fd[LINK_BELL_ENDS + i]);
	}
	return done > 0;
}

static uint64_t querier_in_flight(const struct querier *a)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < a->resolvers; i++)
		all += a->of[i].asked - a->of[i].answered;
	return all;
}

enum {
	ROUNDS_MAX = 1000,
	WINDOW = 256,
	WARM_SLICES = 20, // fill L0, and open the sockets that are kept ready
	PATIENCE_S = 60,
	PAUSE_US = 20,
	FILES = 16384,
	FOLDER_LEN = 64,
};

static struct app app;
static struct querier querier;
static char folder[FOLDER_LEN];
static unsigned resolvers = 1, rounds = 30, slice_ms = 100;
static double rate[ROUNDS_MAX][SHM_RESOLVERS_MAX + 1][SHM_RESOLVERS_MAX]; // last: all of them

static bool config_open(char why[APP_WHY_MAX])
{
	char path[FOLDER_LEN + 16];

	snprintf(path, sizeof(path), "%.63s/weir.yaml", folder);
	FILE *f = fopen(path, "w");
	if (!f)
		return false;
	fprintf(f,
		"runtime: {directory: \"%s/run\", state_directory: \"%s/state\", hugepages: "
		"\"off\"}\n"
		"dataplane:\n  ports: [{device: net_null0}]\n"
		"  service_addresses: [198.18.0.53/24]\n"
		"cache: {l0_mb: 64}\n"
		"upstreams: {servers: [{address: \"127.0.0.1:%u\"}]}\n",
		folder, folder, SEAM_PORT);
	if (fclose(f) != 0 || config_load(path, &app.started, why) < 0)
		return false;
	app.started->controlplane.resolvers = resolvers;
	app.current = app.started;
	return true;
}

// As app.c opens them, without what a miss does not need.
static bool resolvers_start(char why[APP_WHY_MAX])
{
	const struct config_runtime *run = &app.started->runtime;
	const struct rlimit files = {FILES, FILES};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	return shm_paths_init(&app.paths, run->directory, run->hugepages, why) == 0
	       && publisher_open(&app.publisher, &app.paths, app.started, why) == 0
	       && loop_new("service", &app.service) == 0 && app_resolvers_open(&app, why) == 0
	       && app_resolvers_start(&app) == 0;
}

static void resolvers_close(void)
{
	app_resolvers_close(&app);
	upstream_book_close(app.book);
	publisher_close(app.publisher);
	app_resolvers_loops_free(&app);
	loop_free(app.service);
	config_free(app.started);
}

static double thread_s(unsigned resolver)
{
	struct timespec t = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(app.resolver[resolver].thread, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Asks the resolvers of the mask for a slice's time, and waits for the last answer.
static bool slice(uint32_t mask, double out[SHM_RESOLVERS_MAX])
{
	double cpu_s[SHM_RESOLVERS_MAX];
	uint64_t answered[SHM_RESOLVERS_MAX];
	uint64_t end_ms = clock_mono_ms() + slice_ms, last_ms = end_ms + PATIENCE_S * 1000;

	for (unsigned i = 0; i < resolvers; i++) {
		cpu_s[i] = thread_s(i);
		answered[i] = querier.of[i].answered;
	}
	for (uint64_t now = 0; now < end_ms || (querier_in_flight(&querier) && now < last_ms);
		now = clock_mono_ms()) {
		if (!querier_turn(&querier, now < end_ms ? mask : 0))
			usleep(PAUSE_US);
	}
	for (unsigned i = 0; i < resolvers; i++)
		out[i] = (double)(querier.of[i].answered - answered[i]) / (thread_s(i) - cpu_s[i]);
	return querier_in_flight(&querier) == 0;
}

static bool measure(void)
{
	const uint32_t all = (UINT32_C(1) << resolvers) - 1;
	bool ok = true;

	for (unsigned i = 0; i < WARM_SLICES && ok; i++)
		ok = slice(all, rate[0][resolvers]);
	for (unsigned n = 0; n < rounds; n++) {
		for (unsigned i = 0; i < resolvers && ok; i++)
			ok = slice(UINT32_C(1) << i, rate[n][i]);
		if (resolvers > 1 && ok)
			ok = slice(all, rate[n][resolvers]);
	}
	return ok;
}

static void report(void)
{
	static double alone[ROUNDS_MAX], ratio[ROUNDS_MAX];
	const char *goal = resolvers > 1 ? "M3" : "M2";
	char name[64];

	for (unsigned n = 0; n < rounds; n++) {
		double sum = 0, together = 0;
		for (unsigned i = 0; i < resolvers; i++) {
			sum += rate[n][i][i];
			together += rate[n][resolvers][i];
		}
		alone[n] = sum / resolvers;
		ratio[n] = together / alone[n];
	}
	qsort(alone, rounds, sizeof(*alone), bench_by_value);
	qsort(ratio, rounds, sizeof(*ratio), bench_by_value);
	snprintf(name, sizeof(name), "%u resolver%s, upstream in the process", resolvers,
		resolvers > 1 ? "s" : "");
	bench_say(
		goal, name, "alone", alone[rounds / 2], "misses/CPU s", resolvers > 1 ? 0 : 250000);
	if (resolvers > 1) {
		bench_say(goal, name, "ratio", ratio[rounds / 2], "times one resolver",
			0.95 * resolvers);
		bench_say(goal, name, "p10", ratio[rounds / 10], "times one resolver", 0);
		bench_say(goal, name, "p90", ratio[rounds * 9 / 10], "times one resolver", 0);
	}
}

// After the resolvers' threads: each miss was asked of the upstream and answered, and its answer
// was stored, but for one in a thousand for which a full L0 has no room.
static bool all_right(void)
{
	static struct resolver_status s;
	uint64_t wrong = 0, missing = querier_in_flight(&querier), asked = 0, refused = 0;

	for (unsigned i = 0; i < resolvers; i++) {
		const struct querier_rings *rings = &querier.of[i];
		resolver_status(app.resolvers.one[i], &s);
		wrong += rings->wrong;
		asked += rings->asked;
		refused += s.not_stored;
		if (s.stored + s.not_stored + rings->late < rings->asked)
			missing += rings->asked - rings->late - s.stored - s.not_stored;
	}
	missing += refused > asked / 1000 ? refused : 0;
	if (wrong || missing)
		fprintf(stderr, "%ju answers are wrong, %ju are missing or were not stored\n",
			(uintmax_t)wrong, (uintmax_t)missing);
	return wrong == 0 && missing == 0;
}

static bool run(char why[APP_WHY_MAX])
{
	if (!config_open(why) || !resolvers_start(why))
		return false;
	querier = (struct querier){.l0 = l0_writer_reader(link_l0(app.link, 0)),
		.resolvers = resolvers,
		.window = WINDOW};
	if (!querier_open(&querier, &app.paths, why))
		return false;
	bool answered = measure();
	if (answered)
		report();
	*why = '\0';
	app_resolvers_stop(&app);
	answered &= all_right();
	querier_close(&querier);
	resolvers_close();
	return answered && folder_remove(app.paths.run, app.paths.mem) == 0;
}

int main(int argc, char **argv)
{
	char why[APP_WHY_MAX] = "cannot write the configuration";
	int opt;

	while ((opt = getopt(argc, argv, "r:n:m:")) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		if (opt == 'r')
			resolvers = number;
		else if (opt == 'n')
			rounds = number;
		else if (opt == 'm')
			slice_ms = number;
		else
			resolvers = 0;
	}
	if (resolvers < 1 || resolvers > SHM_RESOLVERS_MAX || rounds < 1 || rounds > ROUNDS_MAX
		|| optind != argc) {
		fputs("usage: bench_resolver [-r RESOLVERS] [-n ROUNDS] [-m SLICE_MS]\n", stderr);
		return 2;
	}
	log_init("bench_resolver", LOG_LEVEL_ERROR);
	if (folder_make(folder, "bench") < 0)
		return EXIT_FAILURE;
	bool ok = run(why);
	if (!ok && *why)
		fprintf(stderr, "bench_resolver: %s\n", why);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
