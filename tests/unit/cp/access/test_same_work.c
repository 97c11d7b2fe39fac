// SPDX-License-Identifier: BSD-3-Clause
// The time of a check says nothing about a secret: by count of digests, comparisons and derivations
// each text of a token or a cookie takes the same work, and each login, of a user or of nobody.

#include "controlplane/access/access.h"
#include "controlplane/tls/tls_crypto.h"
#include "tests/unit/unit.h"

enum { NOW = 1795000000 };

// Calls of the library, and the bytes that they read.
static struct work {
	unsigned digests, comparisons, derivations;
	size_t digested, compared;
} work;

bool __real_tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN]);
bool __wrap_tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN]);
bool __real_tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len);
bool __wrap_tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len);
bool __wrap_tls_scrypt(
	const char *password, const uint8_t salt[TLS_SALT_LEN], uint8_t out[TLS_SHA256_LEN]);

bool __wrap_tls_sha256(const void *bytes, size_t len, uint8_t out[TLS_SHA256_LEN])
{
	work.digests++;
	work.digested += len;
	return __real_tls_sha256(bytes, len, out);
}

bool __wrap_tls_secret_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	work.comparisons++;
	work.compared += len;
	return __real_tls_secret_same(a, b, len);
}

// In place of 150 ms of scrypt.
bool __wrap_tls_scrypt(
	const char *password, const uint8_t salt[TLS_SALT_LEN], uint8_t out[TLS_SHA256_LEN])
{
	char text[PASSWORD_MAX + TLS_SALT_LEN];
	const size_t len = strlen(password);
	work.derivations++;
	memcpy(text, salt, TLS_SALT_LEN);
	memcpy(text + TLS_SALT_LEN, password, len);
	return __real_tls_sha256(text, TLS_SALT_LEN + len, out);
}

static void work_is(const struct work *want)
{
	assert_int_equal(work.digests, want->digests);
	assert_int_equal(work.digested, want->digested);
	assert_int_equal(work.comparisons, want->comparisons);
	assert_int_equal(work.compared, want->compared);
	assert_int_equal(work.derivations, want->derivations);
}

static struct tokens tokens;
static char texts[TOKENS_MAX][TOKEN_TEXT_LEN + 1];

static void token_try(const char *text, enum token_verdict want)
{
	static const struct work each = {.digests = 1,
		.digested = TOKEN_TEXT_LEN,
		.comparisons = TOKENS_MAX,
		.compared = (size_t)TOKENS_MAX * TOKEN_DIGEST_LEN};
	struct token *found;
	work = (struct work){0};
	assert_int_equal(tokens_check(&tokens, text, NOW, &found), want);
	work_is(&each);
}

TEST(test_tokens)
{
	char text[TOKEN_TEXT_LEN + 1];
	for (unsigned i = 0; i < TOKENS_MAX; i++) {
		struct token wanted = {.role = CONTROL_READ, .expires_unix_s = i == 1 ? NOW : 0};
		snprintf(wanted.name, sizeof(wanted.name), "token%u", i);
		assert_int_equal(tokens_make(&tokens, &wanted, NOW - 1, texts[i]), 0);
	}
	assert_int_equal(tokens_revoke(&tokens, "token2"), 0);
	token_try(texts[0], TOKEN_GOOD); // as much for the first as for the last
	token_try(texts[TOKENS_MAX - 1], TOKEN_GOOD);
	token_try(texts[1], TOKEN_EXPIRED);
	token_try(texts[2], TOKEN_REVOKED);
	for (unsigned right = sizeof("weir_") - 1; right < TOKEN_TEXT_LEN; right++) {
		memcpy(text, texts[0], sizeof(text));
		text[right] = text[right] == '0' ? '1' : '0'; // so many bytes before it are right
		token_try(text, TOKEN_UNKNOWN);
	}
}

TEST(test_sessions)
{
	static struct sessions sessions;
	static const struct work each = {.digests = 1,
		.digested = SESSION_TEXT_LEN,
		.comparisons = SESSIONS_MAX,
		.compared = (size_t)SESSIONS_MAX * TLS_SHA256_LEN};
	char text[SESSION_TEXT_LEN + 1];
	assert_non_null(
		sessions_begin(&sessions, "eve", CONTROL_READ, (struct source_key){0}, 0, text));
	for (unsigned i = 0; i <= SESSION_TEXT_LEN; i++) { // the last is right
		char other[SESSION_TEXT_LEN + 1];
		memcpy(other, text, sizeof(other));
		if (i < SESSION_TEXT_LEN)
			other[i] = other[i] == '0' ? '1' : '0';
		work = (struct work){0};
		assert_int_equal(sessions_find(&sessions, other, (struct source_key){0}, 1) != NULL,
			i == SESSION_TEXT_LEN);
		work_is(&each);
	}
}

static struct access_password call;
static bool is_in;

static void on_done(struct access_job *)
{
	static const struct sockaddr_storage source = {.ss_family = AF_INET};
	char cookie[SESSION_TEXT_LEN + 1];
	is_in = access_password_end(&call, &source, "0.0.0.0", cookie) != NULL;
}

static void call_make(const char *user, const char *password)
{
	call = (struct access_password){.job.done = on_done};
	snprintf(call.user.name, sizeof(call.user.name), "%s", user);
	snprintf(call.password, sizeof(call.password), "%s", password);
}

static void settle(struct loop *service, const struct access *a)
{
	WAIT_FOR(!a->logins && !a->is_changing, loops_settle(&service, 1));
}

// Work until the verdict on the password; a good login then begins a session.
static void login(struct loop *service, struct access *a, const char *user, const char *password)
{
	call_make(user, password);
	work = (struct work){0};
	assert_int_equal(access_login(a, &call), 0);
	settle(service, a);
	assert_int_equal(work.derivations, 1);
	assert_int_equal(work.comparisons, 1);
	assert_int_equal(work.compared, TLS_SHA256_LEN);
}

TEST(test_logins)
{
	char folder[FOLDER_MAX];
	struct loop *service;
	struct events *events;
	struct access *a;
	assert_int_equal(folder_make(folder, "same_work"), 0);
	assert_int_equal(loop_new("service", &service), 0);
	assert_int_equal(events_open(&events, "box"), 0);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	call_make("eve", "a long password");
	call.user.role = CONTROL_READ;
	assert_int_equal(access_password_set(a, &call), 0);
	settle(service, a);
	login(service, a, "eve", "another password");
	assert_false(is_in);
	login(service, a, "nobody", "another password");
	assert_false(is_in);
	login(service, a, "nobody", "a long password");
	assert_false(is_in);
	login(service, a, "eve", "a long password");
	assert_true(is_in);
	access_close(a);
	loop_free(service);
	events_close(events);
	assert_int_equal(folder_remove(folder, ""), 0);
}
