// SPDX-License-Identifier: BSD-3-Clause
#include "fake_dataplane.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/gong.h>

enum { MISS_UNITS = 16384 };

struct rings_dp_page *fake_rings_make(const struct shm_paths *paths, uint64_t incarnation,
	unsigned worker, unsigned resolver, struct region *r, struct region *half,
	struct ring_producer *misses, struct ring_consumer *answers)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];

	shm_name_rings(name, worker, resolver);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_RINGS,
		.generation = 1,
		.incarnation = incarnation,
		.index = worker,
		.data_size = RINGS_MISS_RING - SHM_PAGE + MISS_UNITS * RING_UNIT,
		.geometry = {MISS_UNITS, 0, 0, resolver},
	};
	int rc = region_create(paths, &spec, r, why);
	assert(rc == 0);
	rc = region_place(ANSWERS_SIZE, half, why);
	assert(rc == 0);
	const struct rings_cp_page *cp = (const void *)(half->base + ANSWERS_CP_PAGE);
	struct rings_dp_page *dp = (void *)(r->base + RINGS_DP_PAGE);
	atomic_store(&dp->seen_epoch, EPOCH_OFFLINE);
	ring_producer_init(
		misses, &dp->miss_tail, &cp->miss_head, r->base + RINGS_MISS_RING, MISS_UNITS);
	ring_consumer_init(answers, &cp->answer_tail, &dp->answer_head, half->base + ANSWERS_RING,
		RINGS_ANSWER_UNITS);
	region_publish(r);
	return dp;
}

static void rings_open(struct fake_dataplane *f, unsigned i)
{
	f->dp[i] = fake_rings_make(&f->paths, f->incarnation, i, 0, &f->rings[i], &f->halves[i],
		&f->misses[i], &f->answers[i]);
	f->bell[i] = -1;
}

void fake_dataplane_grow(struct fake_dataplane *f)
{
	for (unsigned i = 0; i < f->workers; i++)
		(void)fake_rings_make(&f->paths, f->incarnation, i, 1, &f->second.rings[i],
			&f->second.halves[i], &f->second.misses[i], &f->second.answers[i]);
}

void fake_dataplane_reader(const struct fake_dataplane *f)
{
	const struct region_spec spec = {.name = "reader",
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = incarnation_new(),
		.data_size = sizeof(struct reader_page)};
	char why[SHM_WHY_MAX];
	struct region r;
	int rc = region_create(&f->paths, &spec, &r, why);
	assert(rc == 0);
	region_publish(&r);
	region_unmap(&r);
}

void fake_dataplane_open(struct fake_dataplane *f, const struct shm_paths *paths, unsigned workers)
{
	char path[SHM_PATH_MAX + 32];

	memset(f, 0, sizeof(*f));
	f->paths = *paths;
	f->workers = workers;
	f->incarnation = incarnation_new();
	f->link_fd = -1;
	snprintf(path, sizeof(path), "%s/dataplane.lock", paths->run);
	f->lock_fd = process_lock(path);
	assert(f->lock_fd >= 0);
	fake_dataplane_reader(f);
	for (unsigned i = 0; i < workers; i++)
		rings_open(f, i);
	f->gong = f->second.gong = -1;
}

