// SPDX-License-Identifier: BSD-3-Clause
#include "tls_tickets.h"

#include "base/rng.h"
#include "tls_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

enum { KEYS_OF_A_SECRET = 3, KEYS_MAX = TLS_SECRETS_MAX * KEYS_OF_A_SECRET };

struct tls_tickets {
	_Atomic unsigned users;
	unsigned secrets; // 0: keys are random
	uint8_t secret[TLS_SECRETS_MAX][TLS_SECRET_LEN];
	pthread_mutex_t lock; // protects the keys
	int64_t period;       // that they are of
	unsigned count;
	struct tls_ticket_key key[KEYS_MAX]; // the first makes tickets
};

static int64_t period_now(void)
{
	return (int64_t)time(NULL) / TLS_TICKET_PERIOD_S;
}

static void key_of_secret(
	const uint8_t secret[TLS_SECRET_LEN], int64_t period, struct tls_ticket_key *out)
{
	uint8_t label[16] = "weir ticket", made[TLS_DIGEST_LEN];

	for (unsigned part = 0; part < 2; part++) {
		label[11] = (uint8_t)('0' + part);
		for (unsigned i = 0; i < 4; i++)
			label[12 + i] = (uint8_t)((uint64_t)period >> (8 * (3 - i)));
		tls_digest(secret, label, made);
		if (part == 0)
			memcpy(out->name, made, sizeof(out->name));
	}
	memcpy(out->cipher, made, sizeof(out->cipher));
	memcpy(out->mac, made + sizeof(out->cipher), sizeof(out->mac));
	explicit_bzero(made, sizeof(made));
}

static void keys_of_secrets(struct tls_tickets *t, int64_t period)
{
	static const int8_t of[KEYS_OF_A_SECRET] = {0, -1, 1};

	t->count = 0;
	for (unsigned i = 0; i < t->secrets; i++)
		for (unsigned k = 0; k < KEYS_OF_A_SECRET; k++)
			key_of_secret(t->secret[i], period + of[k], &t->key[t->count++]);
}

static void keys_random(struct tls_tickets *t, int64_t period)
{
	struct rng rng = {.left = 0};
	bool keeps = t->count > 0 && period == t->period + 1;

	if (keeps)
		t->key[1] = t->key[0];
	else
		explicit_bzero(&t->key[1], sizeof(t->key[1]));
	rng_bytes(&rng, &t->key[0], sizeof(t->key[0]));
	explicit_bzero(&rng, sizeof(rng));
	t->count = keeps ? 2 : 1;
}

// The lock is held.
static void keys_renew(struct tls_tickets *t)
{
	const int64_t period = period_now();

	if (t->count > 0 && period == t->period)
		return;
	if (t->secrets > 0)
		keys_of_secrets(t, period);
	else
		keys_random(t, period);
	t->period = period;
}

int tls_tickets_new(struct tls_tickets **out, const uint8_t (*secret)[TLS_SECRET_LEN],
	unsigned count, struct tls_tickets *before)
{
	if (count == 0 && before && before->secrets == 0) {
		atomic_fetch_add_explicit(&before->users, 1, memory_order_relaxed);
		*out = before;
		return 0;
	}
	struct tls_tickets *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->users = 1;
	t->secrets = count < TLS_SECRETS_MAX ? count : TLS_SECRETS_MAX;
	if (t->secrets > 0)
		memcpy(t->secret, secret, t->secrets * sizeof(t->secret[0]));
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return 0;
}

void tls_tickets_free(struct tls_tickets *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->users, 1, memory_order_acq_rel) > 1)
		return;
	pthread_mutex_destroy(&t->lock);
	explicit_bzero(t, sizeof(*t));
	heap_free(t);
}

void tls_tickets_now(struct tls_tickets *t, struct tls_ticket_key *out)
{
	pthread_mutex_lock(&t->lock);
	keys_renew(t);
	*out = t->key[0];
	pthread_mutex_unlock(&t->lock);
}

enum tls_ticket tls_tickets_find(
	struct tls_tickets *t, const uint8_t name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *out)
{
	enum tls_ticket found = TLS_TICKET_UNKNOWN;

	pthread_mutex_lock(&t->lock);
	keys_renew(t);
	for (unsigned i = 0; i < t->count && found == TLS_TICKET_UNKNOWN; i++) {
		if (memcmp(t->key[i].name, name, TLS_TICKET_NAME_LEN) != 0)
			continue;
		*out = t->key[i];
		found = i == 0 ? TLS_TICKET_GOOD : TLS_TICKET_OLD;
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}
