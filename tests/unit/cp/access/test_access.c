// SPDX-License-Identifier: BSD-3-Clause
// Who gets in: tokens and certificates, what counts as a failure, and the file of tokens.

#include "controlplane/access/access.h"
#include "controlplane/base/clock_grace.h"
#include "tests/unit/unit.h"

static char folder[FOLDER_MAX], tokens_path[FOLDER_MAX + 16];
static struct loop *service;
static struct access *a;
static struct access_change change;
static struct events *events;
static const struct config_control config = {.client_count = 2,
	.client = {{"ops.example", CONTROL_OPERATE}, {"eye.example", CONTROL_READ}}};

static int setup(void **)
{
	if (folder_make(folder, "access") || loop_new("service", &service) < 0
		|| events_open(&events, "box") < 0)
		return -1;
	snprintf(tokens_path, sizeof(tokens_path), "%s/tokens", folder);
	return access_open(&a, service, folder, "box", events);
}

static int teardown(void **)
{
	access_close(a);
	a = NULL;
	loop_free(service);
	events_close(events);
	return folder_remove(folder, "");
}

static void on_done(struct access_job *j)
{
	access_change_end((struct access_change *)j);
}

static void settle(void)
{
	WAIT_FOR(!a->is_changing, loops_settle(&service, 1));
}

static int make(const char *name, enum control_role role)
{
	struct token wanted = {.role = role};
	snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	change = (struct access_change){.job.done = on_done};
	return access_token_make(a, &change, &wanted);
}

static enum access_refusal try_from(
	const char *from, const char *authorization, const char *client, struct access_user *out)
{
	struct sockaddr_storage source = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&source;
	in->sin_family = AF_INET;
	assert_int_equal(inet_pton(AF_INET, from, &in->sin_addr), 1);
	const struct access_try try = {.authorization = authorization,
		.client_name = client,
		.source = &source,
		.from = from,
		.config = &config};
	return access_check(a, &try, out);
}

TEST_WITH(test_token, setup, teardown)
{
	char header[TOKEN_TEXT_LEN + 16];
	struct access_user user;
	struct stat st;
	assert_int_equal(make("ops", CONTROL_OPERATE), 0);
	snprintf(header, sizeof(header), "Bearer %s", change.text);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_unknown); // not on disk
	struct access_change second = {.job.done = on_done};
	assert_int_equal(access_token_revoke(a, &second, "ops"), -EBUSY);
	settle();
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	assert_string_equal(user.who, "token ops");
	assert_int_equal(user.role, CONTROL_OPERATE);
	header[0] = 'b';
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	assert_int_equal(
		try_from("192.0.2.1", strchr(header, ' ') + 1, NULL, &user), ACCESS_not_bearer);
	assert_int_equal(stat(tokens_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	change = (struct access_change){.job.done = on_done};
	assert_int_equal(access_token_revoke(a, &change, "ops"), 0);
	settle();
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_revoked);
	assert_int_equal(user.role, CONTROL_NONE);
	access_close(a);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_revoked);
}

// A disk that takes nothing keeps no right: only a restart forgets, and a second try is no other
// one.
TEST_WITH(test_revoked_without_a_disk, setup, teardown)
{
	char header[TOKEN_TEXT_LEN + 16];
	struct access_user user;
	assert_int_equal(make("ops", CONTROL_OPERATE), 0);
	snprintf(header, sizeof(header), "Bearer %s", change.text);
	settle();
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	assert_int_equal(unlink(tokens_path), 0);
	assert_int_equal(mkdir(tokens_path, 0700), 0); // no file can be there
	change = (struct access_change){.job.done = on_done};
	assert_int_equal(access_token_revoke(a, &change, "ops"), 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_revoked);
	settle();
	assert_true(change.job.err < 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_revoked);
	assert_int_equal(rmdir(tokens_path), 0);
	change = (struct access_change){.job.done = on_done};
	assert_int_equal(access_token_revoke(a, &change, "other"), -ENOENT);
	assert_int_equal(access_token_revoke(a, &change, "ops"), 0);
	settle();
	assert_int_equal(change.job.err, 0);
	assert_int_equal(access_token_revoke(a, &change, "ops"), -ENOENT);
	access_close(a);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_revoked);
}

