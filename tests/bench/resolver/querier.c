// SPDX-License-Identifier: BSD-3-Clause
#include "querier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/gong.h>
#include <weir/shm_epoch.h>

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

bool querier_open(struct querier *a, const struct shm_paths *paths, char why[SHM_WHY_MAX])
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

void querier_close(struct querier *a)
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

bool querier_turn(struct querier *a, uint32_t mask)
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

uint64_t querier_in_flight(const struct querier *a)
{
	uint64_t all = 0;
	for (unsigned i = 0; i < a->resolvers; i++)
		all += a->of[i].asked - a->of[i].answered;
	return all;
}
