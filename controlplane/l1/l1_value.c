// SPDX-License-Identifier: BSD-3-Clause
#include "l1_value.h"

#include <weir/attr.h>
#include <weir/dns_proto.h>

// Places in the reply, as in l1_field_names.
enum {
	FIELD_V,
	FIELD_MSG,
	FIELD_CREATED,
	FIELD_SOFT,
	FIELD_STORED,
	FIELD_AUTH,
	FIELD_HITS,
};
static_assert(FIELD_HITS + 1 == L1_FIELDS);
const char *const l1_field_names[L1_FIELDS] = {
	"v", "msg", "created_at", "soft_expiry", "stored_ttl", "auth_ttl", "hits"};

// A number of at most ten digits; a field that is not there is `absent`.
static bool field_number(
	const struct redis_reply *reply, unsigned field, uint64_t absent, uint64_t *out)
{
	const struct redis_reply *r = redis_reply_at(reply, field);
	size_t len;
	if (!r || redis_reply_kind(r) == REDIS_NIL) {
		*out = absent;
		return absent != UINT64_MAX;
	}
	const char *text = redis_reply_text(r, &len);
	if (redis_reply_kind(r) != REDIS_TEXT || len == 0 || len > 10)
		return false;
	for (*out = 0; len; len--, text++) {
		if (*text < '0' || *text > '9')
			return false;
		*out = *out * 10 + (uint64_t)(*text - '0');
	}
	return true;
}

static bool nothing_there(const struct redis_reply *reply)
{
	for (unsigned i = 0; i < L1_FIELDS; i++)
		if (redis_reply_kind(redis_reply_at(reply, i)) != REDIS_NIL)
			return false;
	return true;
}

enum l1_found l1_value_read(const struct redis_reply *reply, const struct ttl_rules *rules,
	uint64_t now_s, struct l1_value *v)
{
	uint64_t version, created, soft, stored, auth, hits;
	size_t len;

	if (redis_reply_kind(reply) != REDIS_ARRAY || redis_reply_count(reply) != L1_FIELDS)
		return L1_BAD;
	if (nothing_there(reply))
		return L1_MISS;
	const struct redis_reply *msg = redis_reply_at(reply, FIELD_MSG);
	const char *text = redis_reply_text(msg, &len);
	if (redis_reply_kind(msg) != REDIS_TEXT || len < DNS_HEADER_LEN || len > L1_MESSAGE_MAX
		|| !field_number(reply, FIELD_V, UINT64_MAX, &version) || version != 1
		|| !field_number(reply, FIELD_CREATED, UINT64_MAX, &created)
		|| !field_number(reply, FIELD_SOFT, UINT64_MAX, &soft)
		|| !field_number(reply, FIELD_STORED, UINT64_MAX, &stored)
		|| !field_number(reply, FIELD_AUTH, stored, &auth) || auth > UINT32_MAX
		|| !field_number(reply, FIELD_HITS, 0, &hits) || hits > UINT32_MAX)
		return L1_BAD;
	// Answers of other boxes must keep the limits of this box's own answers.
	if (stored == 0 || stored > TTL_MAX_S || soft != created + stored)
		return L1_BAD;
	if (created > now_s + L1_SKEW_MAX_S)
		return L1_MISS; // this box's clock may be wrong: keep the value for other boxes
	uint64_t age = now_s > created ? now_s - created : 0;
	if (age >= stored + ttl_stale_s(rules, (uint32_t)stored))
		return L1_MISS;
	v->msg = (const uint8_t *)text;
	v->len = (uint16_t)len;
	v->age_s = (uint32_t)age;
	v->stored_ttl_s = (uint32_t)stored;
	v->auth_ttl_s = (uint32_t)auth;
	v->hits = (uint32_t)hits;
	v->soft_left_s = (int32_t)((int64_t)stored - (int64_t)age);
	return L1_HIT;
}
