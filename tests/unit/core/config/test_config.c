// SPDX-License-Identifier: BSD-3-Clause

#include "config_text.h"
#include "controlplane/frontend/files_need.h"
#include "tests/source_root.h"

#include <limits.h>
#include <weir/config_tools.h>

static char folder[] = "/tmp/weir-test-config-XXXXXX";
static char file[64];

static void file_write(const char *text)
{
	text_to_file(file, text);
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
#include "test_config_bad.h"
	};
	EACH_REFUSED(config_text_refused_at, "%s", bad);
	assert_true(ARRAY_LEN(bad) >= 60);
}

TEST(test_refused_bytes)
{
	static const char bad_utf8[] = MINIMAL "limits:\n  waiters: \xff\xfe\n";
	config_text_refused_at(bad_utf8, "9:12: ");
	static const char nul[] = MINIMAL "runtime:\n  group: \"a\\0b\"\n";
	config_text_refused_at(nul, "9:10: runtime.group: contains a NUL");
	static const char escape[] = MINIMAL "\"\\e[31m\": 1\n";
	config_text_refused_at(escape, "8:1: \\x1b[31m: unknown key");
}

TEST(test_groups)
{
	struct config *c = config_text_load(
		MINIMAL "blocking:\n  lists: [{path: /a, name: ads}, {path: /b, name: adult}]\n"
			"groups:\n"
			"- {name: kids, clients: [192.0.2.0/24, 192.0.2.7, 'fd53:1::/64'], lists: "
			"[adult]}\n"
			"- name: lab\n  clients: [0.0.0.0/0, 192.0.2.0/25]\n  disable_cache: true\n"
			"  blocking: false\n  upstreams: [{address: '192.0.2.53:5353'}, {address: "
			"fd53::1, name: six}]\n");
	assert_int_equal(c->group_count, 2);
	const struct config_group *kids = &c->groups[0], *lab = &c->groups[1];
	assert_string_equal(kids->name, "kids");
	assert_int_equal(kids->client_count, 3);
	assert_int_equal(kids->clients[1].prefix_len, 32);
	assert_int_equal(kids->clients[2].version, 6);
	assert_int_equal(kids->clients[2].prefix_len, 64);
	assert_true(kids->has_lists && kids->blocking && !kids->disable_cache);
	assert_int_equal(kids->list_count, 1);
	assert_int_equal(kids->lists[0], 1);
	assert_int_equal(kids->upstream_count, 0);
	assert_int_equal(lab->clients[0].prefix_len, 0);
	assert_true(!lab->has_lists && !lab->blocking && lab->disable_cache);
	assert_int_equal(lab->upstream_count, 2);
	assert_int_equal(lab->upstreams[0].address.port, 5353);
	assert_string_equal(lab->upstreams[1].name, "six");
	// The groups of a file can change while it runs.
	struct config *other = config_text_load(MINIMAL);
	char names[64];
	assert_int_equal(config_needs_restart(c, other, names, sizeof(names)), 0);
	assert_int_equal(other->group_count, 0);
}

// As many prefixes as may be, and one more.
TEST(test_groups_full)
{
	enum { EACH = 24 };
	static char text[sizeof(MINIMAL) + 64 + (CONFIG_PREFIXES_MAX + 1) * EACH];
	for (unsigned more = 0; more < 2; more++) {
		char *p = stpcpy(text, MINIMAL "groups:\n- {name: a, clients: [10.0.0.0/8");
		for (unsigned i = 1; i < CONFIG_PREFIXES_MAX; i++)
			p += sprintf(p, ", 10.%u.%u.0/24", i / 256, i % 256);
		p = stpcpy(p, "]}\n");
		if (more)
			stpcpy(p, "- {name: b, clients: [11.0.0.0/8]}\n");
		if (more)
			config_text_refused_at(text,
				"8:1: groups: 4097 prefixes of clients in all groups, at most 4096 "
				"are");
		else
			config_text_load(text);
	}
}

TEST(test_password_file)
{
	const char *path = text_from("%s/password", folder);
	text_to_file(path, "s3cret with blanks \nnot this\n");
	struct config *c = config_text_load(text_from(
		MINIMAL "redis: {password_file: %s, sentinel_password_file: %s}\n", path, path));
	assert_string_equal(c->redis.password, "s3cret with blanks ");
	assert_string_equal(c->redis.password_file, path);
	assert_string_equal(c->redis.sentinel_password, "s3cret with blanks ");
	assert_int_equal(unlink(path), 0);
}

TEST(test_empty_sections)
{
	struct config *c =
		config_text_load(MINIMAL "cache:\nblocking:\n  lists:\n  allow:\n  # - x.example\n"
					 "limits: {}\n");
	assert_int_equal(c->blocking.list_count, 0);
	assert_int_equal(c->blocking.allow_count, 0);
	assert_int_equal(c->cache.max_ttl_s, 86400);
}