static ssize_t welcome_read(int fd, struct link_welcome *welcome, struct fake_bells *bells)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(bells->fd))];
	struct iovec iov = {.iov_base = welcome, .iov_len = sizeof(*welcome)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	bells->count = c ? (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
	if (c)
		memcpy(bells->fd, CMSG_DATA(c), bells->count * sizeof(int));
	return n;
}

int fake_hello(const struct shm_paths *paths, const struct link_hello *hello,
	struct fake_bells *bells, int *link_fd, struct link_welcome *welcome)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 20};
	struct link_hello said = *hello;
	said.magic = SHM_MAGIC;
	said.abi_version = SHM_ABI_VERSION;
	bells->count = 0;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/" SHM_NAME_LINK, paths->run);
	*link_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	setsockopt(*link_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(*link_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	if (send(*link_fd, &said, sizeof(said), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return -errno;
	if (welcome_read(*link_fd, welcome, bells) != sizeof(*welcome))
		return -EPROTO;
	return welcome->error;
}

static void bell_take(int *bell, int now)
{
	if (*bell >= 0)
		close(*bell);
	*bell = now;
}

static void bells_take(struct fake_dataplane *f, const struct fake_bells *bells)
{
	const unsigned ends = LINK_BELL_ENDS * f->workers;
	assert(bells->count > ends);
	for (unsigned i = 0; i < f->workers; i++) {
		bell_take(&f->bell[i], bells->fd[LINK_BELL_ENDS * i + BELL_HEARS]);
		close(bells->fd[LINK_BELL_ENDS * i + BELL_RINGS]);
	}
	bell_take(&f->gong, bells->fd[ends]);
	bell_take(&f->second.gong, bells->count > ends + 1 ? bells->fd[ends + 1] : -1);
	for (unsigned i = ends + 2; i < bells->count; i++)
		close(bells->fd[i]);
}

int fake_dataplane_link(struct fake_dataplane *f, struct link_welcome *welcome)
{
	const struct link_hello hello = {.workers = f->workers, .dp_incarnation = f->incarnation};
	struct fake_bells bells;
	int rc = fake_hello(&f->paths, &hello, &bells, &f->link_fd, welcome);
	if (rc == 0)
		bells_take(f, &bells);
	fake_dataplane_look(f);
	return rc;
}

static void half_map(struct fake_dataplane *f, unsigned i, unsigned resolver,
	const struct region *rings, struct region *half)
{
	const uint64_t geometry[SHM_GEOMETRY_WORDS] = {
		0, RINGS_ANSWER_UNITS, 0, resolver, f->incarnation};
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];

	shm_name_answers(name, i, resolver);
	if (half->base
		&& region_attach_over(&f->paths, name, REGION_ANSWERS, geometry, half, why) == 1) {
		struct rings_dp_page *dp = (void *)(rings->base + RINGS_DP_PAGE);
		atomic_store(&dp->answers, region_header_of(half)->incarnation);
	}
}

void fake_dataplane_look(struct fake_dataplane *f)
{
	for (unsigned i = 0; i < f->workers; i++) {
		half_map(f, i, 0, &f->rings[i], &f->halves[i]);
		half_map(f, i, 1, &f->second.rings[i], &f->second.halves[i]);
	}
}

void fake_dataplane_close(struct fake_dataplane *f)
{
	if (f->link_fd >= 0)
		close(f->link_fd);
	for (unsigned i = 0; i < f->workers; i++) {
		region_unmap(&f->rings[i]);
		region_unmap(&f->second.rings[i]);
		region_unmap(&f->halves[i]);
		region_unmap(&f->second.halves[i]);
		bell_take(&f->bell[i], -1);
	}
	bell_take(&f->gong, -1);
	bell_take(&f->second.gong, -1);
	close(f->lock_fd);
}

bool fake_dataplane_ask(struct fake_dataplane *f, const struct fake_miss *m)
{
	struct dns_name name;
	uint8_t bytes[sizeof(struct msg_miss) + DNS_NAME_MAX + 4];
	int rc = dns_name_from_text(m->name, strlen(m->name), &name);
	assert(rc == 0);
	struct msg_miss miss = {
		.dp_incarnation = f->incarnation,
		.arrival_ms = clock_mono_ms() - m->age_ms,
		.path = {.worker = (uint16_t)m->rings,
			.ip_version = m->client6 ? 6 : 4,
			.client_udp = m->client_port},
		.id = m->id,
		.flags = DNS_FLAG_RD | (m->cd ? DNS_FLAG_CD : 0) | (m->ad ? DNS_FLAG_AD : 0),
		.udp_size = 1232,
		.has_opt = m->hides ? DNS_OPT_PLAIN | DNS_OPT_HIDES_SUBNET : m->has_opt,
		.view = m->view,
		.group = m->group,
		.policy = m->policy,
		.kind = m->refresh ? MISS_REFRESH : MISS_WAITER,
		.question_len = (uint16_t)(name.len + 4),
		.trace = m->trace,
	};
	if (m->client6)
		memcpy(miss.path.client_ip, m->client6, sizeof(miss.path.client_ip));
	else
		memcpy(miss.path.client_ip, &m->client, sizeof(m->client));
	uint8_t *q = bytes + sizeof(miss);
	memcpy(bytes, &miss, sizeof(miss));
	memcpy(q, name.wire, name.len);
	// dns_name is lower case; the client's spelling comes from the text (no escapes in tests).
	for (size_t i = 0; m->name[i]; i++)
		if (m->name[i] != '.')
			q[i + 1] = (uint8_t)m->name[i];
	put_u16(q + name.len, m->type);
	put_u16(q + name.len + 2, DNS_CLASS_IN);
	uint32_t len = (uint32_t)(sizeof(miss) + miss.question_len);
	void *room = ring_reserve(&f->misses[m->rings], MSG_MISS, len);
	if (!room)
		return false;
	memcpy(room, bytes, len);
	ring_publish(&f->misses[m->rings]);
	return true;
}

void fake_dataplane_ring(struct fake_dataplane *f)
{
	for (unsigned i = 0; i < f->workers; i++) {
		if (!ring_wants_wake(&f->misses[i]))
			continue;
		gong_strike(f->gong);
		f->wakes++;
	}
}

// The next message of the control plane on any rings, in `buf` of FAKE_ANSWER_MAX bytes; its
// length, 0: none.
static int message_wait(
	struct fake_dataplane *f, uint8_t *buf, uint16_t *type, unsigned *worker, unsigned wait_ms)
{
	uint64_t now = clock_mono_ms(), end = now + wait_ms;

	// Once more when the time is over: this thread may have stood still.
	for (bool last = false; !last; now = clock_mono_ms()) {
		last = now >= end;
		fake_dataplane_look(f);
		for (*worker = 0; *worker < f->workers; ++*worker) {
			int len = ring_read(&f->answers[*worker], buf, FAKE_ANSWER_MAX, type);
			ring_release(&f->answers[*worker]);
			if (len > 0)
				return len;
		}
		if (!last)
			usleep(500);
	}
	return 0;
}

bool fake_dataplane_send(
	struct fake_dataplane *f, struct fake_send *out, unsigned *worker, unsigned wait_ms)
{
	uint8_t buf[FAKE_ANSWER_MAX];
	uint16_t type;
	int len = message_wait(f, buf, &type, worker, wait_ms);

	if (len == 0)
		return false;
	bool fits = msg_send_read(&out->head, buf, (size_t)len);
	assert(type == MSG_SEND && fits);
	memcpy(out->dns, buf + sizeof(out->head), out->head.dns_len);
	return true;
}

bool fake_dataplane_hear(
	struct fake_dataplane *f, unsigned worker, const struct msg_heard *head, const uint8_t *dns)
{
	const uint32_t len = (uint32_t)(sizeof(*head) + head->dns_len);
	uint8_t *room = ring_reserve(&f->misses[worker], MSG_HEARD, len);

	if (!room)
		return false;
	memcpy(room, head, sizeof(*head));
	memcpy(room + sizeof(*head), dns, head->dns_len);
	ring_publish(&f->misses[worker]);
	fake_dataplane_ring(f);
	return true;
}

bool fake_dataplane_answer(struct fake_dataplane *f, struct fake_answer *out, unsigned wait_ms)
{
	uint8_t buf[FAKE_ANSWER_MAX];
	uint16_t type;
	unsigned worker;

	do {
		int len = message_wait(f, buf, &type, &worker, wait_ms);
		if (len == 0)
			return false;
		assert(type == MSG_ANSWER && (size_t)len >= sizeof(out->head));
		memcpy(&out->head, buf, sizeof(out->head));
		assert(sizeof(out->head) + out->head.dns_len == (size_t)len);
		f->dropped += out->head.dropped;
	} while (out->head.dropped);
	memcpy(out->dns, buf + sizeof(out->head), out->head.dns_len);
	return true;
}
