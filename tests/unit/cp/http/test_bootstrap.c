// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/http/bootstrap.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

static struct fake_upstream fake[2];
static struct bootstrap options;

static int start(void **)
{
	options = (struct bootstrap){.server_count = 2, .deadline_ms = clock_mono_ms() + 8000};
	for (unsigned i = 0; i < 2; i++) {
		memset(&fake[i], 0, sizeof(fake[i]));
		fake[i].ttl_s = 60;
		fake_upstream_start(&fake[i]);
		options.server[i] = (struct socket_address){
			.ip = {4, 32, {127, 0, 0, 1}}, .port = fake[i].port};
	}
	return 0;
}

static int stop(void **)
{
	for (unsigned i = 0; i < 2; i++)
		fake_upstream_stop(&fake[i]);
	return 0;
}

static int resolve(const char *host)
{
	static const uint8_t wanted[4] = {192, 0, 2, 1};
	struct ip_address a[BOOTSTRAP_ADDRESSES_MAX];
	unsigned count = 0;
	char why[BOOTSTRAP_WHY_MAX] = "";
	int err = bootstrap_resolve(&options, host, a, &count, why);
	if (err) {
		assert_true(why[0]);
		return err;
	}
	assert_int_equal(count, 1);
	assert_int_equal(a[0].version, 4);
	assert_memory_equal(a[0].bytes, wanted, 4);
	return 0;
}

TEST_WITH(test_an_answer_is_taken, start, stop)
{
	assert_int_equal(resolve("lists.some-example.net"), 0);
	assert_int_equal(fake[0].udp_queries, 2); // A and AAAA
	assert_int_equal(fake[1].udp_queries, 0);
	assert_true(fake[0].upper_seen);
}

// Each of the kernel's choice: of the others workers take the replies.
TEST_WITH(test_ports, start, stop)
{
	unsigned first = 0, last = 0, changes = 0;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u %u", &first, &last), 2);
	fclose(f);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(resolve("lists.some-example.net"), 0);
	assert_int_equal(fake[0].udp_queries, 32);
	for (unsigned i = 0; i < 32; i++) {
		assert_in_range(fake[0].source_port[i], first, last);
		changes += i && fake[0].source_port[i] != fake[0].source_port[i - 1];
	}
	assert_in_range(changes, 16, 31);
}

TEST_WITH(test_what_is_no_answer_is_passed_over, start, stop)
{
	static const int modes[] = {
		FAKE_WRONG_ID, FAKE_WRONG_QUESTION, FAKE_GARBAGE, FAKE_BAD_BODY};
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		fake[0].mode = modes[i];
		assert_int_equal(resolve("lists.example"), 0);
	}
	assert_int_equal(fake[1].udp_queries, 0);
}

TEST_WITH(test_the_next_server_is_asked, start, stop)
{
	static const int modes[] = {FAKE_SERVFAIL, FAKE_REFUSED, FAKE_TRUNCATE};
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		fake[0].mode = modes[i];
		assert_int_equal(resolve("lists.example"), 0);
	}
	assert_int_equal(fake[1].udp_queries, 2 * ARRAY_LEN(modes));
}

TEST_WITH(test_silence_has_an_end, start, stop)
{
	uint64_t before = clock_mono_ms();
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	options.deadline_ms = before + 400;
	assert_int_equal(resolve("lists.example"), -ETIMEDOUT);
	assert_in_range(clock_mono_ms() - before, 300, 30000);
	_Atomic bool given_up = true;
	options.stop = &given_up;
	options.deadline_ms = before + 60000;
	assert_int_equal(resolve("lists.example"), -ECANCELED);
}

TEST_WITH(test_a_server_that_changes_letter_case, start, stop)
{
	options.server_count = 1;
	fake[0].mode = FAKE_LOWERCASE;
	assert_int_equal(resolve("lists.many-letters.example"), 0);
}

TEST_WITH(test_no_such_host, start, stop)
{
	fake[0].mode = FAKE_NXDOMAIN;
	assert_int_equal(resolve("lists.example"), -ENOENT);
	assert_int_equal(resolve("lists..example"), -EINVAL);
	assert_int_equal(resolve(""), -EINVAL);
	options.server_count = 0;
	assert_int_equal(resolve("lists.example"), -ETIMEDOUT);
}