TEST(test_shipped)
{
	struct config *c = config_file_load(WEIR_SOURCE_ROOT "/tools/weir.yaml");
	assert_string_equal(c->dataplane.ports[0].device, "net_tap0,iface=wt0,persist");
	assert_int_equal(c->dataplane.address_count, 2);
	assert_int_equal(c->upstreams.count, 2);
	assert_int_equal(c->blocking.list_count, 0);

	// What it spells out are the defaults, so that the file also documents them.
	struct config *plain = config_text_load(MINIMAL);
	char names[256];
	assert_int_equal(config_needs_restart(c, plain, names, sizeof(names)), 3);
	assert_string_equal(names, "fallback.udp, dataplane.ports, dataplane.service_addresses");
	assert_memory_equal(&c->limits, &plain->limits, sizeof(c->limits));
	assert_int_equal(c->limits.inflight, FILES_QUESTIONS_DEFAULT);
	assert_memory_equal(&c->cache, &plain->cache, sizeof(c->cache));
}

TEST(test_files)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	assert_int_equal(config_load("/nonexistent/weir.yaml", &c, why), -ENOENT);
	assert_string_equal(why, "/nonexistent/weir.yaml: No such file or directory");
	assert_int_equal(config_load(folder, &c, why), -EISDIR);

	file_write("");
	assert_int_equal(truncate(file, (4 << 20) + 1), 0);
	assert_int_equal(config_load(file, &c, why), -EFBIG);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	// Nobody writes into it: that is not waited for.
	assert_int_equal(config_load(file, &c, why), -EINVAL);
	assert_non_null(strstr(why, "is empty"));
	assert_int_equal(unlink(file), 0);
	assert_null(c);
	assert_int_equal(config_load("/dev/null", &c, why), -EISDIR);
}

// All that is wrong with a file at once, by the names of its groups and lists, with what is meant.
TEST(test_all)
{
	static const char text[] =
		MINIMAL "cahce: {min_ttl: 1, more: 2}\n"
			"cache: {min_ttl: 4x, stale: on-failur}\n"
			"blocking: {lists: [{path: /a, name: ads}, {path: /b, name: adult, fromat: "
			"auto}], deny: "
			"[a..b, 'https://c.example/d', 'd.example, e.example']}\n";
	static const char groups[] =
		MINIMAL "blocking: {lists: [{path: /a, name: ads}, {path: /b, name: adult}]}\n"
			"groups:\n"
			"- {name: kids, clients: [192.0.2.1], lists: [ads2, adult, zebra], "
			"services: [tiktak]}\n"
			"- {name: lab, clients: [192.0.2.2], blocking: maybe, liists: [x]}\n";
	static const char *const wanted[] = {
		"config: cahce: unknown key (%s:8:1); did you mean \"cache\"?",
		"config: blocking.lists \"adult\": fromat: unknown key (%s:10:67); did you mean "
		"\"format\"?",
		"config: cache.min_ttl: \"4x\" is not a whole number (%s:9:9)",
		"config: cache.stale: must be one of: on-failure, immediate (%s:9:22); did you "
		"mean "
		"\"on-failure\"?",
		"config: blocking.deny[0]: is not a domain name (%s:10:90)",
		"config: blocking.deny[1]: is more than the name itself (%s:10:96); did you mean "
		"\"c.example\"?",
		"config: blocking.deny[2]: is more than one name (%s:10:119)",
	};
	static const char *const of_groups[] = {
		"config: groups \"lab\": liists: unknown key (%s:11:54); did you mean \"lists\"?",
		"config: groups \"kids\": lists[0]: list \"ads2\" is not defined (%s:10:46); did "
		"you mean "
		"\"ads\"?",
		"config: groups \"kids\": lists[2]: list \"zebra\" is not defined (%s:10:59)",
		"config: groups \"kids\": services[0]: no service is called \"tiktak\" (`weirctl "
		"services` "
		"names them) (%s:10:78); did you mean \"tiktok\"?",
		"config: groups \"lab\": blocking: must be true or false (%s:11:37)",
	};
	const struct {
		const char *text, *const *wanted;
		unsigned count;
	} files[] = {{text, wanted, ARRAY_LEN(wanted)}, {groups, of_groups, ARRAY_LEN(of_groups)}};
	static struct config_errors errors;
	for (unsigned f = 0; f < ARRAY_LEN(files); f++) {
		struct config *c = NULL;
		char why[CONFIG_WHY_MAX];
		file_write(files[f].text);
		assert_int_equal(config_load_all(file, &c, &errors), -EINVAL);
		for (unsigned i = 0; i < files[f].count; i++) {
			const char *at = strstr(files[f].wanted[i], "%s");
			assert_string_equal(errors.text[i],
				text_from("%.*s%s%s", (int)(at - files[f].wanted[i]),
					files[f].wanted[i], file, at + 2));
		}
		assert_int_equal(errors.count, files[f].count);
		assert_int_equal(config_load(file, &c, why), -EINVAL);
		assert_memory_equal(why, errors.text[0], strlen(errors.text[0]));
		assert_string_equal(why + strlen(errors.text[0]),
			text_from("; %u more (weirctl config check)", errors.count - 1));
		assert_null(c);
	}
}

