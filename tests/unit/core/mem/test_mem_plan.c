// SPDX-License-Identifier: BSD-3-Clause
// The bill of a configuration, and who may start by it.

#include "tests/unit/core/config/config_text.h"

#include <weir/list_file.h>
#include <weir/mem_plan.h>
#include <weir/shm_region.h>

#define NET  PORTS ADDRESSES "  worker_lcores: [1]\n"
#define HEAD NET SERVERS

static struct mem_plan plan_of(const char *text)
{
	struct mem_plan p;
	mem_plan_make(&p, config_text_load(text));
	return p;
}

TEST(the_bill_follows_the_settings)
{
	struct mem_plan small = plan_of(HEAD "cache: {l0_mb: 1}\n");
	struct mem_plan large = plan_of(HEAD "cache: {l0_mb: 1025}\n");
	uint64_t more = UINT64_C(1024) << 20, sum = 0;
	assert_int_equal(small.total, small.of[0] + small.of[1]);
	for (unsigned i = 0; i < small.count; i++)
		sum += small.line[i].bytes;
	assert_int_equal(small.total, sum);
	assert_int_equal(large.of[MEM_PLAN_CONTROLPLANE] - small.of[MEM_PLAN_CONTROLPLANE],
		more + more / 32 * (7 + 1)); // the writer's, and a mark
	assert_int_equal(large.of[MEM_PLAN_DATAPLANE] - small.of[MEM_PLAN_DATAPLANE], more / 32);
	assert_true(
		plan_of(HEAD "tcp: {buffer_kb: 1048576}\n").total > small.total + 900 * 1048576ull);
	assert_true(plan_of(HEAD "query_log: {enabled: false}\n").total
		    < plan_of(HEAD).total - 30 * 1048576ull);
}

static const struct mem_plan_line *line_of(const struct mem_plan *p, const char *what)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->line[i].what, what) == 0)
			return &p->line[i];
	return NULL;
}

// Both processes know how many there are.
TEST(each_resolver_is_billed)
{
	struct mem_plan one = plan_of(HEAD), four = plan_of(HEAD "controlplane: {resolvers: 4}\n");
	assert_null(line_of(&one, "more resolvers"));
	assert_int_equal(line_of(&four, "more resolvers")->bytes, 3 * 4 << 20);
	assert_int_equal(line_of(&one, "rings of frontends")->bytes, (4 + 1) << 20);
	assert_int_equal(line_of(&four, "rings of frontends")->bytes, (4 * 2 + 4) << 20);
	assert_true(line_of(&four, "upstream sockets")->bytes
		    > line_of(&one, "upstream sockets")->bytes);
	assert_true(
		line_of(&four, "worker_rings")->bytes > 2 * line_of(&one, "worker_rings")->bytes);
}

TEST(each_frontend_is_billed)
{
	struct mem_plan one = plan_of(HEAD), three = plan_of(HEAD "controlplane: {frontends: 3}\n");
	assert_null(line_of(&one, "more frontends"));
	assert_int_equal(line_of(&three, "more frontends")->bytes, 2 * 6 << 20);
	assert_int_equal(line_of(&three, "rings of frontends")->bytes, 3 * (4 + 1) << 20);
}

// Where there are names, once for all resolvers.
TEST(host_names_are_billed)
{
#define NAMES \
	"controlplane: {resolvers: 4}\nupstreams: {bootstrap: [198.18.0.2, 198.18.0.3], servers: "
	struct mem_plan none = plan_of(NET NAMES "[{address: 198.18.0.1}]}\n");
	struct mem_plan one = plan_of(NET NAMES "[{address: a.example}]}\n");
	struct mem_plan two = plan_of(NET NAMES "[{address: a.example}, {address: b.example}]}\n");
	assert_null(line_of(&none, "upstream host names"));
	const uint64_t bytes = line_of(&one, "upstream host names")->bytes;
	assert_in_range(bytes, 2 * 2048 * 256, 2 * 2048 * 256 + (256 << 10));
	assert_in_range(line_of(&two, "upstream host names")->bytes - bytes, 10 << 10, 16 << 10);
}

// Once for all that have one list of servers.
TEST(forward_zones_of_groups_are_billed)
{
#define ZONE  "forward_zones: [{name: a.lan, servers: ['https://a.lan@192.0.2.1/q']}]"
#define GROUP "groups: [{name: kids, clients: [192.0.2.9], " ZONE "}]\n"
	struct mem_plan none = plan_of(HEAD), all = plan_of(HEAD ZONE "\n");
	struct mem_plan group = plan_of(HEAD GROUP), both = plan_of(HEAD ZONE "\n" GROUP);
	struct mem_plan trusting = plan_of(
		HEAD "forward_zones: [{name: a.lan, servers: ['https://a.lan@192.0.2.1/q']}, "
		     "{name: b.lan, trust_ad: true, servers: ['https://a.lan@192.0.2.1/q']}]\n");
	static const char *const lines[] = {"upstream sockets", "upstream queries over HTTPS"};
	for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
		const struct mem_plan_line *without = line_of(&none, lines[i]);
		assert_true(line_of(&all, lines[i])->bytes > (without ? without->bytes : 0));
		assert_int_equal(line_of(&group, lines[i])->bytes, line_of(&all, lines[i])->bytes);
		assert_int_equal(line_of(&both, lines[i])->bytes, line_of(&all, lines[i])->bytes);
		assert_true(line_of(&trusting, lines[i])->bytes > line_of(&all, lines[i])->bytes);
	}
}

