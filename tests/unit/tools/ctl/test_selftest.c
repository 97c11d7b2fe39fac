// SPDX-License-Identifier: BSD-3-Clause

// What weirctl's selftest makes of a configuration, and its own upstream.

#include "tests/unit/core/config/config_text.h"
#include "tools/ctl/selftest/selftest_plan.h"

#include <sys/wait.h>

enum { CPUS = 8 };

static struct config_dataplane dataplane(unsigned main, unsigned workers, unsigned first)
{
	struct config_dataplane d = {.main_lcore = main, .worker_count = workers};
	for (unsigned i = 0; i < workers; i++)
		d.worker_lcores[i] = first + i;
	return d;
}

static int choose(const struct config_dataplane *d, bool running, bool force, const char *allowed,
	struct selftest_cpus *out)
{
	bool set[CPUS] = {0};
	for (unsigned i = 0; allowed[i]; i++)
		set[i] = allowed[i] == '1';
	return selftest_cpus_choose(d, running, force, set, CPUS, out);
}

static void is_choice(const struct selftest_cpus *c, unsigned worker, unsigned main, unsigned load)
{
	assert_int_equal(c->worker, worker);
	assert_int_equal(c->main, main);
	assert_int_equal(c->load, load);
}

TEST(test_cpus_idle)
{
	struct selftest_cpus c;
	struct config_dataplane d = dataplane(0, 1, 1);
	assert_int_equal(choose(&d, false, false, "11", &c), 0);
	is_choice(&c, 1, 0, 0);
	assert_int_equal(choose(&d, false, false, "1111", &c), 0);
	is_choice(&c, 1, 0, 2); // the generator by itself where there is a third
	assert_int_equal(choose(&d, false, false, "1011", &c), 0);
	is_choice(&c, 0, 2, 3); // the configured worker's core may not be used
	assert_int_equal(choose(&d, false, false, "01", &c), -ENOENT);
	d = dataplane(0, 1, 700); // over all that there are
	assert_int_equal(choose(&d, false, false, "11", &c), 0);
	is_choice(&c, 0, 1, 1);
}

TEST(test_cpus_beside_an_appliance)
{
	struct selftest_cpus c;
	struct config_dataplane d = dataplane(0, 2, 1);
	assert_int_equal(choose(&d, true, false, "11111", &c), 0);
	is_choice(&c, 3, 4, 4);
	assert_int_equal(choose(&d, true, false, "1111", &c), -EBUSY);
	assert_int_equal(choose(&d, true, true, "1111", &c), 0);
	is_choice(&c, 1, 0, 2);
}

TEST(test_config)
{
	char dir[] = "/tmp/weir-test-selftest-XXXXXX", path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/weir.yaml", dir);
	struct config_list lists[] = {{.path = (char[]){"/var/lib/a list: {with} #marks"}},
		{.url = (char[]){"http://lists.example/"}}, {.path = (char[]){"/has\"quote"}},
		{.path = (char[]){"/allow"}, .allow = true}};
	struct config c = {.runtime = {.hugepages = (char[]){"off"}},
		.cache = {.l0_mb = 4096},
		.blocking = {.list_count = 4, .lists = lists}};
	struct selftest_cpus cpus = {.main = 3, .worker = 5, .load = 3};
	unsigned count;
	assert_int_equal(selftest_config_write(path, dir, &c, &cpus, 5301, &count), 0);
	assert_int_equal(count, 2);
	// Never over a file that is there.
	assert_int_equal(selftest_config_write(path, dir, &c, &cpus, 5301, &count), -EEXIST);
	struct config *got = config_file_load(path);
	assert_int_equal(got->dataplane.main_lcore, 3);
	assert_int_equal(got->dataplane.worker_count, 1);
	assert_int_equal(got->dataplane.worker_lcores[0], 5);
	assert_int_equal(got->dataplane.poll, POLL_BUSY);
	assert_int_equal(got->cache.l0_mb, 64);
	assert_false(got->query_log.enabled);
	assert_int_equal(got->upstreams.server[0].address.port, 5301);
	assert_int_equal(got->blocking.list_count, 2);
	assert_string_equal(got->blocking.lists[0].path, "/var/lib/a list: {with} #marks");
	assert_true(got->blocking.lists[1].allow);
	unlink(path);
	rmdir(dir);
}

static size_t query_make(uint8_t out[SELFTEST_REPLY_MAX], const char *name, uint16_t type)
{
	struct wr w = wr_init(out, SELFTEST_REPLY_MAX);
	wr_u16(&w, 0x1234);
	wr_u16(&w, 0x0100);
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, 0);
	wr_bytes(&w, name, strlen(name) + 1);
	wr_u16(&w, type);
	wr_u16(&w, 1);
	return w.pos;
}

TEST(test_upstream)
{
	uint8_t q[SELFTEST_REPLY_MAX], r[SELFTEST_REPLY_MAX];
	size_t len = query_make(q, "\5N1027\4lOad\4test", 1);
	size_t got = selftest_upstream_reply(q, len, r);
	assert_int_equal(got, len + 16);
	assert_int_equal(get_u16(r), 0x1234);
	assert_int_equal(get_u16(r + 2), 0x8180);
	assert_int_equal(get_u16(r + 6), 1);
	assert_memory_equal(r + 12, q + 12, len - 12); // the question as it was spelt
	assert_memory_equal(r + len, "\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc6\x13\4\3", 16);

	len = query_make(q, "\5n1027\4load\4test", 28);
	assert_int_equal(selftest_upstream_reply(q, len, r), len); // no data
	assert_int_equal(get_u16(r + 2), 0x8180);
	static const char *const unknown[] = {"\1n\4load\4test", "\2nx\4load\4test",
		"\5m1027\4load\4test", "\2n1\4load", "\2n1\4load\4test\1x", ""};
	for (unsigned i = 0; i < ARRAY_LEN(unknown); i++) {
		len = query_make(q, unknown[i], 1);
		assert_int_equal(selftest_upstream_reply(q, len, r), len);
		assert_int_equal(get_u16(r + 2), 0x8183);
	}
}

TEST(test_upstream_broken)
{
	uint8_t q[SELFTEST_REPLY_MAX], r[SELFTEST_REPLY_MAX];
	size_t len = query_make(q, "\5n1027\4load\4test", 1);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); // for the sanitizer
		memcpy(exact, q, cut);
		assert_int_equal(selftest_upstream_reply(exact, cut, r), 0);
		free(exact);
	}
	q[2] |= 0x80; // a reply
	assert_int_equal(selftest_upstream_reply(q, len, r), 0);
	q[2] &= 0x7f;
	q[18] = 0xc0; // compressed
	assert_int_equal(selftest_upstream_reply(q, len, r), 0);
}

static void note_only(int)
{
}

// weirctl catches SIGTERM, and ends its upstream by one.
TEST(test_upstream_ends_by_a_signal)
{
	pid_t pid = 0;
	uint16_t port = 0;
	signal(SIGTERM, note_only);
	assert_int_equal(selftest_upstream_start(&pid, &port), 0);
	signal(SIGTERM, SIG_DFL);
	assert_true(pid > 0 && port > 0);
	// Again and again, as the first may come before the child has put the handler away.
	WAIT_FOR(waitpid(pid, NULL, WNOHANG) == pid, assert_int_equal(kill(pid, SIGTERM), 0));
}
