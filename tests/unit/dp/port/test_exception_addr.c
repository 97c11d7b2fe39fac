// SPDX-License-Identifier: BSD-3-Clause

// In a network namespace of its own, on a TAP of its own. Skipped where that is not allowed.

#include "dataplane/port/exception_addr.h"
#include "tests/unit/unit.h"

#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/time.h>
#include <sys/wait.h>

static const char *skip_reason;
static int tap = -1;

static int setup(void **)
{
	if (unshare(CLONE_NEWNET) != 0) {
		skip_reason = "needs root (unshare of the network namespace)";
		return 0;
	}
	tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = {.ifr_name = "xtest0", .ifr_flags = IFF_TAP | IFF_NO_PI};
	if (tap < 0 || ioctl(tap, TUNSETIFF, &request) != 0)
		skip_reason = "needs /dev/net/tun";
	return 0;
}

static int teardown(void **)
{
	if (tap >= 0)
		close(tap);
	return 0;
}

static void need_namespace(void)
{
	if (!skip_reason)
		return;
	print_message("skipped: %s\n", skip_reason);
	skip();
}

// How often the interface carries this address, and whether it is up.
static unsigned addresses_like(const struct ip_address *want, bool *up)
{
	struct ifaddrs *all;
	unsigned found = 0;
	assert_int_equal(getifaddrs(&all), 0);
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "xtest0") != 0 || !i->ifa_addr)
			continue;
		*up = i->ifa_flags & IFF_UP;
		const struct sockaddr_in *v4 = (const void *)i->ifa_addr;
		const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;
		if (i->ifa_addr->sa_family == AF_INET && want->version == 4)
			found += memcmp(&v4->sin_addr, want->bytes, 4) == 0;
		if (i->ifa_addr->sa_family == AF_INET6 && want->version == 6)
			found += memcmp(&v6->sin6_addr, want->bytes, 16) == 0;
	}
	freeifaddrs(all);
	return found;
}

static void parse(struct ip_address *out, const char *text)
{
	assert_int_equal(ip_address_parse(text, out), 0);
}

TEST(sets_up_and_addresses_twice_without_harm)
{
	need_namespace();
	struct ip_address a[3];
	char why[EXCEPTION_WHY_MAX] = "";
	bool up = false;
	parse(&a[0], "198.18.77.53/24");
	parse(&a[1], "fd53:0:0:77::53/64");
	parse(&a[2], "198.18.78.53");
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(exception_addr_apply("xtest0", a, 3, why), 0);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(addresses_like(&a[i], &up), 1);
			assert_true(up);
		}
	}
}

TEST(usable_at_once)
{
	need_namespace();
	struct ip_address a;
	char why[EXCEPTION_WHY_MAX] = "";
	parse(&a, "fd53:0:0:78::53/64");
	assert_int_equal(exception_addr_apply("xtest0", &a, 1, why), 0);
	// A tentative address cannot be bound.
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 name = {.sin6_family = AF_INET6};
	memcpy(&name.sin6_addr, a.bytes, 16);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	close(fd);
}

TEST(says_what_is_wrong)
{
	need_namespace();
	struct ip_address a = {.version = 4, .prefix_len = 33, .bytes = {198, 18, 79, 1}};
	char why[EXCEPTION_WHY_MAX] = "";
	assert_int_equal(exception_addr_apply("nowhere0", &a, 1, why), -ENODEV);
	assert_non_null(strstr(why, "nowhere0"));
	assert_int_equal(exception_addr_apply("xtest0", &a, 1, why), -EINVAL);
	assert_non_null(strstr(why, "198.18.79.1"));
}

// One that no port names any more is removed, with its addresses; others are not touched.
TEST(removes_what_is_left_of_an_earlier_configuration)
{
	need_namespace();
	char name[] = "xtest0", none[] = "", other[] = "xnone";
	struct config_dataplane with = {.port_count = 1, .ports = {{.exception = name}}},
				gone = {.port_count = 1, .ports = {{.exception = other}}},
				without = {.port_count = 1, .ports = {{.exception = none}}};
	assert_int_equal(exception_left_remove(&without, 7), 0); // no mark
	assert_int_equal(exception_left_mark(&with, 7), 1);
	assert_int_equal(exception_left_mark(&with, 7), 1);
	assert_int_equal(exception_left_mark(&gone, 7), 0);
	assert_int_equal(exception_left_remove(&with, 7), 0);
	assert_int_equal(exception_left_remove(&without, 8), 0);
	assert_int_not_equal(if_nametoindex("xtest0"), 0);
	assert_int_equal(exception_left_remove(&without, 7), 1);
	assert_int_equal(if_nametoindex("xtest0"), 0);
}

static bool has_alias(const char *alias)
{
	return system(text_from("ip link show xtest0 | grep -q 'alias %s$'", alias)) == 0;
}

// The interface of a TAP port outlives the data plane as well. Another program's has no mark.
TEST(marks_the_interface_of_a_tap_port)
{
	need_namespace();
	char none[] = "", device[] = "net_tap0,iface=xtest0,persist";
	const struct config_dataplane with = {.port_count = 1,
					      .ports = {{.device = device, .exception = none}}},
				      without = {.port_count = 1, .ports = {{.exception = none}}};
	assert_int_equal(system("ip tuntap add xtest0 mode tap"), 0);
	assert_int_equal(exception_left_remove(&without, 7), 0);
	assert_int_equal(exception_left_mark(&with, 7), 1);
	assert_true(has_alias("weir exception of 0000000000000007"));
	assert_int_equal(exception_left_remove(&with, 7), 0);
	assert_int_equal(exception_left_remove(&without, 7), 1);
	assert_int_equal(if_nametoindex("xtest0"), 0);
}

