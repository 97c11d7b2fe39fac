// SPDX-License-Identifier: BSD-3-Clause
#include "sync_sign.h"

#include "access/access_text.h"
#include "tls/tls_crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static_assert((int)TLS_ED25519_KEY_LEN == (int)CONFIG_SYNC_KEY_LEN);
static_assert(SYNC_AUTHOR_MAX <= 255 && SYNC_NAME_MAX <= 255, "their lengths are bytes");
static_assert((int)SYNC_SIGNATURE_LEN == 2 * (int)TLS_ED25519_SIGNATURE_LEN);

// The bytes that are signed: fields of a fixed length, and each text behind its length, so that no
// two offers have the same ones.
struct signed_form {
	uint8_t bytes[16 + 4 + 8 + 4 + SYNC_DIGEST_LEN + 1 + SYNC_NAME_MAX + 1 + SYNC_AUTHOR_MAX];
	size_t len;
};

static void put(struct signed_form *f, const void *bytes, size_t len)
{
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

static void put_number(struct signed_form *f, uint64_t n, unsigned len)
{
	while (len > 0)
		f->bytes[f->len++] = (uint8_t)(n >> 8 * --len);
}

static void put_text(struct signed_form *f, const char *text)
{
	const size_t len = strlen(text);
	put_number(f, len, 1);
	put(f, text, len);
}

static void form_make(const struct sync_offer *o, struct signed_form *f)
{
	static const char head[16] = "weir sync signed";
	f->len = 0;
	put(f, head, sizeof(head));
	put_number(f, SYNC_PROTOCOL, 4);
	put_number(f, o->epoch, 8);
	put_number(f, o->version, 4);
	put(f, o->digest, SYNC_DIGEST_LEN);
	put_text(f, o->box);
	put_text(f, o->author);
}

bool sync_sign(struct sync_offer *o, const uint8_t key[CONFIG_SYNC_KEY_LEN])
{
	struct signed_form f;
	uint8_t signature[TLS_ED25519_SIGNATURE_LEN];
	form_make(o, &f);
	if (!tls_ed25519_sign(key, f.bytes, f.len, signature))
		return false;
	access_hex_write(signature, sizeof(signature), o->signature);
	return true;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool sync_signature_check(const struct sync_offer *o, const uint8_t trusted[][CONFIG_SYNC_KEY_LEN],
	unsigned count, char why[SYNC_WHY_MAX])
{
	struct signed_form f;
	uint8_t signature[TLS_ED25519_SIGNATURE_LEN];
	if (!*o->signature) {
		snprintf(why, SYNC_WHY_MAX,
			"version %u of %s is not signed: set sync.sign_key_file on %s, or take "
			"sync.trusted_keys off this box",
			o->version, o->box, o->box);
		return false;
	}
	form_make(o, &f);
	for (unsigned i = 0; i < sizeof(signature); i++)
		signature[i] =
			(uint8_t)(digit(o->signature[2 * i]) << 4 | digit(o->signature[2 * i + 1]));
	for (unsigned i = 0; i < count; i++)
		if (tls_ed25519_verify(trusted[i], signature, f.bytes, f.len))
			return true;
	snprintf(why, SYNC_WHY_MAX,
		"the signature of version %u of %s is of no key in sync.trusted_keys: add the line "
		"that openssl pkey -pubout prints of the key of %s, if you trust it",
		o->version, o->box, o->box);
	return false;
}