// A box without a battery clock boots in the past. A token that has expired for certain stays
// expired during the grace. Evidence that is wrong, of a clock that was ahead, keeps nothing from
// then on.
TEST_WITH(test_expired_for_certain, setup, teardown)
{
	const int64_t now_s = time(NULL);
	struct token wanted = {
		.name = "ops", .role = CONTROL_OPERATE, .expires_unix_s = now_s + 500};
	struct access_user user;
	change = (struct access_change){.job.done = on_done};
	assert_int_equal(access_token_make(a, &change, &wanted), 0);
	const char *header = text_from("Bearer %s", change.text);
	settle();
	const uint64_t end_ms = clock_mono_ms() + 60000;
	clock_grace_begin(end_ms, now_s + 400);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	clock_grace_begin(end_ms, now_s + 1000);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_expired);
	clock_grace_begin(0, now_s + 1000);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	clock_grace_begin(0, 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
}

TEST_WITH(test_certificate, setup, teardown)
{
	struct access_user user;
	assert_int_equal(try_from("192.0.2.1", NULL, "OPS.example", &user), ACCESS_GRANTED);
	assert_int_equal(user.role, CONTROL_OPERATE);
	assert_int_equal(try_from("192.0.2.1", NULL, "other.example", &user), ACCESS_no_role);
	assert_int_equal(user.role, CONTROL_NONE);
	assert_int_equal(try_from("192.0.2.1", NULL, NULL, &user), ACCESS_no_token);
	// A bad token does not fall back on the certificate.
	assert_int_equal(
		try_from("192.0.2.1", "Bearer weir_0", "ops.example", &user), ACCESS_unknown);
}

TEST_WITH(test_lockout, setup, teardown)
{
	struct access_user user;
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++)
		assert_int_equal(try_from("192.0.2.1", NULL, NULL, &user), ACCESS_no_token);
	assert_int_equal(try_from("192.0.2.1", NULL, "ops.example", &user), ACCESS_locked);
	assert_int_equal(user.role, CONTROL_NONE);
	assert_int_equal(try_from("192.0.2.2", NULL, "ops.example", &user), ACCESS_GRANTED);
	assert_int_equal(a->refused[ACCESS_locked], 1);
	struct events_counts c;
	events_counts(events, &c);
	assert_int_equal(c.of_kind[EVENT_control_locked], 1);
}

// Places from which admins got in, by whatever: no operator may have their frames dropped.
TEST_WITH(test_places_of_admins_are_known, setup, teardown)
{
	char header[TOKEN_TEXT_LEN + 16];
	struct access_user user;
	assert_int_equal(make("root", CONTROL_ADMIN), 0);
	snprintf(header, sizeof(header), "Bearer %s", change.text);
	settle();
	assert_int_equal(try_from("192.0.2.1", "Bearer weir_0", NULL, &user), ACCESS_unknown);
	assert_int_equal(try_from("192.0.2.2", NULL, "ops.example", &user), ACCESS_GRANTED);
	assert_int_equal(a->admin_places.count, 0);
	assert_int_equal(try_from("192.0.2.3", header, NULL, &user), ACCESS_GRANTED);
	assert_int_equal(a->admin_places.count, 1);
	assert_memory_equal(a->admin_places.at[0].of.bytes, "\xc0\x00\x02\x03", 4);
}

