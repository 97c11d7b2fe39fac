// SPDX-License-Identifier: BSD-3-Clause
#include "redis_trio.h"

#include "tests/unit/unit.h"

enum { NODES = REDIS_TRIO_NODES };

struct redis_server redis_trio[NODES];
char redis_trio_id[NODES][41];
static uint16_t bus[NODES];

const char *redis_trio_say(unsigned node, const char *fmt, ...)
{
	char command[160];
	va_list args;
	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	return redis_server_say(&redis_trio[node], command);
}

void redis_trio_await(void)
{
	for (unsigned n = 0; n < NODES; n++)
		WAIT_FOR(strstr(redis_trio_say(n, "CLUSTER INFO"), "cluster_state:ok")
			 && strstr(redis_trio_say(n, "CLUSTER INFO"), "cluster_known_nodes:3"));
}

void redis_trio_node_start(unsigned n)
{
	char port[8];
	snprintf(port, sizeof(port), "%u", bus[n]);
	redis_server_start(
		&redis_trio[n], (const char *const[]){"--cluster-enabled", "yes", "--cluster-port",
					port, "--cluster-node-timeout", "1000",
					"--cluster-require-full-coverage", "no", NULL});
}

int redis_trio_start(void **)
{
	for (unsigned n = 0; n < NODES; n++) {
		bus[n] = redis_free_port();
		redis_trio_node_start(n);
		redis_trio_say(n, "CLUSTER ADDSLOTSRANGE %u %u", n * 5461,
			n == NODES - 1 ? 16383 : n * 5461 + 5460);
		snprintf(redis_trio_id[n], sizeof(redis_trio_id[n]), "%.40s",
			redis_trio_say(n, "CLUSTER MYID") + 5);
	}
	for (unsigned n = 1; n < NODES; n++)
		redis_trio_say(n, "CLUSTER MEET 127.0.0.1 %u %u", redis_trio[0].port, bus[0]);
	redis_trio_await();
	return 0;
}

int redis_trio_stop(void **)
{
	for (unsigned n = 0; n < NODES; n++)
		redis_server_clean(&redis_trio[n]);
	return 0;
}
