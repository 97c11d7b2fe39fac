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

enum { MISS_UNITS = 16384, ANSWER_UNITS = 32768 };

static void rings_open(struct fake_dataplane *f, unsigned i)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];

	shm_name_rings(name, i);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_RINGS,
		.generation = 1,
		.incarnation = f->incarnation,
		.index = i,
		.data_size = RINGS_MISS_RING - SHM_PAGE + (MISS_UNITS + ANSWER_UNITS) * RING_UNIT,
		.geometry = {MISS_UNITS, ANSWER_UNITS},
		.mode = 0600,
	};
	int rc = region_create(&f->paths, &spec, &f->rings[i], why);
	assert(rc == 0);
	uint8_t *base = f->rings[i].base;
	struct rings_cp_page *cp = (void *)(base + RINGS_CP_PAGE);
	f->dp[i] = (void *)(base + RINGS_DP_PAGE);
	atomic_store(&f->dp[i]->seen_epoch, EPOCH_OFFLINE);
	ring_producer_init(&f->misses[i], &f->dp[i]->miss_tail, &cp->miss_head,
		base + RINGS_MISS_RING, MISS_UNITS);
	ring_consumer_init(&f->answers[i], &cp->answer_tail, &f->dp[i]->answer_head,
		base + RINGS_MISS_RING + MISS_UNITS * RING_UNIT, ANSWER_UNITS);
	region_publish(&f->rings[i]);
	int pair[BELL_ENDS];
	rc = bell_open(pair);
	assert(rc == 0);
	f->bell[i] = pair[0];
	f->bell_far[i] = pair[1];
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
	for (unsigned i = 0; i < workers; i++)
		rings_open(f, i);
}

int fake_dataplane_link(struct fake_dataplane *f, struct link_welcome *welcome)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 20};
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FAKE_RINGS_MAX)] = {0};
	struct link_hello hello = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.workers = f->workers,
		.dp_incarnation = f->incarnation};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * f->workers)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.90s/link.sock", f->paths.run);
	f->link_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	setsockopt(f->link_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(f->link_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * f->workers);
	memcpy(CMSG_DATA(c), f->bell_far, sizeof(int) * f->workers);
	if (sendmsg(f->link_fd, &msg, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return -errno;
	if (recv(f->link_fd, welcome, sizeof(*welcome), 0) != sizeof(*welcome))
		return -EPROTO;
	return welcome->error;
}

void fake_dataplane_close(struct fake_dataplane *f)
{
	if (f->link_fd >= 0)
		close(f->link_fd);
	for (unsigned i = 0; i < f->workers; i++) {
		region_unmap(&f->rings[i]);
		close(f->bell[i]);
		close(f->bell_far[i]);
	}
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
		.flags = DNS_FLAG_RD | (m->cd ? DNS_FLAG_CD : 0),
		.udp_size = 1232,
		.has_opt = m->has_opt,
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
		bell_ring(f->bell[i]);
		f->wakes++;
	}
}

bool fake_dataplane_answer(struct fake_dataplane *f, struct fake_answer *out, unsigned wait_ms)
{
	uint8_t buf[FAKE_ANSWER_MAX];
	uint64_t now = clock_mono_ms(), end = now + wait_ms;
	uint16_t type;

	// Once more when the time is over: this thread may have stood still.
	for (bool last = false; !last; now = clock_mono_ms()) {
		last = now >= end;
		for (unsigned i = 0; i < f->workers; i++) {
			int len = ring_read(&f->answers[i], buf, sizeof(buf), &type);
			ring_release(&f->answers[i]);
			if (len <= 0)
				continue;
			assert(type == MSG_ANSWER && (size_t)len >= sizeof(out->head));
			memcpy(&out->head, buf, sizeof(out->head));
			assert(sizeof(out->head) + out->head.dns_len == (size_t)len);
			memcpy(out->dns, buf + sizeof(out->head), out->head.dns_len);
			return true;
		}
		if (!last)
			usleep(500);
	}
	return false;
}
