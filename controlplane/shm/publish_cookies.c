// SPDX-License-Identifier: BSD-3-Clause

// The secrets of cookies: the configured ones, or random ones, which change within each day, at an
// unpredictable time (RFC 7873 7.1). All with the publisher's lock held, but for publisher_cookies.
#include "base/rng.h"
#include "publish_internal.h"

#include <string.h>

enum { OWN = 2 }; // today's, and yesterday's, by which cookies of the last hour are still right

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
	p->cookies_rotate_ms =
		now_ms + PUBLISH_COOKIES_DAY_MS - less_ms % PUBLISH_COOKIES_JITTER_MS;
}

void cookies_complete(struct publisher *p, struct dns_cookie_terms *terms, uint64_t now_ms)
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

bool cookies_are_due(const struct publisher *p, uint64_t now_ms)
{
	return p->cookies_are_own && now_ms >= p->cookies_rotate_ms;
}

void publisher_cookies(const struct publisher *p, struct dns_cookie_terms *out)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&p->lock;

	pthread_mutex_lock(lock);
	*out = p->cookies;
	pthread_mutex_unlock(lock);
}
