// SPDX-License-Identifier: BSD-3-Clause

// Workers that write and read one table of the kernel's conversations at once. Each notes its own
// ones and some that all have, and looks for those that others have added: none may be missing
// while there is room, and none be found that nobody has. Then all of them put the same ones in at
// the same time, more than it holds. What they counted is what is in it.

#include "dataplane/state/kernel_flows.h"
#include "stress.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <pthread.h>

enum { WORKERS = 4, OWN = 1024, SHARED = 64, BATCH = 16, NOTES_MOST = 1000, NOBODY = WORKERS + 1 };

struct frame {
	uint8_t ether[14];
	uint8_t ip[20];
	uint8_t l4[sizeof(struct rte_tcp_hdr) + 2];
};

struct worker {
	struct kernel_flows flows;
	_Atomic unsigned added; // number of its own flows in the table
	unsigned index;
	uint64_t rounds, looks;
};

static struct kernel_flow_table table;
static struct worker workers[WORKERS];

// A frame of the kernel's in conversation `n` of `of`, or, `comes`, the answer to it.
static void make(struct frame *f, uint8_t protocol, unsigned of, uint32_t n, bool comes)
{
	*f = (struct frame){.ether = {[12] = 0x08}};
	f->ip[0] = 0x45;
	f->ip[3] = sizeof(f->ip) + sizeof(f->l4);
	f->ip[9] = protocol;
	uint8_t *far = f->ip + (comes ? 12 : 16), *far_port = f->l4 + (comes ? 0 : 2);
	far[0] = 10;
	far[1] = (uint8_t)of;
	far[2] = (uint8_t)(n >> 24);
	far[3] = (uint8_t)(n >> 16);
	far_port[0] = (uint8_t)(n >> 8);
	far_port[1] = (uint8_t)n;
	f->l4[12] = sizeof(struct rte_tcp_hdr) / 4 << 4;
}

static void note(struct worker *w, uint8_t protocol, unsigned of, uint32_t n)
{
	struct frame f;
	make(&f, protocol, of, n, false);
	const struct rte_mbuf m = {.buf_addr = &f, .data_len = sizeof(f)};
	kernel_flows_saw(&w->flows, &m, stress_now_ms());
}

static bool has(const struct worker *w, uint8_t protocol, unsigned of, uint32_t n)
{
	struct frame f;
	make(&f, protocol, of, n, true);
	const struct kernel_flow_at at = {
		.ip = f.ip, .ports = f.l4, .version = 4, .protocol = protocol};
	return kernel_flows_has(&w->flows, &at, stress_now_ms());
}

// By one frame, but where the place was taken in that moment, twice.
static void note_whole(struct worker *w, unsigned of, uint32_t n)
{
	unsigned notes = 0;
	do {
		CHECK(notes++ < NOTES_MOST);
		note(w, IPPROTO_TCP, of, n);
	} while (!has(w, IPPROTO_TCP, of, n));
}

static void look_at_others(struct worker *w, uint64_t *random)
{
	for (unsigned i = 0; i < BATCH; i++) {
		const struct worker *other = &workers[stress_random(random) % WORKERS];
		unsigned added = atomic_load_explicit(&other->added, memory_order_acquire);
		if (added == 0)
			continue;
		uint32_t n = (uint32_t)(stress_random(random) % added);
		CHECK(has(w, IPPROTO_TCP, other->index, n));
		CHECK(!has(w, IPPROTO_UDP, other->index, n));
		CHECK(!has(w, IPPROTO_TCP, NOBODY, n));
		w->looks++;
	}
}

static void *converse(void *arg)
{
	struct worker *w = arg;
	uint64_t random = 77 + w->index;
	for (uint64_t r = 0; r < w->rounds; r++) {
		unsigned n = (unsigned)(r % OWN);
		note_whole(w, w->index, n);
		if (r < OWN)
			atomic_store_explicit(&w->added, n + 1, memory_order_release);
		note(w, IPPROTO_TCP, WORKERS, (uint32_t)(stress_random(&random) % SHARED));
		look_at_others(w, &random);
	}
	return NULL;
}

static _Atomic uint64_t next;

// All put in the same one at the same time, and look for the one before it.
static void *pour(void *arg)
{
	struct worker *w = arg;
	for (uint64_t n; (n = atomic_load_explicit(&next, memory_order_relaxed)) < w->rounds;) {
		note(w, IPPROTO_UDP, NOBODY, (uint32_t)n);
		(void)has(w, IPPROTO_UDP, NOBODY, (uint32_t)n - 1);
		atomic_store_explicit(&next, n + 1, memory_order_relaxed);
	}
	return NULL;
}

static void all(void *(*body)(void *))
{
	pthread_t thread[WORKERS];
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(pthread_create(&thread[i], NULL, body, &workers[i]) == 0);
	for (unsigned i = 0; i < WORKERS; i++)
		CHECK(pthread_join(thread[i], NULL) == 0);
}

static uint64_t counted(void)
{
	uint64_t taken = 0, used = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		taken += workers[i].flows.taken;
	for (unsigned i = 0; i < KERNEL_FLOW_SETS * KERNEL_FLOW_WAYS; i++)
		used += table.set[i / KERNEL_FLOW_WAYS].way[i % KERNEL_FLOW_WAYS] != 0;
	CHECK(taken == used);
	return used;
}

int main(int argc, char **argv)
{
	uint64_t rounds = stress_rounds_of(argc, argv, WORKERS * (2 + BATCH)), looks = 0;
	for (unsigned i = 0; i < sizeof(table.secret); i++)
		table.secret.bytes[i] = (uint8_t)(i * i + 77 * i + 13);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].flows.table = &table;
		workers[i].index = i;
		workers[i].rounds = rounds;
	}
	uint64_t start = stress_now_ms();
	all(converse);
	uint64_t evicted = 0, used = counted();
	for (unsigned i = 0; i < WORKERS; i++) {
		evicted += workers[i].flows.evicted;
		looks += workers[i].looks;
	}
	// One that two workers put in at once is there twice.
	uint64_t own = WORKERS * (rounds < OWN ? rounds : OWN);
	CHECK(evicted == 0 && used >= own && used <= own + WORKERS * SHARED);
	all(pour);
	printf("%llu looks in %llu ms, %llu places, %llu when more was poured in\n",
		(unsigned long long)looks, (unsigned long long)(stress_now_ms() - start),
		(unsigned long long)used, (unsigned long long)counted());
	return 0;
}