// A page of another site cannot lock its reader's address out, nor use the reader's certificate.
TEST_WITH(test_foreign, setup, teardown)
{
	struct access_user user;
	const struct sockaddr_storage source = {.ss_family = AF_INET};
	struct access_try try = {.source = &source,
		.from = "0.0.0.0",
		.fetch_site = "cross-site",
		.host = "box:9953",
		.config = &config};
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++) {
		try.origin = i % 2 ? "https://evil.example" : NULL;
		try.fetch_site = i % 2 ? NULL : "cross-site";
		try.client_name = i % 3 ? NULL : "ops.example";
		assert_int_equal(access_check(a, &try, &user), ACCESS_csrf);
		assert_int_equal(access_has_entry(a, ACCESS_csrf, &source), i + 1 < LOCKOUT_TRIES);
		assert_int_equal(user.role, CONTROL_NONE);
	}
	// They have no entries from there on, in their own words still; all others go on.
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++) {
		assert_int_equal(access_check(a, &try, &user), ACCESS_csrf);
		assert_int_equal(access_gate(a, &try), ACCESS_csrf);
		assert_false(access_has_entry(a, ACCESS_csrf, &source));
	}
	assert_true(access_has_entry(a, ACCESS_no_token, &source));
	assert_false(access_has_entry(a, ACCESS_locked, &source));
	assert_false(access_shuts_out(a, &source));
	assert_int_equal(a->page_lockout.locked, 1);
	assert_int_equal(a->lockout.failures, 0);
	try.client_name = "ops.example";
	try.origin = "https://box:9953";
	try.fetch_site = "none";
	assert_int_equal(access_check(a, &try, &user), ACCESS_GRANTED);
	// Nor does a page that was left open, which asks again and again.
	try.client_name = NULL;
	try.cookie = "__Host-weir=0000000000000000000000000000000000000000000000000000000000000000";
	for (unsigned i = 0; i < 2 * LOCKOUT_TRIES; i++)
		assert_int_equal(access_check(a, &try, &user), ACCESS_session);
	assert_false(access_has_entry(a, ACCESS_session, &source));
	assert_false(access_shuts_out(a, &source));
}

// A good token or certificate from the same address gives no more tries.
TEST_WITH(test_success_forgets_nothing, setup, teardown)
{
	struct access_user user;
	for (unsigned i = 0; i + 1 < LOCKOUT_TRIES; i++)
		assert_int_equal(try_from("192.0.2.1", NULL, NULL, &user), ACCESS_no_token);
	assert_int_equal(try_from("192.0.2.1", NULL, "ops.example", &user), ACCESS_GRANTED);
	assert_int_equal(try_from("192.0.2.1", NULL, NULL, &user), ACCESS_no_token);
	assert_int_equal(try_from("192.0.2.1", NULL, "ops.example", &user), ACCESS_locked);
}

static struct access_password call;
static struct session *session;
static const struct sockaddr_storage here = {.ss_family = AF_INET};
static const struct sockaddr_storage *source = &here;

static char cookie[SESSION_TEXT_LEN + 1];

static void on_password(struct access_job *)
{
	session = access_password_end(&call, source, "0.0.0.0", cookie);
}

static void password_begin(const char *user, const char *password)
{
	call = (struct access_password){.job.done = on_password, .user.role = CONTROL_READ};
	snprintf(call.user.name, sizeof(call.user.name), "%s", user);
	snprintf(call.password, sizeof(call.password), "%s", password);
}

static void set(const char *user)
{
	password_begin(user, "a long password");
	assert_int_equal(access_password_set(a, &call), 0);
	settle();
}

static bool logs_in(const char *user, const char *password)
{
	password_begin(user, password);
	assert_int_equal(access_login(a, &call), 0);
	WAIT_FOR(!a->logins, loops_settle(&service, 1));
	assert_int_equal(a->logins, 0);
	return session != NULL;
}

static int remove_user(const char *user)
{
	password_begin(user, "");
	const int rc = access_password_remove(a, &call);
	settle();
	return rc;
}

TEST_WITH(test_removed_without_a_disk, setup, teardown)
{
	set("eve");
	assert_true(logs_in("eve", "a long password"));
	assert_int_equal(unlink(a->passwords_path), 0);
	assert_int_equal(mkdir(a->passwords_path, 0700), 0);
	assert_int_equal(remove_user("eve"), 0);
	assert_true(call.job.err < 0);
	assert_int_equal(sessions_used(&a->sessions), 0);
	assert_false(logs_in("eve", "a long password"));
	assert_int_equal(remove_user("bob"), -ENOENT);
	assert_int_equal(rmdir(a->passwords_path), 0);
	assert_int_equal(remove_user("eve"), 0);
	assert_int_equal(call.job.err, 0);
	assert_int_equal(remove_user("eve"), -ENOENT);
}

