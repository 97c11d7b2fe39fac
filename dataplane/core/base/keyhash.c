// SPDX-License-Identifier: BSD-3-Clause

// The only includer of xxhash: compiled in (XXH_INLINE_ALL), so that the two programs link no
// library for it and short inputs cost no indirect call.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <weir/keyhash.h>

int keyhash_secret_make(struct keyhash_secret *out)
{
	struct keyhash_secret s;
	size_t have = 0;
	while (have < sizeof(s.bytes)) {
		// Up to 256 bytes come whole once the pool is ready; only a signal during its
		// first seconds can cut the call short.
		ssize_t n = getrandom(s.bytes + have, sizeof(s.bytes) - have, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			have += (size_t)n;
	}
	*out = s;
	return 0;
}

static struct keyhash_secret here;

static void here_make(void)
{
	// Where the kernel gives none the hash is one without a secret.
	(void)!keyhash_secret_make(&here);
}

uint64_t keyhash_here(const void *data, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, here_make);
	return keyhash(&here, data, len);
}

uint64_t contenthash(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

// struct contenthash_state is XXH3's own state under a name that keeps its header out of weir's.
static_assert(sizeof(struct contenthash_state) == sizeof(XXH3_state_t));
static_assert(alignof(struct contenthash_state) >= alignof(XXH3_state_t));

static XXH3_state_t *state_of(struct contenthash_state *s)
{
	return (XXH3_state_t *)(void *)s;
}

void contenthash_begin(struct contenthash_state *s)
{
	XXH3_INITSTATE(state_of(s));
	(void)XXH3_64bits_reset(state_of(s));
}

void contenthash_update(struct contenthash_state *s, const void *data, size_t len)
{
	if (len)
		(void)XXH3_64bits_update(state_of(s), data, len);
}

uint64_t contenthash_finish(const struct contenthash_state *s)
{
	return XXH3_64bits_digest((const XXH3_state_t *)(const void *)s);
}
