// SPDX-License-Identifier: BSD-3-Clause

// Settings for the workers, and the secrets of cookies with them: the configured ones, or random
// ones, which change within each day, at an unpredictable time (RFC 7873 7.1).
#include "base/rng.h"
#include "publish_internal.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/fault.h>

enum {
	OWN = 2, // today's, and yesterday's, by which cookies of the last hour are still right
	DAY_MS = 24 * 3600 * 1000, // less up to 40% of it, at random
	JITTER_MS = DAY_MS / 10 * 4,
};

static void own_rotate(struct publisher *p, uint64_t now_ms)
{
	struct dns_cookie_terms *own = &p->own_cookies;
	struct rng rng = {0};
	uint32_t less_ms;

	memcpy(own->secret[1], own->secret[0], DNS_COOKIE_SECRET_LEN);
	rng_bytes(&rng, own->secret[0], DNS_COOKIE_SECRET_LEN);
	rng_bytes(&rng, &less_ms, sizeof(less_ms));
	explicit_bzero(&rng, sizeof(rng));
	own->count += own->count < OWN;
	p->cookies_rotate_ms = now_ms + DAY_MS - less_ms % JITTER_MS;
}

// With the lock held: the secrets that none is configured for, new ones when they are due.
static void cookies_complete(struct publisher *p, struct dns_cookie_terms *terms, uint64_t now_ms)
{
	p->cookies_are_own = terms->is_on && terms->count == 0;
	if (p->cookies_are_own) {
		if (now_ms >= p->cookies_rotate_ms)
			own_rotate(p, now_ms);
		memcpy(terms->secret, p->own_cookies.secret, sizeof(terms->secret));
		terms->count = p->own_cookies.count;
	}
	p->cookies = *terms;
}

// With the lock held.
static void config_switch(struct publisher *p, const struct dp_config *c)
{
	uint64_t generation = atomic_load(&p->dir->config_generation) + 1;
	struct dp_config *slot = &p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];
	*slot = *c;
	slot->watch = p->watch;
	FAULT_POINT(config_slot_written);
	atomic_store_explicit(&p->dir->config_generation, generation, memory_order_release);
	FAULT_POINT(config_switched);
}

void publish_config_beat(struct publisher *p, uint64_t now_ms)
{
	uint64_t generation = atomic_load(&p->dir->config_generation);
	struct dp_config c = p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];

	if (!p->cookies_are_own || now_ms < p->cookies_rotate_ms)
		return;
	c.cookies.count = 0;
	cookies_complete(p, &c.cookies, now_ms);
	config_switch(p, &c);
}

void publish_config(struct publisher *p, const struct config *config, const uint64_t group_lists[4],
	bool blocking_on, uint64_t pause_until_ms, uint64_t block_all_pause_until_ms)
{
	struct dp_config c;
	config_for_workers(config, &c);
	c.blocking_on = !blocking_on              ? BLOCKING_OFF
			: config->blocking.closed ? BLOCKING_CLOSED
						  : BLOCKING_ON;
	c.pause_until_ms = pause_until_ms;
	c.block_all_pause_until_ms = block_all_pause_until_ms;
	memcpy(c.group_lists, group_lists, sizeof(c.group_lists));
	atomic_store(&p->blocking_on, blocking_on);
	atomic_store(&p->closed, c.blocking_on == BLOCKING_CLOSED);
	atomic_store(&p->pause_until_ms, pause_until_ms);
	atomic_store(&p->block_all_pause_until_ms, block_all_pause_until_ms);
	pthread_mutex_lock(&p->lock);
	cookies_complete(p, &c.cookies, clock_mono_ms());
	config_switch(p, &c);
	pthread_mutex_unlock(&p->lock);
}

bool publisher_is_watched(const struct publisher *p)
{
	const uint64_t until_ms = atomic_load_explicit(&p->watch_until_ms, memory_order_relaxed);
	return unlikely_(until_ms) && clock_mono_ms() < until_ms;
}

void publish_watch(struct publisher *p, const struct dp_watch *w)
{
	pthread_mutex_lock(&p->lock);
	p->watch = *w;
	atomic_store(&p->watch_until_ms, w->until_ms);
	uint64_t generation = atomic_load(&p->dir->config_generation);
	if (generation) {
		const struct dp_config c = p->dir->config[generation % DIRECTORY_CONFIG_SLOTS];
		config_switch(p, &c);
	}
	pthread_mutex_unlock(&p->lock);
}

bool publisher_blocks(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->blocking_on) && now_ms >= atomic_load(&p->pause_until_ms);
}

bool publisher_closes(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->closed) && publisher_blocks(p, now_ms);
}

bool publisher_blocks_all(const struct publisher *p, uint64_t now_ms)
{
	return atomic_load(&p->blocking_on) && now_ms >= atomic_load(&p->block_all_pause_until_ms);
}

void publisher_cookies(const struct publisher *p, struct dns_cookie_terms *out)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&p->lock;

	pthread_mutex_lock(lock);
	*out = p->cookies;
	pthread_mutex_unlock(lock);
}