// A write that failed may have left the user in the file.
TEST_WITH(test_removed_after_a_set_that_failed, setup, teardown)
{
	assert_int_equal(mkdir(a->passwords_path, 0700), 0);
	set("bob");
	assert_true(call.job.err < 0);
	assert_false(logs_in("bob", "a long password"));
	assert_int_equal(rmdir(a->passwords_path), 0);
	assert_int_equal(remove_user("bob"), 0);
	assert_int_equal(call.job.err, 0);
	assert_int_equal(remove_user("bob"), -ENOENT);
}

// A user who logs in between two tries gets no more tries at the password of another user.
TEST_WITH(test_user_lockout, setup, teardown)
{
	set("eve");
	set("bob");
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++) {
		assert_false(access_shuts_out_user(a, "eve", source));
		assert_false(logs_in("eve", "another password"));
		if (i % 4 == 3)
			assert_true(logs_in("bob", "a long password"));
	}
	assert_true(access_shuts_out_user(a, "eve", source));
	assert_false(access_shuts_out_user(a, "bob", source));
	assert_false(access_shuts_out(a, source));
}

// Strangers' tries keep nobody out where she has logged in.
TEST_WITH(test_user_lockout_where_she_is_known, setup, teardown)
{
	struct sockaddr_storage at_home = {.ss_family = AF_INET};
	((struct sockaddr_in *)(void *)&at_home)->sin_addr.s_addr = htonl(0xc6120001);
	set("eve");
	set("bob");
	source = &at_home;
	assert_true(logs_in("eve", "a long password"));
	source = &here;
	assert_true(logs_in("bob", "a long password"));
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++)
		assert_false(logs_in("eve", "another password"));
	assert_true(access_shuts_out_user(a, "eve", &here));
	assert_false(access_shuts_out_user(a, "eve", &at_home));
	assert_false(access_shuts_out_user(a, "bob", &here));
	// Nobody else there may try as often as he likes, whatever logs in between.
	source = &at_home;
	for (unsigned i = 0; i < LOCKOUT_TRIES; i++) {
		assert_false(access_shuts_out_user(a, "eve", &at_home));
		assert_false(logs_in("eve", "another password"));
		if (i % 4 == 3)
			assert_true(logs_in("bob", "a long password"));
	}
	assert_true(access_shuts_out_user(a, "eve", &at_home));
	assert_false(access_shuts_out_user(a, "bob", &at_home));
	source = &here;
}

// Who else sees the cookie, on another port of the host, cannot use it.
TEST_WITH(test_a_session_is_of_its_address, setup, teardown)
{
	struct sockaddr_storage other = {.ss_family = AF_INET};
	struct access_user user;
	((struct sockaddr_in *)(void *)&other)->sin_addr.s_addr = htonl(0xc6120001);
	set("eve");
	assert_true(logs_in("eve", "a long password"));
	struct access_try try = {.cookie = text_from("__Host-weir=%s", cookie),
		.source = &other,
		.from = "198.18.0.1",
		.config = &config};
	assert_int_equal(access_check(a, &try, &user), ACCESS_session);
	assert_string_equal(user.who, "");
	try.source = &here;
	assert_int_equal(access_check(a, &try, &user), ACCESS_GRANTED);
}

