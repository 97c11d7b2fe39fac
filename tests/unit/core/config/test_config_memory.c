// SPDX-License-Identifier: BSD-3-Clause

// Configurations loaded while memory runs out, at each allocation in turn: it is reported as that,
// never as a mistake in the file, and never taken for another one; nothing is kept.

#include "tests/unit/cp/memory/memory_fails.h"
#include "tests/unit/unit.h"

#include <weir/config.h>

#define PORTS "dataplane: {ports: [{device: net_null0, macs: ['02:00:5e:10:00:09']}], "

#define INCLUDED_FD 97 // of the file that a document includes

static const char included[] = "access: {allow: [10.0.0.0/8], deny: [192.0.2.9]}\n"
			       "blocking: {deny: [a.example], rebinding: {enabled: true}}\n";

static const char *const documents[] = {
	PORTS "service_addresses: [198.18.0.53/24], worker_lcores: [1, 2]}\n"
	      "upstreams: {servers: [{address: 9.9.9.9, name: nine}]}\n"
	      "access: {deny: [192.0.2.9], unlimited: []}\n"
	      "limits: {unlimited_clients: [192.0.2.25], unlimited_zones: [corp.example]}\n"
	      "cookies: {secrets: [00112233445566778899aabbccddeeff]}\n"
	      "metrics: {listen: '127.0.0.1:9153', allow: [127.0.0.0/8]}\n"
	      "tls: {certificates: [{cert: /c.pem, key: /k.pem}]}\n"
	      "control: {listen: [127.0.0.1], client_ca: /ca.pem,\n"
	      "  clients: [{name: ops, role: admin}]}\n"
	      "redis: {mode: cluster, addresses: [192.0.2.7], password: p}\n"
	      "query_log: {exclude_domains: [a.example], exclude_clients: [192.0.2.0/24],\n"
	      "  webhooks: [{url: 'https://hook.example/x', ca_file: /etc/ca.pem}]}\n",

	"dataplane: {ports: [{xdp: 'eth0,busy_budget=0'}], service_addresses: [198.18.0.53]}\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"blocking:\n"
	"  lists: [{path: a.txt}, {name: b, url: 'https://lists.example/b.txt'}]\n"
	"  update: {bootstrap: [9.9.9.9]}\n"
	"  allow: [a.example]\n"
	"  deny: [b.example, '/^ads/']\n"
	"  rebinding: {enabled: true, allow: [lan.example]}\n"
	"  safe_search: {google: strict}\n"
	"  schedules: [{name: n, days: [mon], from: '22:00', to: '06:00', time_zone: "
	"Europe/Berlin, domains: [c.example]}]\n",

	"dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53]}\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"local:\n"
	"  hosts_files: [hosts]\n"
	"  zones: [{name: lan}]\n"
	"  records: [{name: nas.lan, type: A, value: 192.0.2.5}]\n"
	"forward_zones: [{name: corp.example, servers: [192.0.2.53]}]\n"
	"clients: [{name: tablet, addresses: [192.0.2.9], macs: ['02:00:5e:10:00:01']}]\n"
	"groups:\n"
	"- {name: kids, clients: [tablet, 198.18.0.0/15], deny: ['/ads/'], upstreams: [{address: "
	"192.0.2.54}],\n"
	"   local_records: [{name: x.lan, type: A, value: 192.0.2.6}],\n"
	"   forward_zones: [{name: kids.example, servers: [192.0.2.55]}], services: [youtube]}\n",

	"include: ['/proc/self/fd/9[7]']\n"
	"dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53]}\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"access: {deny: [192.0.2.8]}\n"
	"blocking: {deny: [b.example]}\n",
};

static int document_open(const char *text, char path[32])
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

// What the documents above say more or less of.
static unsigned entries(const struct config *c)
{
	return c->access.allow_count + c->access.deny_count + c->access.unlimited_count
	       + c->limits.unlimited_client_count + c->limits.unlimited_zone_count
	       + c->cookies.count + c->blocking.list_count + c->local.record_count
	       + c->forward_count + c->client_count + c->group_count;
}

// False: allocation `n` was never asked for; then `whole` is what the file says. asprintf() does
// without some of its memory, so a load may be right all the same.
static bool fails_well(const char *path, unsigned long n, bool ever, unsigned whole)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	memory_fails_at(n, ever);
	int ret = config_load(path, &c, why);
	unsigned found = c ? entries(c) : 0;
	config_free(c);
	bool was_there = memory_fails_end() >= n;
	long left = memory_fails_left();
	if (left != 0 || (ret == 0) != (c != NULL) || (ret != 0 && ret != -ENOMEM)
		|| (ret == 0 && found != whole) || (ret != 0 && !was_there))
		fail_msg("allocation %lu: %d \"%s\", %u entries of %u, %ld blocks left", n, ret,
			why, found, whole, left);
	bool named = strstr(why, "out of memory") || strstr(why, strerror(ENOMEM));
	if (ret != 0 && (!named || strncmp(why, path, strlen(path)) != 0))
		fail_msg("allocation %lu: \"%s\"", n, why);
	return was_there;
}

static unsigned load_whole(const char *path)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX];
	if (config_load(path, &c, why) != 0)
		fail_msg("%s", why);
	unsigned found = entries(c);
	config_free(c);
	return found;
}

static void sweep(unsigned step, bool ever)
{
	for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
		char path[32];
		int fd = document_open(documents[i], path);
		unsigned whole = load_whole(path);
		unsigned long n = 1;
		while (fails_well(path, n, ever, whole))
			n += step;
		assert_true(n > 200); // or it is not there that memory failed
		close(fd);
	}
}

TEST(test_each)
{
	sweep(1, false);
}

TEST(test_from_there_on)
{
	sweep(7, true);
}

static int include_open(void **)
{
	char path[32];
	int fd = document_open(included, path);
	return dup2(fd, INCLUDED_FD) == INCLUDED_FD && close(fd) == 0 ? 0 : -1;
}

TEST_GROUP(include_open, NULL)
