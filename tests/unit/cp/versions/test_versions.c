// SPDX-License-Identifier: BSD-3-Clause

// The store of versions, differences, and texts without secrets.

#include "controlplane/versions/health_watch.h"
#include "controlplane/versions/version_diff.h"
#include "controlplane/versions/version_store.h"
#include "tests/unit/unit.h"

#include <limits.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

static char state[FOLDER_MAX], folder[FOLDER_MAX + 16];
static char why[CONFIG_WHY_MAX];

static int setup(void **)
{
	if (folder_make(state, "versions"))
		return -1;
	snprintf(folder, sizeof(folder), "%s/config", state);
	return version_store_open(folder, state, why);
}

static int teardown(void **)
{
	return folder_remove(state, "");
}

static struct config_bundle bundle(const char *text)
{
	struct config_bundle b = {.main = {.path = strdup("/etc/weir/weir.yaml"),
					  .bytes = strdup(text),
					  .len = strlen(text)}};
	assert_non_null(b.main.bytes);
	return b;
}

static void put_as(unsigned number, const char *who, const char *what, const char *text)
{
	struct config_version v = {.number = number};
	snprintf(v.who, sizeof(v.who), "%s", who);
	snprintf(v.what, sizeof(v.what), "%s", what);
	struct config_bundle b = bundle(text);
	if (version_store_put(folder, &v, &b, why) != 0)
		fail_msg("%s", why);
	config_bundle_free(&b);
}

static void put(unsigned number, const char *text)
{
	put_as(number, "uid 0", "config apply", text);
}

static bool there(unsigned number)
{
	const bool is = access(text_from("%s/%u.version", folder, number), F_OK) == 0;
	assert_int_equal(access(text_from("%s/%u.blotted", folder, number), F_OK) == 0, is);
	return is;
}