// A browser keeps the cookie of a session that has ended, and sends it with its certificate.
TEST_WITH(test_certificate_beside_a_cookie, setup, teardown)
{
	struct access_user user;
	set("eve");
	assert_true(logs_in("eve", "a long password"));
	struct access_try try = {.cookie = text_from("__Host-weir=%s", cookie),
		.client_name = "ops.example",
		.is_change = true,
		.source = &here,
		.from = "0.0.0.0",
		.config = &config};
	assert_int_equal(access_check(a, &try, &user), ACCESS_csrf);
	session_end(session);
	assert_int_equal(access_check(a, &try, &user), ACCESS_GRANTED);
	assert_string_equal(user.who, "certificate ops.example");
	// A page that still shows the user of that session makes no change as another one.
	try.csrf = "of that session";
	assert_int_equal(access_check(a, &try, &user), ACCESS_csrf);
	assert_int_equal(user.role, CONTROL_NONE);
	try.csrf = "";
	assert_int_equal(access_check(a, &try, &user), ACCESS_GRANTED);
	assert_null(user.session);
	// Without a role it is as before: no failed try of the address.
	try.client_name = "other.example";
	assert_int_equal(access_check(a, &try, &user), ACCESS_session);
	assert_int_equal(user.role, CONTROL_NONE);
}

TEST_WITH(test_damaged, setup, teardown)
{
	struct access_user user;
	assert_int_equal(make("ops", CONTROL_ADMIN), 0);
	const char *header = text_from("Bearer %s", change.text);
	settle();
	FILE *f = fopen(tokens_path, "a");
	assert_non_null(f);
	fputs("ops admin\n", f);
	assert_int_equal(fclose(f), 0);
	access_close(a);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_unknown);
	assert_int_equal(make("new", CONTROL_ADMIN), -EUCLEAN);
	assert_false(a->passwords_damaged);
	set("eve");
	assert_true(logs_in("eve", "a long password"));
}

TEST_WITH(test_damaged_passwords, setup, teardown)
{
	struct access_user user;
	assert_int_equal(make("ops", CONTROL_ADMIN), 0);
	const char *header = text_from("Bearer %s", change.text);
	settle();
	text_to_file(text_from("%s/passwords", folder), "weir-passwords 1\neve admin\n");
	access_close(a);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(try_from("192.0.2.1", header, NULL, &user), ACCESS_GRANTED);
	assert_int_equal(make("new", CONTROL_ADMIN), 0);
	settle();
	password_begin("eve", "a long password");
	assert_int_equal(access_password_set(a, &call), -EUCLEAN);
	assert_false(logs_in("eve", "a long password"));
}

// Where a user has logged in outlives a restart, and damage of that file ends no start.
TEST_WITH(test_places, setup, teardown)
{
	const char *path = text_from("%s/places", folder);
	set("eve");
	assert_true(logs_in("eve", "a long password"));
	access_close(a); // which ends what is being stored
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(lockout_places_used(&a->known_places), 1);
	assert_true(logs_in("eve", "a long password"));
	assert_int_equal(lockout_places_used(&a->known_places), 1);
	access_close(a);
	text_to_file(path, "weir-places 2\nfe0\n");
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(lockout_places_used(&a->known_places), 0);
	assert_true(logs_in("eve", "a long password"));
	access_close(a);
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(lockout_places_used(&a->known_places), 1);
}

static _Atomic bool has_probed;

static void probe_work(struct access_job *)
{
	has_probed = true;
}

static void probe_done(struct access_job *)
{
}

// A save that is done comes back through the mailbox after the close, too: it leaves memory alone
// that may be another's by then.
TEST_WITH(test_places_after_the_close, setup, teardown)
{
	enum { FILLER = 0x5a };
	uint8_t expected[sizeof(*a)];
	set("eve");
	assert_true(logs_in("eve", "a long password"));
	struct access_job probe = {.work = probe_work, .done = probe_done};
	access_thread_job(a->thread, &probe);
	WAIT_FOR(has_probed); // the save, a job before it, is in the mailbox
	access_close(a);
	uint8_t *next = malloc(sizeof(*a));
	memset(next, FILLER, sizeof(*a));
	memset(expected, FILLER, sizeof(*a));
	loops_settle(&service, 1);
	assert_memory_equal(next, expected, sizeof(*a));
	free(next);
	a = NULL;
}