// More than are reported, and none twice.
TEST(test_many)
{
	static struct config_errors errors;
	char text[4096] = MINIMAL "blocking: {deny: [";
	struct config *c = NULL;
	for (unsigned i = 0; i < CONFIG_ERRORS_MAX + 3; i++)
		strcat(text, "a..b, ");
	strcat(text, "]}\n");
	file_write(text);
	assert_int_equal(config_load_all(file, &c, &errors), -EINVAL);
	assert_int_equal(errors.count, CONFIG_ERRORS_MAX + 3);
	assert_non_null(strstr(errors.text[CONFIG_ERRORS_MAX - 1], "blocking.deny[15]: "));
}

// As of `weirctl config check <(...)`.
TEST(test_pipe)
{
	static const char text[] = MINIMAL "cache: {min_ttl: 7}\n";
	int fd[2];
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
	assert_int_equal(close(fd[1]), 0);
	struct config *c = config_file_load(text_from("/proc/self/fd/%d", fd[0]));
	assert_int_equal(c->cache.min_ttl_s, 7);
	assert_int_equal(close(fd[0]), 0);
}

// A path as the operator types it: messages keep it, list paths become absolute all the same.
TEST(test_relative)
{
	static const char text[] = MINIMAL "blocking:\n  lists:\n  - path: a.txt\n";
	file_write(text);
	char here[PATH_MAX];
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(folder), 0);
	struct config *c = config_file_load("weir.yaml");
	assert_string_equal(c->path, file);
	assert_string_equal(c->blocking.lists[0].path, text_from("%s/a.txt", folder));
	assert_int_equal(chdir(here), 0);
	assert_string_equal(config_file_load(file)->path, file);
}

// However the section is written, and whatever is wrong elsewhere.
TEST(test_places)
{
#define RUNTIME "{directory: /run/other, state_directory: /srv/other}"
	static const char *const texts[] = {
		MINIMAL "runtime: " RUNTIME "\n",
		MINIMAL "runtime : " RUNTIME "\n",
		MINIMAL "\"runtime\": " RUNTIME "\n",
		"{\"runtime\": {\"directory\": \"/run/other\", \"state_directory\": "
		"\"/srv/other\"}, \"cache\": {\"l0_mb\": 9}}\n",
		"  cache: {l0_mb: 9}\n  runtime:\n    directory: /run/other\n"
		"    state_directory: /srv/other\n",
		"? runtime\n: " RUNTIME "\n",
		"blocking: [a, b]\n'runtime': " RUNTIME "\n",
		"runtime: " RUNTIME "\nblocking: [\n",
		"runtime:\n  directory: /run/other\n  hugepages: [a\n"
		"  state_directory: /srv/other\n",
		"version: 99\nruntime: " RUNTIME "\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config_places places;
		char why[CONFIG_WHY_MAX];
		const char *path = file_with(texts[i]);
		assert_int_equal(config_places_find(path, &places, why), 0);
		if (strcmp(places.directory, "/run/other") != 0
			|| strcmp(places.state_directory, "/srv/other") != 0)
			fail_msg("%s, %s\n%s", places.directory, places.state_directory, texts[i]);
		assert_int_equal(unlink(path), 0);
	}
}

TEST(test_needs_restart)
{
	struct config *a = config_text_load(MINIMAL);
	struct config *b = config_text_load(MINIMAL "cache: {max_ttl: 100, stale: immediate}\n"
						    "blocking: {mode: refused, deny: [x.example]}\n"
						    "limits: {waiters: 7}\n");
	char names[256];
	assert_int_equal(config_needs_restart(a, b, names, sizeof(names)), 0);
	assert_string_equal(names, "");

	b = config_text_load(
		PORTS "    exception: weir0\n" ADDRESSES "  worker_lcores: [1, 2]\n" SERVERS
		      "runtime: {directory: /run/other}\ncache: {l0_mb: 9}\n"
		      "controlplane: {resolvers: auto, frontends: 2}\n");
	assert_int_equal(config_needs_restart(a, b, names, sizeof(names)), 6);
	assert_string_equal(names,
		"runtime.directory, cache.l0_mb, controlplane.resolvers, "
		"controlplane.frontends, dataplane.worker_lcores, dataplane.ports");
	assert_int_equal(config_needs_restart(a, b, names, 34), 6);
	assert_string_equal(names, "runtime.directory, and 5 more");
}

// Documents cut off anywhere are loaded or refused, never more.
TEST(test_cut_short)
{
	static const char text[] =
		MINIMAL "blocking: {lists: [{name: a, path: \"b\"}], deny: [x]}\n";
	for (size_t len = 0; len < sizeof(text); len++) {
		struct config *c = NULL;
		char why[CONFIG_WHY_MAX], cut[sizeof(text)] = "";
		memcpy(cut, text, len);
		int ret = config_text_try(cut, &c, why);
		assert_true(ret == 0 ? c != NULL : ret == -EINVAL && why[0]);
	}
}

static int setup(void **)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/weir.yaml", folder);
	return 0;
}

static int teardown(void **)
{
	unlink(file);
	return rmdir(folder);
}

TEST_GROUP(setup, teardown)