// An operator may have named the interface. Such a name stays, and the interface with it.
TEST(keeps_the_alias_of_an_operator)
{
	need_namespace();
	char name[] = "xtest0", none[] = "";
	struct config_dataplane with = {.port_count = 1, .ports = {{.exception = name}}},
				without = {.port_count = 1, .ports = {{.exception = none}}};
	assert_int_equal(system("ip tuntap add xtest0 mode tap"), 0);
	assert_int_equal(system("ip link set xtest0 alias 'uplink of weir'"), 0);
	assert_int_equal(exception_left_mark(&with, 7), 0);
	assert_true(has_alias("uplink of weir"));
	assert_int_equal(exception_left_remove(&without, 7), 0);
	// Without it, and from a weir that had another identity, the interface is taken.
	assert_int_equal(system("ip link set xtest0 alias ''"), 0);
	assert_int_equal(exception_left_mark(&with, 8), 1);
	assert_int_equal(exception_left_mark(&with, 7), 1);
	assert_true(has_alias("weir exception of 0000000000000007"));
	assert_int_equal(exception_left_remove(&without, 7), 1);
}

// Other names by the hundred, with which the kernel's description is longer than weir reads.
TEST(keeps_an_alias_that_it_cannot_read)
{
	need_namespace();
	char name[] = "xtest0";
	const struct config_dataplane with = {.port_count = 1, .ports = {{.exception = name}}};
	assert_int_equal(system("ip tuntap add xtest0 mode tap"), 0);
	assert_int_equal(system("ip link set xtest0 alias 'uplink of weir'"), 0);
	assert_int_equal(system("for i in $(seq 101 300); do echo link property add dev xtest0"
				" altname $(printf \"x$i%0100d\" 0); done | ip -batch -"),
		0);
	assert_int_equal(exception_left_mark(&with, 7), 0);
	assert_true(has_alias("uplink of weir"));
	assert_int_equal(system("ip link del xtest0"), 0);
}

static int attach(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = {
		.ifr_name = "xtest0", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

// Two data planes would share the frames of one TAP, and the MAC address of the second would stay.
TEST(a_tap_that_a_process_has_is_not_free)
{
	need_namespace();
	char why[EXCEPTION_WHY_MAX] = "", name[] = "xtest0", none[] = "";
	char tap_port[] = "net_tap0,iface=xtest0,persist", other[] = "net_tap0,iface=xtest00";
	const struct config_dataplane of[] = {
		{.port_count = 2, .ports = {{.exception = none}, {.exception = name}}},
		{.port_count = 1, .ports = {{.device = tap_port, .exception = none}}},
	};
	const struct config_dataplane without = {
		.port_count = 1, .ports = {{.device = other, .exception = none}}};
	assert_int_equal(exception_free(&of[0], why), 0); // before it is made
	assert_int_equal(system("ip tuntap add xtest0 mode tap multi_queue"), 0);
	assert_int_equal(exception_left_mark(&of[1], 7), 1);
	assert_int_equal(exception_free(&of[0], why), 0);
	int fd = attach();
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		why[0] = '\0';
		assert_int_equal(exception_free(&of[i], why), -EBUSY);
		assert_non_null(strstr(why, "xtest0: another process is attached to it"));
		assert_non_null(strstr(why, "(weir exception of 0000000000000007)"));
	}
	assert_int_equal(exception_free(&without, why), 0);
	// One that ends is waited for.
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct itimerval soon = {.it_value.tv_usec = 300000};
		(void)setitimer(ITIMER_REAL, &soon, NULL);
		(void)pause(); // SIGALRM ends it
	}
	close(fd);
	assert_int_equal(exception_free(&of[0], why), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	// What is no TAP has a carrier of its own, and the driver's reasons to be refused.
	assert_int_equal(system("ip link del xtest0"), 0);
	assert_int_equal(system("ip link add xtest0 type veth peer name xtest1 && "
				"ip link set xtest0 up && ip link set xtest1 up"),
		0);
	assert_int_equal(exception_free(&of[0], why), 0);
	assert_int_equal(system("ip link del xtest0"), 0);
}

// Two that start at one moment find each other by their queues.
TEST(more_queues_than_ours_are_anothers)
{
	need_namespace();
	char why[EXCEPTION_WHY_MAX] = "", name[] = "xtest0";
	const struct config_dataplane dp = {
		.worker_count = 2, .port_count = 1, .ports = {{.exception = name}}};
	assert_int_equal(unshare(CLONE_NEWNS), 0); // /sys shows the network that mounted it
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	int ours[] = {attach(), attach()};
	assert_int_equal(exception_alone(&dp, why), 0);
	int theirs = attach();
	assert_int_equal(exception_alone(&dp, why), -EBUSY);
	assert_non_null(strstr(why, "xtest0"));
	close(theirs);
	assert_int_equal(exception_alone(&dp, why), 0);
	close(ours[0]);
	close(ours[1]);
	assert_int_equal(exception_alone(&dp, why), 0);
}

TEST_GROUP(setup, teardown)
