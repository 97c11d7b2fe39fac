// SPDX-License-Identifier: BSD-3-Clause
#include "selftest_plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>

enum { L0_MB_MOST = 64 };

int selftest_cpus_choose(const struct config_dataplane *c, bool running, bool force,
	const bool allowed[], unsigned count, struct selftest_cpus *out)
{
	unsigned cpu[3], n = 0;
	bool apart = running && !force;
	if (!apart && c->worker_lcores[0] < count && allowed[c->worker_lcores[0]])
		cpu[n++] = c->worker_lcores[0];
	for (unsigned i = 0; i < count && n < 3; i++) {
		bool taken = n && i == cpu[0];
		for (unsigned k = 0; apart && k < c->worker_count; k++)
			taken |= i == c->worker_lcores[k];
		// The appliance's housekeeping and this generator would wait for each other.
		taken |= apart && i == c->main_lcore;
		if (allowed[i] && !taken)
			cpu[n++] = i;
	}
	if (n < 2)
		return apart ? -EBUSY : -ENOENT;
	*out = (struct selftest_cpus){.worker = cpu[0], .main = cpu[1], .load = cpu[n - 1]};
	return 0;
}

// Does the text need no escape in a double-quoted YAML scalar?
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\' || *text == 0x7f)
			return false;
	}
	return true;
}

static void lists_write(FILE *f, const struct config_blocking *b, unsigned *lists)
{
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *l = &b->lists[i];
		if (!l->path || l->format != LIST_FORMAT_AUTO || !is_plain(l->path))
			continue;
		fprintf(f, "%s{name: list%u, path: \"%s\", allow: %s}", *lists ? ", " : "", i,
			l->path, l->allow ? "true" : "false");
		++*lists;
	}
}

int selftest_config_write(const char *path, const char *dir, const struct config *c,
	const struct selftest_cpus *cpus, uint16_t upstream_port, unsigned *lists)
{
	unsigned l0_mb = c->cache.l0_mb < L0_MB_MOST ? c->cache.l0_mb : L0_MB_MOST;
	FILE *f = fopen(path, "wxe");
	if (!f)
		return -errno;
	fprintf(f,
		"runtime: {directory: %s/run, state_directory: %s/state, hugepages: \"%s\"}\n"
		"dataplane:\n  main_lcore: %u\n  worker_lcores: [%u]\n  poll: busy\n"
		"  ports: [{device: "
		"\"net_memif0,role=server,socket-abstract=no,socket=%s/memif.sock\"}]\n"
		"  service_addresses: [198.18.0.53/24]\n"
		"cache: {l0_mb: %u}\nquery_log: {enabled: false}\nlocal: {test_names: true}\n"
		"upstreams: {servers: [{address: \"127.0.0.1:%u\"}]}\nblocking: {lists: [",
		dir, dir, is_plain(c->runtime.hugepages) ? c->runtime.hugepages : "auto",
		cpus->main, cpus->worker, dir, l0_mb, upstream_port);
	*lists = 0;
	lists_write(f, &c->blocking, lists);
	fprintf(f, "]}\n");
	return fclose(f) == 0 ? 0 : -errno;
}

enum { HEADER_LEN = 12, NUMBER_DIGITS_MAX = 9, TYPE_A = 1, CLASS_IN = 1, RCODE_NXDOMAIN = 3 };

// Reads a label, without its length; false: the name ends here, is compressed, or broken.
static bool label_read(struct rd *r, const uint8_t **label, uint8_t *len)
{
	*len = rd_u8(r);
	*label = *len && *len < 64 ? rd_bytes(r, *len) : NULL;
	return rd_ok(r) && *label;
}

static bool label_is(struct rd *r, const char *text)
{
	const uint8_t *label;
	uint8_t len;
	return label_read(r, &label, &len) && len == strlen(text)
	       && strncasecmp((const char *)label, text, len) == 0;
}

// Reads `n<number>` in either letter case.
static bool number_read(struct rd *r, uint32_t *number)
{
	const uint8_t *label;
	uint8_t len;
	if (!label_read(r, &label, &len) || len < 2 || len > 1 + NUMBER_DIGITS_MAX
		|| (label[0] | 0x20) != 'n')
		return false;
	*number = 0;
	for (unsigned i = 1; i < len; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		*number = *number * 10 + (label[i] - '0');
	}
	return true;
}

static bool name_skip(struct rd *r)
{
	const uint8_t *label;
	uint8_t len;
	while (label_read(r, &label, &len))
		continue;
	return rd_ok(r) && len == 0;
}

static void answer_write(struct wr *w, uint32_t number)
{
	const uint8_t address[4] = {198, 19, (uint8_t)(number >> 8), (uint8_t)number};
	wr_u16(w, 0xc000 | HEADER_LEN);
	wr_u16(w, TYPE_A);
	wr_u16(w, CLASS_IN);
	wr_u32(w, SELFTEST_UPSTREAM_TTL_S);
	wr_u16(w, sizeof(address));
	wr_bytes(w, address, sizeof(address));
}

size_t selftest_upstream_reply(const uint8_t *query, size_t len, uint8_t reply[SELFTEST_REPLY_MAX])
{
	struct rd r = rd_init(query, len);
	uint16_t id = rd_u16(&r), flags = rd_u16(&r), questions = rd_u16(&r);
	rd_skip(&r, 6);
	if (!rd_ok(&r) || (flags & 0xf800) || questions != 1)
		return 0;
	uint32_t number = 0;
	struct rd name = r;
	bool known = number_read(&name, &number) && label_is(&name, "load")
		     && label_is(&name, "test") && rd_u8(&name) == 0;
	size_t left = rd_left(&r);
	if (!name_skip(&r))
		return 0;
	uint16_t type = rd_u16(&r), class = rd_u16(&r);
	if (!rd_ok(&r))
		return 0;
	bool has_answer = known && type == TYPE_A && class == CLASS_IN;
	struct wr w = wr_init(reply, SELFTEST_REPLY_MAX);
	wr_u16(&w, id);
	wr_u16(&w, (uint16_t)(0x8080 | (flags & 0x0100) | (known ? 0 : RCODE_NXDOMAIN)));
	wr_u16(&w, 1);
	wr_u16(&w, has_answer);
	wr_u32(&w, 0);
	wr_bytes(&w, query + HEADER_LEN, left - rd_left(&r));
	if (has_answer)
		answer_write(&w, number);
	return wr_ok(&w) ? w.pos : 0;
}

static void serve(int fd)
{
	uint8_t query[SELFTEST_REPLY_MAX], reply[SELFTEST_REPLY_MAX];
	for (;;) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&from, &from_len);
		if (n < 0)
			continue;
		size_t len = selftest_upstream_reply(query, (size_t)n, reply);
		// The client repeats a query whose reply a full socket drops.
		if (len && sendto(fd, reply, len, 0, (struct sockaddr *)&from, from_len) < 0)
			continue;
	}
}

int selftest_upstream_start(pid_t *pid, uint16_t *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	pid_t child = -1, parent = getpid();
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0
		&& getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		// The parent's handlers only set a flag, and would keep this child alive.
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		if (getppid() == parent)
			serve(fd);
		_exit(1);
	}
	int rc = child < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0) {
		*pid = child;
		*port = ntohs(address.sin_port);
	}
	return rc;
}