// A box of 512 MiB runs the defaults (docs/reference/memory.md has the measure), from huge pages it
// does not.
TEST(the_defaults_fit_in_half_a_gibibyte)
{
	struct mem_plan p = plan_of(HEAD);
	assert_in_range(p.total >> 20, 250, 400);
	assert_null(line_of(&p, "building one")); // there are no lists
	struct mem_plan huge = plan_of("dataplane:\n"
				       "  eal_hugepages: true\n"
				       "  ports: [{device: net_null0}]\n"
				       "  service_addresses: [198.18.0.53]\n"
				       "  worker_lcores: [1]\n"
				       "upstreams: {servers: [{address: 198.18.0.1}]}\n");
	assert_int_equal(line_of(&huge, "packet buffers, drivers")->bytes, 256u << 20);
	assert_true(line_of(&p, "packet buffers, drivers")->bytes < 64u << 20);
}

static void file_make(const char *folder, const char *name, uint64_t size)
{
	int fd = open(text_from("%s/%s", folder, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void fetched_make(const char *folder, const char *url, const char *ending, uint64_t size)
{
	file_make(folder, text_from("%016" PRIx64 "%s", list_file_id(url), ending), size);
}

static uint64_t guess;

static uint64_t images_of(const char *folder, const char *lists)
{
	struct mem_plan p = plan_of(text_from(
		HEAD "runtime: {state_directory: %s}\nblocking: {lists: [%s]}\n", folder, lists));
	const struct mem_plan_line *both = line_of(&p, "rule images, both generations");
	assert_int_equal(both->bytes, 2 * line_of(&p, "building one")->bytes);
	guess = p.guess;
	return line_of(&p, "building one")->bytes;
}

// By the texts as long as there is no image of them, and by that from then on.
TEST(images_are_billed_by_what_is_on_the_disk)
{
	enum { MIB = 1 << 20, FIXED = 3 * MIB };
	char folder[] = "/tmp/weir-test-plan-XXXXXX";
	assert_non_null(mkdtemp(folder));
	const char *sub = text_from("%s/lists", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	const char *list = text_from("{name: a, path: %s/a}", folder),
		   *both = text_from("%s, {name: b, url: 'https://lists.test/b'}", list);
	file_make(folder, "a", 10 * MIB);
	assert_int_equal(images_of(folder, list), 15 * MIB + FIXED);
	assert_int_equal(guess, 0);
	assert_int_equal(images_of(folder, both), (10 * MIB + MEM_PLAN_LIST_USUAL) / 2 * 3 + FIXED);
	assert_int_equal(guess, 3 * (MEM_PLAN_LIST_USUAL / 2 * 3));
	file_make(sub, "0123456789abcdef.list", 99 * MIB); // of one that left the configuration
	assert_int_equal(images_of(folder, both), (10 * MIB + MEM_PLAN_LIST_USUAL) / 2 * 3 + FIXED);
	fetched_make(sub, "https://lists.test/b", ".tmp", 99 * MIB);
	fetched_make(sub, "https://lists.test/b", ".list", 2 * MIB);
	assert_int_equal(images_of(folder, both), 18 * MIB + FIXED);
	assert_int_equal(guess, 0);
	assert_int_equal(
		images_of(folder, list), 15 * MIB + FIXED); // no list of this configuration
	file_make(folder, "rules.img", 8 * MIB);
	assert_int_equal(images_of(folder, both), 10 * MIB + FIXED);
	assert_int_equal(system(text_from("rm -r %s", folder)), 0);
}

static int check(
	const char *text, enum mem_plan_of of, const char *folder, char why[MEM_PLAN_WHY_MAX])
{
	struct shm_paths paths = {.run = ""};
	snprintf(paths.mem, sizeof(paths.mem), "%s", folder);
	why[0] = '\0';
	return mem_plan_check(config_text_load(text), of, &paths, why);
}

// An exabyte's part fits nowhere, the default everywhere where this is built.
TEST(what_has_no_room_does_not_start)
{
	static const char huge[] = HEAD "cache: {l0_mb: 1048576}\ntcp: {buffer_kb: 1048576}\n";
	char why[MEM_PLAN_WHY_MAX];
	assert_int_equal(check(HEAD "cache: {l0_mb: 1}\n", MEM_PLAN_DATAPLANE, "", why), 0);
	assert_string_equal(why, "");
	struct mem_room room;
	mem_room_read(&room);
	assert_true(mem_room_all(&room) < UINT64_C(1) << 40); // or this test needs a larger one
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, "", why), -ENOMEM);
	assert_non_null(strstr(why, "can be had"));
	assert_int_equal(setenv("WEIR_MEMORY_CHECK", "off", 1), 0);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, "", why), 0);
	assert_int_equal(unsetenv("WEIR_MEMORY_CHECK"), 0);
}

// Memory that a previous run has mapped is not needed again.
TEST(regions_that_are_there_count)
{
	char folder[] = "/tmp/weir-test-plan-XXXXXX", path[64], why[MEM_PLAN_WHY_MAX];
	static const char huge[] = HEAD "cache: {l0_mb: 1048576}\n";
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/l0.1", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)2 << 40), 0); // without a page in it
	close(fd);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, folder, why), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, folder, why), -ENOMEM);
	assert_int_equal(rmdir(folder), 0);
}
