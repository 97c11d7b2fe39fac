// SPDX-License-Identifier: BSD-3-Clause

// One query through every driver at hand, as ports_start sets it up: pcap, memif, TAP and af_packet
// bring it to the shipped pipeline and take its reply; null brings frames that are none. net_ring
// is what all other packet tests run on. TAP and af_packet need root; they get a network namespace
// of their own, so that nothing of the machine is touched.

#include "dataplane/port/mbuf_pool.h"
#include "dataplane/port/port.h"
#include "harness.h"

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>

enum { MBUFS = 8191, DEADLINE_MS = 60000, NULL_FRAMES = 1000, FRAME_MAX = 2048 };

static char dir[] = "/tmp/weir-test-drivers-XXXXXX";
static bool has_namespace;
static char nothing[] = "";
static uint16_t udp_reply_size = 1232;
static uint8_t port_mac[6]; // of the port at hand
static const struct wire_query query = {.name = "a.example", .to_mac = port_mac};

// A port of a driver in place of the harness's ring.
struct rig {
	struct harness *h;
	struct ports ports;
	struct config config;
	struct rte_mempool *pool;
	char device[64];
};

static void rig_begin(struct rig *r, const char *device, const char *arguments)
{
	static unsigned pools;
	char why[PORT_WHY_MAX] = "";
	*r = (struct rig){.h = harness_begin(NULL)};
	snprintf(r->device, sizeof(r->device), "%s", device);
	r->config = (struct config){
		.dataplane = {.worker_count = 1,
			.port_count = 1,
			.ports = {{.device = r->device, .exception = nothing}},
			.rx_descriptors = 256,
			.tx_descriptors = 256},
		.limits = {.udp_reply_size = udp_reply_size},
	};
	assert_int_equal(rte_vdev_init(device, arguments), 0);
	// Ours alone: a driver's buffers stay with it until its port is closed.
	assert_int_equal(
		mbuf_pool_create(&r->pool, 100 + pools++, 0, MBUFS, 1232, MBUF_POOL_DENSE, why), 0);
	assert_int_equal(ports_find(&r->ports, &r->config.dataplane, why), 0);
	if (ports_start(&r->ports, &r->config, &r->pool, why))
		fail_msg("%s", why);
	struct worker *w = &r->h->w;
	unsigned index = w->index;
	w->index = 0;
	ports_bind(&r->ports, &r->config.dataplane, w);
	w->index = index;
	memcpy(port_mac, &r->ports.port[0].mac, sizeof(port_mac));
	harness_put(r->h, &(struct harness_record){.name = "a.example", .count = 2});
}

static void rig_end(struct rig *r)
{
	ports_stop(&r->ports);
	assert_int_equal(rte_mempool_in_use_count(r->pool), 0);
	rte_mempool_free(r->pool);
	harness_end(r->h);
}

// Turns until the query has been answered.
static void turn_until_hit(struct rig *r)
{
	WAIT_FOR(harness_verdict(r->h, VERDICT_hit) > 0, (void)worker_turn(&r->h->w, 0));
}

static bool is_reply(const uint8_t *frame, size_t len)
{
	// Back to the client over IPv4, from port 53; kernels send frames of their own.
	return len > 42 && memcmp(frame, wire_client_mac, 6) == 0 && frame[12] == 8
	       && frame[23] == 17 && frame[34] == 0 && frame[35] == 53;
}

static void check_reply(const uint8_t *frame, size_t len)
{
	struct wire_reply reply;
	wire_check_answers(frame, len, &query, &reply);
}