// A file that cannot be read is no empty one: a change would write over it.
TEST_WITH(test_unreadable, setup, teardown)
{
	access_close(a);
	assert_int_equal(mkdir(tokens_path, 0700), 0); // it opens, and read() fails
	assert_int_equal(access_open(&a, service, folder, "box", events), 0);
	assert_int_equal(make("new", CONTROL_ADMIN), -EUCLEAN);
}

TEST_WITH(test_disk, setup, teardown)
{
	assert_int_equal(mkdir(tokens_path, 0700), 0);
	assert_int_equal(make("ops", CONTROL_ADMIN), 0);
	settle();
	assert_true(change.job.err < 0);
	assert_int_equal(a->tokens.count, 0);
	assert_int_equal(rmdir(tokens_path), 0);
	assert_int_equal(make("ops", CONTROL_ADMIN), 0);
	settle();
	assert_int_equal(change.job.err, 0);
	assert_int_equal(a->tokens.count, 1);
}

// Places of jobs and watches are counted by right: each certificate's name has its own.
TEST_WITH(test_rights_of_certificates, setup, teardown)
{
	struct access_user ops, same, eye, token;
	assert_int_equal(try_from("192.0.2.1", NULL, "ops.example", &ops), ACCESS_GRANTED);
	assert_int_equal(try_from("192.0.2.1", NULL, "OPS.example", &same), ACCESS_GRANTED);
	assert_int_equal(try_from("192.0.2.1", NULL, "eye.example", &eye), ACCESS_GRANTED);
	assert_true(ops.right == same.right && ops.right != eye.right);
	assert_true(access_is_by_certificate(ops.right) && access_is_by_certificate(eye.right));
	for (unsigned i = 0; i < 16; i++) {
		assert_int_equal(make(text_from("t%u", i), CONTROL_READ), 0);
		const char *header = text_from("Bearer %s", change.text);
		settle();
		assert_int_equal(try_from("192.0.2.1", header, NULL, &token), ACCESS_GRANTED);
		assert_true(token.right && !access_is_by_certificate(token.right));
		assert_true(access_keeps(a, token.right, 1));
	}
}

// What a user's streams hang on.
TEST_WITH(test_rights_end_one_by_one, setup, teardown)
{
	char text[SESSION_TEXT_LEN + 1];
	struct access_user ops, eye, client, rita;
	assert_int_equal(make("ops", CONTROL_OPERATE), 0);
	const char *header = text_from("Bearer %s", change.text);
	settle();
	assert_int_equal(try_from("192.0.2.1", header, NULL, &ops), ACCESS_GRANTED);
	assert_int_equal(make("eye", CONTROL_READ), 0);
	header = text_from("Bearer %s", change.text);
	settle();
	assert_int_equal(try_from("192.0.2.1", header, NULL, &eye), ACCESS_GRANTED);
	assert_int_equal(try_from("192.0.2.1", NULL, "ops.example", &client), ACCESS_GRANTED);
	struct session *one =
		sessions_begin(&a->sessions, "rita", CONTROL_READ, source_key_of(source), 1, text);
	struct session *other =
		sessions_begin(&a->sessions, "rita", CONTROL_READ, source_key_of(source), 1, text);
	const struct access_try by_cookie = {.cookie = text_from("__Host-weir=%s", text),
		.source = source,
		.from = "192.0.2.1",
		.config = &config};
	other->since_s = other->last_s = clock_mono_ms() / 1000;
	assert_int_equal(access_check(a, &by_cookie, &rita), ACCESS_GRANTED);
	session_end(one);
	assert_true(access_keeps(a, rita.right, 1));
	session_end(other);
	assert_false(access_keeps(a, rita.right, 1));
	assert_true(access_keeps(a, ops.right, 1) && access_keeps(a, eye.right, 1));
	assert_true(access_keeps(a, client.right, 1) && access_keeps(a, 0, 1));
	change = (struct access_change){.job.done = on_done};
	assert_int_equal(access_token_revoke(a, &change, "ops"), 0);
	settle();
	assert_false(access_keeps(a, ops.right, 1));
	assert_true(access_keeps(a, eye.right, 1));
}