TEST_WITH(test_store, setup, teardown)
{
	struct config_version v;
	struct stat st;
	unsigned number;
	assert_int_equal(version_store_open(folder, state, why), 0); // again
	assert_int_equal(version_store_newest(folder), 0);
	put(1, "a: 1\n");
	put(2, "a: 2\n");
	assert_int_equal(version_store_newest(folder), 2);
	assert_int_equal(version_store_switch(folder, 2, why), 0);
	assert_int_equal(config_version_current(folder, &number, why), 0);
	assert_int_equal(number, 2);
	assert_int_equal(version_store_settle(
				 folder, 2, CONFIG_VERSION_taken_back, "no upstream answers", why),
		0);
	assert_int_equal(config_version_read(folder, 2, &v, NULL, why), 0);
	assert_int_equal(v.result, CONFIG_VERSION_taken_back);
	assert_string_equal(v.reason, "no upstream answers");
	assert_int_equal(version_store_settle(folder, 9, CONFIG_VERSION_applied, "", why), -ENOENT);
	assert_int_equal(stat(text_from("%s/2.version", folder), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(text_from("%s/2.blotted", folder), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	const char *path = text_from("%s/stopped", folder);
	assert_int_equal(version_store_stopped(folder, true, why), 0);
	assert_int_equal(access(path, F_OK), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(version_store_stopped(folder, false, why), 0);
	assert_int_not_equal(access(path, F_OK), 0);
}

// A version that cannot be stored leaves no file: on a full disk that would need the room.
TEST_WITH(test_store_nothing_by_halves, setup, teardown)
{
	const struct config_version v = {.number = 1};
	const char *path = text_from("%s/1.version.tmp", folder);
	struct config_bundle b = bundle("a: 1\n");
	assert_int_equal(mkdir(path, 0700), 0); // where the second file is written
	assert_true(version_store_put(folder, &v, &b, why) < 0);
	assert_false(there(1));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(version_store_put(folder, &v, &b, why), 0);
	assert_true(there(1));
	config_bundle_free(&b);
}

static bool knows_no_free, is_full; // a file system

int __real_statvfs64(const char *, struct statvfs *);
int __wrap_statvfs64(const char *, struct statvfs *);
int __wrap_statvfs64(const char *path, struct statvfs *out)
{
	const int rc = __real_statvfs64(path, out);
	if (knows_no_free)
		out->f_bavail = 0;
	return rc;
}

int __real_fsync(int);
int __wrap_fsync(int);
int __wrap_fsync(int fd)
{
	errno = ENOSPC;
	return is_full ? -1 : __real_fsync(fd);
}

TEST_WITH(test_room_that_the_file_system_does_not_know_of, setup, teardown)
{
	const struct config_version v = {.number = 1};
	struct config_bundle b = bundle("a: 1\n");
	knows_no_free = true;
	assert_int_equal(version_store_room(folder, &v, &b, why), 0);
	assert_int_not_equal(access(text_from("%s/room", folder), F_OK), 0);
	is_full = true;
	const int rc = version_store_room(folder, &v, &b, why);
	knows_no_free = is_full = false;
	assert_int_equal(rc, -ENOSPC);
	config_bundle_free(&b);
}

TEST_WITH(test_room, setup, teardown)
{
	const struct config_version v = {.number = 1};
	struct config_bundle b = bundle("a: 1\n");
	assert_int_equal(version_store_room(folder, &v, &b, why), 0);
	assert_int_equal(version_store_room("/proc", &v, &b, why), 0); // it has no blocks
	assert_int_equal(version_store_room("/nowhere", &v, &b, why), -ENOENT);
	config_bundle_free(&b);
}

static enum config_version_result result_of(unsigned number)
{
	struct config_version v;
	assert_int_equal(config_version_read(folder, number, &v, NULL, why), 0);
	return v.result;
}

// Every key that can hold a secret in line, with one that is to be seen nowhere else.
static const char secrets[] =
	"runtime: {state_directory: %s} # hunter2\n"
	"dataplane: {main_lcore: 0, worker_lcores: [1], eal_hugepages: false, memory_mb: 64,\n"
	"  ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}\n"
	"cache: {l0_mb: 64}\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"cookies: {secrets: [0123456789abcdef0123456789abcdef]}\n"
	"redis:\n  mode: standalone\n  addresses: [\"127.0.0.1:6379\"]\n  password: hunter2%s\n"
	"  # sentinel_password: hunter2\n"
	"blocking:\n  lists:\n"
	"  - {name: l1, url: \"https://lists.example/a?key=hunter2\"}\n"
	"  - {name: l2, url: \"https://lists.example/a?key=hunter2b\"}\n"
	"  - {name: l3, url: https://hunter2@lists.example/b}\n"
	"  - {name: l4, url: 'https://u:hunter2@lists.example/b'}\n"
	"  - {name: l5, url: axfr+tls://a.example@192.0.2.1/zone.example}\n"
	"events:\n  webhooks:\n"
	"  - {url: https://chat.example/hook/hunter2}\n"
	"  - {url: \"https:\\/\\/chat.example/hook/hunter2b\"}\n"
	"query_log: {webhooks: [{url: https://chat.example/hunter2}]}\n";

static void whole_write(const char *password)
{
	const char *path = text_from("%s/weir.yaml", state);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, secrets, state, password) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static void whole_put(unsigned number, enum config_version_result result)
{
	struct config_version v = {.number = number, .result = result};
	struct config_errors errors;
	struct config_bundle b;
	struct config *c = NULL;
	if (config_bundle_read(
		    text_from("%s/weir.yaml", state), NULL, CONFIG_SECRETS_ALL, &b, &c, &errors)
		!= 0)
		fail_msg("%s", errors.text[0]);
	assert_int_equal(version_store_put(folder, &v, &b, why), 0);
	config_free(c);
	config_bundle_free(&b);
}

static bool file_has(const char *name, const char *what)
{
	static char bytes[1 << 16];
	FILE *f = fopen(text_from("%s/%s", folder, name), "r");
	assert_non_null(f);
	const size_t len = fread(bytes, 1, sizeof(bytes), f);
	assert_int_equal(fclose(f), 0);
	return memmem(bytes, len, what, strlen(what)) != NULL;
}

// The data plane, as a user of the group who may not read what others must not.
static struct config_start other_starts(void)
{
	struct config_start s;
	assert_int_equal(syscall(SYS_setresgid, -1, 65534, -1), 0);
	assert_int_equal(syscall(SYS_setresuid, -1, 65534, -1), 0);
	const int rc = config_start(text_from("%s/weir.yaml", state), CONFIG_SECRETS_NONE, &s, why);
	assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	assert_int_equal(syscall(SYS_setresgid, -1, 0, -1), 0);
	if (rc != 0)
		fail_msg("%s", why);
	config_free(s.config);
	config_start_free(&s);
	return s;
}

static void readable(unsigned number)
{
	assert_int_equal(chmod(text_from("%s/%u.blotted", folder, number), 0644), 0);
	assert_int_equal(chmod(text_from("%s/current", folder), 0644), 0);
}

TEST_WITH(test_blotted, setup, teardown)
{
	struct config_version v;
	struct config_bundle b;
	struct config_errors errors = {0};
	struct config *c = NULL;
	whole_write("");
	whole_put(1, CONFIG_VERSION_applied);
	assert_true(file_has("1.version", "hunter2"));
	assert_false(file_has("1.blotted", "hunter2"));
	assert_true(file_has("1.blotted", "0123456789abcdef0123456789abcdef"));
	assert_true(file_has("1.blotted", "a.example@192.0.2.1"));
	// It loads.
	assert_int_equal(
		rename(text_from("%s/1.blotted", folder), text_from("%s/1.version", folder)), 0);
	assert_int_equal(config_version_read(folder, 1, &v, &b, why), 0);
	if (config_bundle_load(&b, CONFIG_SECRETS_NONE, &c, &errors) != 0)
		fail_msg("%s", errors.text[0]);
	assert_int_equal(c->blocking.list_count, 5);
	assert_int_equal(c->events.webhook_count, 2);
	config_free(c);
	config_bundle_free(&b);
}

// The data plane decides as the control plane does, but for a difference of secrets alone.
TEST_WITH(test_blotted_start, setup, teardown)
{
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(text_from("%s/..", state), 0755), 0);
	assert_int_equal(chmod(state, 0755), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	whole_write("");
	whole_put(1, CONFIG_VERSION_applied);
	assert_int_equal(version_store_switch(folder, 1, why), 0);
	readable(1);
	struct config_start s = other_starts();
	assert_int_equal(s.version.number, 1);
	assert_true(s.version.is_blotted);
	assert_false(s.differs);
	whole_write("3");
	assert_false(other_starts().differs);
	whole_write("\nlimits: {answer_deadline_ms: 4000}");
	assert_true(other_starts().differs);
	assert_int_equal(version_store_stopped(folder, true, why), 0);
	assert_true(other_starts().is_new);
	whole_put(2, CONFIG_VERSION_taken_back);
	readable(2);
	s = other_starts();
	assert_int_equal(s.taken_back_as, 2);
	assert_int_equal(s.version.number, 1);
}

// What an older weir left there is shut at the start, and has a blotted file then.
TEST_WITH(test_shut, setup, teardown)
{
	struct stat st;
	whole_write("");
	whole_put(1, CONFIG_VERSION_applied);
	put(2, "a: 1\n");
	assert_int_equal(unlink(text_from("%s/1.blotted", folder)), 0);
	assert_int_equal(chmod(text_from("%s/1.version", folder), 0640), 0);
	assert_int_equal(truncate(text_from("%s/2.version", folder), 20), 0);
	assert_int_equal(chmod(text_from("%s/2.version", folder), 0640), 0);
	assert_int_equal(version_store_open(folder, state, why), 0);
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(stat(text_from("%s/%u.version", folder, i), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_true(file_has("1.version", "hunter2"));
	assert_false(file_has("1.blotted", "hunter2"));
	assert_int_equal(result_of(1), CONFIG_VERSION_applied);
	// So is one that a death left with a result of before.
	const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	const char *path = text_from("%s/1.blotted", folder);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(version_store_open(folder, state, why), 0);
	assert_int_equal(stat(text_from("%s/1.blotted", folder), &st), 0);
	assert_true(st.st_size > 0);
}

// One verdict for all that were followed during a watch.
TEST_WITH(test_verdict, setup, teardown)
{
	for (unsigned i = 1; i <= 5; i++)
		put(i, "a: 1\n");
	assert_int_equal(version_store_settle(folder, 1, CONFIG_VERSION_applied, "", why), 0);
	assert_int_equal(version_store_settle(folder, 3, CONFIG_VERSION_not_taken, "", why), 0);
	assert_int_equal(health_good_find(folder, 4), 1);
	assert_int_equal(health_good_find(folder, 1), 0);
	version_store_settle_pending(folder, 1, 4, CONFIG_VERSION_taken_back, "bad");
	static const enum config_version_result want[] = {CONFIG_VERSION_applied,
		CONFIG_VERSION_taken_back, CONFIG_VERSION_not_taken, CONFIG_VERSION_pending,
		CONFIG_VERSION_pending};
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(result_of(i), want[i - 1]);
}

// A file on disk that any of them had is not used again; results that say more stay.
TEST_WITH(test_take_back, setup, teardown)
{
	static const enum config_version_result was[] = {CONFIG_VERSION_applied,
		CONFIG_VERSION_applied, CONFIG_VERSION_not_taken, CONFIG_VERSION_fallen,
		CONFIG_VERSION_pending, CONFIG_VERSION_applied};
	for (unsigned i = 1; i <= 6; i++) {
		put(i, "a: 1\n");
		assert_int_equal(version_store_settle(folder, i, was[i - 1], "", why), 0);
	}
	assert_int_equal(version_store_take_back(folder, 1, 5, "box3: no answers", why), 0);
	for (unsigned i = 1; i <= 6; i++)
		assert_int_equal(result_of(i),
			i == 1 || i == 3 || i == 6 ? was[i - 1] : CONFIG_VERSION_taken_back);
}

// What an operator or weir itself makes takes half of the places: what an admin could roll back to
// stays.
TEST_WITH(test_prune_small, setup, teardown)
{
	static const char *const made[][2] = {{"token ops", "deny --group kids a.test"},
		{"token ops", "allow b.test"}, {"user eve", "entry --remove a.test"},
		{"token ops", "list disable ads"}, {"token ops", "list enable ads"},
		{"token ops", "services block youtube"}, {"token ops", "services allow youtube"},
		{"timer", "end of deny a.test"}, {"weir", "take back version 3"}};
	for (unsigned i = 1; i <= 15; i++)
		put(i, "a: 1\n");
	for (unsigned i = 16; i <= 99; i++) {
		const unsigned by = i % ARRAY_LEN(made);
		put_as(i, made[by][0], made[by][1], "a: 1\n");
		version_store_prune(folder, i, 15, 0);
	}
	for (unsigned i = 1; i <= 99; i++)
		assert_int_equal(there(i), (i > 5 && i <= 15) || i > 89);
	for (unsigned i = 100; i <= 119; i++) {
		put_as(i, "token boss", "list add ads", "a: 1\n");
		version_store_prune(folder, i, 99, 0);
	}
	for (unsigned i = 1; i <= 119; i++)
		assert_int_equal(there(i), i == 99 || i >= 100);
}

// A roll-out goes back to version 3 after any number of versions.
TEST_WITH(test_prune_base, setup, teardown)
{
	for (unsigned i = 1; i <= 3; i++)
		put(i, "a: 1\n");
	for (unsigned i = 4; i <= 60; i++) {
		put_as(i, "token ops", "deny a.test", "a: 1\n");
		version_store_prune(folder, i, i - 1, 3);
	}
	for (unsigned i = 4; i <= 60; i++)
		assert_int_equal(there(i), i > 60 - VERSION_STORE_SMALL_MAX);
	assert_true(there(3));
	for (unsigned i = 61; i <= 99; i++) {
		put(i, "a: 1\n");
		version_store_prune(folder, i, i - 1, 3);
	}
	for (unsigned i = 1; i <= 99; i++)
		assert_int_equal(there(i), i == 3 || i > 99 - CONFIG_VERSIONS_KEPT);
}

TEST_WITH(test_prune, setup, teardown)
{
	for (unsigned i = 1; i <= 30; i++) {
		put(i, "a: 1\n");
		version_store_prune(folder, 3, 2, 0);
	}
	for (unsigned i = 1; i <= 30; i++)
		assert_int_equal(there(i), i == 2 || i == 3 || i > 30 - CONFIG_VERSIONS_KEPT);
	char *large = malloc(4 << 20);
	assert_non_null(large);
	memset(large, '#', (4 << 20) - 1);
	large[(4 << 20) - 1] = '\0';
	for (unsigned i = 31; i <= 42; i++) {
		put(i, large);
		version_store_prune(folder, 3, 2, 0);
	}
	free(large);
	unsigned kept = 0;
	for (unsigned i = 4; i <= 42; i++)
		kept += there(i);
	assert_int_equal(kept, VERSION_STORE_BYTES_MAX / (4 << 20) - 1); // each is a head more
	assert_true(there(42) && there(3) && there(2));
}

static void differs(const char *from, const char *to, const char *want)
{
	struct config_bundle a = bundle(from), b = bundle(to);
	char *text = version_diff(&a, &b, "version 1", "version 2");
	assert_non_null(text);
	const char *hunks = strstr(text, "@@");
	assert_string_equal(hunks ? hunks : text, want);
	free(text);
	config_bundle_free(&a);
	config_bundle_free(&b);
}

TEST(test_diff)
{
	differs("a\nb\n", "a\nb\n", "");
	differs("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	differs("", "a\n", "@@ -0,0 +1,1 @@\n+a\n");
	differs("a\n", "", "@@ -1,1 +0,0 @@\n-a\n");
	differs("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n5\n6\n7\n8\n9\n",
		"@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+x\n 5\n 6\n 7\n");
	// Two hunks, as more than twice the context is between them.
	differs("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
		"@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n");
	differs("a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
		"@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n");
}

// Whatever changed: applied to the first text, the difference gives the second one.
TEST(test_diff_random)
{
	enum { LINES = 60 };
	srand(7);
	for (unsigned round = 0; round < 300; round++) {
		char from[4 * LINES + 1] = "", to[4 * LINES + 1] = "", made[8 * LINES] = "";
		size_t n = 0, m = 0, out = 0;
		for (unsigned i = 0; i < LINES; i++) {
			const char c = (char)('a' + rand() % 4);
			if (rand() % 8)
				n += (size_t)snprintf(from + n, sizeof(from) - n, "%c\n", c);
			if (rand() % 8)
				m += (size_t)snprintf(
					to + m, sizeof(to) - m, "%c\n", rand() % 6 ? c : 'z');
		}
		struct config_bundle a = bundle(from), b = bundle(to);
		char *text = version_diff(&a, &b, "1", "2");
		assert_non_null(text);
		const char *old = from;
		unsigned at = 1;
		for (const char *p = text; *p; p = strchr(p, '\n') + 1) {
			unsigned line, count;
			if (sscanf(p, "@@ -%u,%u", &line, &count) == 2) {
				for (line += count == 0; at < line; at++, old += 2)
					out += (size_t)sprintf(made + out, "%.2s", old);
			} else if (*p == ' ' || *p == '+') {
				if (strncmp(p, "+++", 3) != 0)
					out += (size_t)sprintf(made + out, "%.2s", p + 1);
			}
			if ((*p == ' ' || *p == '-') && strncmp(p, "---", 3) != 0) {
				assert_memory_equal(p + 1, old, 2);
				old += 2;
				at++;
			}
		}
		strcat(made, old);
		assert_string_equal(made, to);
		free(text);
		config_bundle_free(&a);
		config_bundle_free(&b);
	}
}

static void masked(const char *text, const char *want)
{
	char *got = config_mask(text, strlen(text));
	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

TEST(test_mask)
{
	masked("url: https://ads.example/list.txt\n", "url: https://ads.example/list.txt\n");
	masked("url: https://user:hunter2@ads.example/l?key=hunter2\n",
		"url: https://***@ads.example/l?***\n");
	masked("{url: \"https://u:p@h/a\", name: x@y}", "{url: \"https://***@h/a\", name: x@y}");
	masked("url: https://a@b@c/\n", "url: https://***@c/\n");
	masked("webhooks: [{url: \"https://chat.example/h/hunter2\", kinds: [alarm_raised]}]\n",
		"webhooks: [{url: \"https://chat.example/***\", kinds: [alarm_raised]}]\n");
	masked("webhooks:\n- url: https://chat.example/h?hunter2\nport: 1\n",
		"webhooks:\n- url: https://chat.example/***\nport: 1\n");
	masked("webhooks: [{url: https://chat.example}]\n",
		"webhooks: [{url: https://chat.example}]\n");
	masked("# webhooks: [{url: https://chat.example/hunter2}]\nport: 1\n",
		"# webhooks:***\nport: 1\n");
	masked("sentinel_password: hunter2 # x\nport: 1\n",
		"sentinel_password: *** # x\nport: 1\n");
	masked("password_file: /etc/x\n", "password_file: /etc/x\n");
	masked("://", "://");
	masked("secret:", "secret:");
	masked("secret: \nport: 1\n", "secret: \nport: 1\n");
	masked("cookies: {secrets: [\"ab,c\", d#e], x: 1}\n",
		"cookies: {secrets: [***, ***], x: 1}\n");
	masked("cookies:\n  secrets:\n  - one\n  - two # x\nport: 1\n",
		"cookies:\n  secrets:\n  - ***\n  - *** # x\nport: 1\n");
	masked("\"password\": x\n", "\"password\": ***\n");
	masked("pass\u00e9_password : x\nport: 1\n", "pass\u00e9_password : ***\nport: 1\n");
	masked("\"pass\\x77ord\": x\n", "\"pass\\x77ord\": ***\n");
	masked("password: 'a, b # c } d'\nport: 1\n", "password: ***\nport: 1\n");
	masked("password:\n  one\n  two\nport: 1\n", "password:\n  ***\nport: 1\n");
	masked("password: |\n  one\n  two\n\nport: 1\n", "password: ***\n\nport: 1\n");
	masked("password: \"a\n  b\"\n", "password: ***\n");
	masked("url: \"https://u:p,<}'w# /d?x@h/a\"\n", "url: \"https://***@h/a\"\n");
	masked("url: \"https:\\/\\/u:p@h/a\"\n", "url: ***\n");
	masked("# password: hunter2\na: 1 # https://u:p@h/\n# secrets:\n#   - x\n",
		"# password:***\na: 1 # https://***@h/\n# secrets:\n#   ***\n");
}

TEST(test_mask_second_url)
{
	masked("# was https://a.example/l then https://me:hunter2@b.example/l\n",
		"# was https://a.example/l then https://***@b.example/l\n");
	masked("a: https://a.example/l https://b.example/l https://c.example/l?key=hunter2\n",
		"a: https://a.example/l https://b.example/l https://c.example/l?***\n");
	masked("# https://a.example/l https://me:p w/hunter2@b.example/l\n",
		"# https://a.example/l https://***@b.example/l\n");
	masked("# https://me:p@w hunter2@a.example/l https://b.example/l?key=hunter2\n",
		"# https://***@a.example/l https://b.example/l?***\n");
	masked("# https://a.example/l?u=https://b.example/hunter2\n",
		"# https://a.example/l?***\n");
}

// What is no YAML, or has what weir's has not.
TEST(test_mask_lines)
{
	masked("a: [\npassword: a, b # c\n", "a: [\npassword:***\n");
	masked("a: [\n'password' : x\n  y\n\n  z\nb: 1\n",
		"a: [\n'password' :***\n  ***\n\n  ***\nb: 1\n");
	masked("a: [\n  secrets:\n  - x\n  b: 1\n", "a: [\n  secrets:\n  ***\n  b: 1\n");
	masked("a: &x hunter2\npassword: *x\n", "a: &x hunter2\npassword:***\n");
	masked("[ https://u:p}@h/l?k=v\n", "[ https://***@h/l?***\n");
}

// Any bytes: it ends, in bounds, and a secret that stands alone in its line is never shown.
TEST(test_mask_random)
{
	static const char *const pieces[] = {"password: ", "hunter2", "\n", "  ", "- ", "[", "]",
		"{", "}", "\"", "'", "#", "|", ": ", "://", "@", "?", "\xc3\xa9", "\xff", ",",
		"secrets:", "\\", "&a ", "*a", "\r\n", "\t", "a"};
	srand(11);
	for (unsigned round = 0; round < 20000; round++) {
		char text[256] = "";
		for (unsigned i = 0; i < 14; i++)
			strcat(text, pieces[(size_t)rand() % ARRAY_LEN(pieces)]);
		strcat(text, "\npassword: s3same\n");
		char *got = config_mask(text, strlen(text));
		assert_non_null(got);
		if (strstr(got, "s3same"))
			fail_msg("shown: %s", text);
		free(got);
	}
}