TEST(pcap_reads_and_writes_files)
{
	static const uint8_t pcap_mac[6] = {2, 'p', 'c', 'a', 'p', 0}; // the driver's first
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	char in[64], out[64], arguments[192];
	uint8_t frame[WIRE_MAX];
	uint32_t record[4] = {0}, seen_head[6], seen[4];
	struct rig r;
	memcpy(port_mac, pcap_mac, sizeof(port_mac));
	record[2] = record[3] = (uint32_t)wire_make(&query, frame);
	snprintf(in, sizeof(in), "%s/in.pcap", dir);
	snprintf(out, sizeof(out), "%s/out.pcap", dir);
	FILE *f = fopen(in, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(head, sizeof(head), 1, f), 1);
	frame[5] ^= 1; // first one for another host
	assert_int_equal(fwrite(record, sizeof(record), 1, f), 1);
	assert_int_equal(fwrite(frame, record[2], 1, f), 1);
	frame[5] ^= 1;
	assert_int_equal(fwrite(record, sizeof(record), 1, f), 1);
	assert_int_equal(fwrite(frame, record[2], 1, f), 1);
	fclose(f);
	snprintf(arguments, sizeof(arguments), "rx_pcap=%s,tx_pcap=%s", in, out);
	rig_begin(&r, "net_pcap0", arguments);
	assert_memory_equal(port_mac, pcap_mac, sizeof(pcap_mac));
	turn_until_hit(&r);
	assert_int_equal(harness_verdict(r.h, VERDICT_drop_other_host), 1);
	rig_end(&r);
	f = fopen(out, "r");
	assert_non_null(f);
	assert_int_equal(fread(seen_head, sizeof(seen_head), 1, f), 1);
	assert_int_equal(fread(seen, sizeof(seen), 1, f), 1);
	assert_in_range(seen[2], 1, WIRE_MAX);
	assert_int_equal(fread(frame, seen[2], 1, f), 1);
	fclose(f);
	check_reply(frame, seen[2]);
}

TEST(null_frames_all_have_a_verdict)
{
	struct rig r;
	rig_begin(&r, "net_null0", "size=64");
	while (harness_counter(r.h, COUNTER_rx_frames) < NULL_FRAMES)
		(void)worker_turn(&r.h->w, 0);
	rig_end(&r);
}

// A query from the kernel's side of `interface`, and its reply there.
static void exchange_by_socket(struct rig *r, const char *interface)
{
	uint8_t frame[WIRE_MAX];
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
		.sll_protocol = htons(0x0003),
		.sll_ifindex = (int)if_nametoindex(interface),
		.sll_halen = 6};
	const struct timeval wait = {.tv_sec = DEADLINE_MS / 1000};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(0x0003));
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	size_t len = wire_make(&query, frame);
	assert_int_equal(sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
	turn_until_hit(r);
	ssize_t got;
	do {
		got = recv(fd, frame, FRAME_MAX, 0);
	} while (got > 0 && !is_reply(frame, (size_t)got));
	assert_true(got > 0);
	check_reply(frame, (size_t)got);
	close(fd);
}

TEST(tap_answers_the_kernel)
{
	struct rig r;
	if (!has_namespace || access("/dev/net/tun", R_OK | W_OK) != 0)
		skip();
	rig_begin(&r, "net_tap7", "iface=wdrv0");
	assert_int_equal(system("ip link set wdrv0 up"), 0);
	exchange_by_socket(&r, "wdrv0");
	rig_end(&r);
}

TEST(af_packet_answers_on_a_veth)
{
	struct rig r;
	if (!has_namespace
		|| system("ip link add wdrv1 mtu 1600 type veth peer name wdrv2 2>/dev/null") != 0)
		skip();
	assert_int_equal(system("ip link set wdrv1 up && ip link set wdrv2 up"), 0);
	// An interface that the kernel has keeps its MTU, whatever replies may be.
	udp_reply_size = 2000;
	rig_begin(&r, "net_af_packet0", "iface=wdrv1");
	udp_reply_size = 1232;
	assert_in_range(r.ports.port[0].dns_most, 1232, 1500 - 48);
	assert_int_equal(system("ip link show wdrv1 | grep -q 'mtu 1600'"), 0);
	exchange_by_socket(&r, "wdrv2");
	rig_end(&r);
}

static int begin(void **)
{
	log_init("test_packet_drivers", LOG_LEVEL_ERROR);
	if (!mkdtemp(dir))
		return -1;
	has_namespace = geteuid() == 0 && unshare(CLONE_NEWNET) == 0;
	harness_start();
	return 0;
}

static int end(void **)
{
	return folder_remove(dir, "");
}

TEST_GROUP(begin, end)
