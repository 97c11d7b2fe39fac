// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// EAL's command line, made from the configuration, so that an operator never writes one.
//
// It decides everything: the lcores, whether PCI is scanned at all, one --vdev or -a per port, one
// TAP per exception port, memory. EAL shares nothing: it leaves no files behind and unlinks none of
// weir's, and several data planes can run side by side. Start-up only; allocates.

#include <weir/attr.h>
#include <weir/config.h>

// A shorter calibration of the TSC at EAL's start.
//
// Where the CPU does not state its TSC's frequency (virtual machines, AMD, most of the rest), EAL
// counts cycles over nanosleep(100 ms), rounds to 10 MHz, and offers no setting (get_tsc_freq in
// lib/eal/linux/eal_timer.c, DPDK 22.11). That is half of a data plane's start. So the program
// defines nanosleep itself, which EAL's library then calls: between eal_tsc_begin and eal_tsc_end
// a sleep of exactly that length lasts EAL_TSC_SLEEP_MS. EAL divides by the time that really
// passed, so a wrong step of 10 MHz takes a delay of 10 us between two adjacent instructions.
// All other sleeps, of any thread, are nanosleep(2).

enum { EAL_TSC_SLEEP_MS = 5 };

void eal_tsc_begin(void);
void eal_tsc_end(void);

// EAL loads only the drivers that the ports need.
//
// EAL loads every driver in its folder, before those of `-d`, and offers no setting against it
// (eal_plugins_init in lib/eal/common/eal_common_options.c, DPDK 22.11). The development package
// has 128: a third of a start, most of the memory that prefault_lock locks, and time at the end to
// unmap them. So the program defines readdir64 itself, which EAL's library then calls: between
// eal_drivers_begin and eal_drivers_end it leaves out the drivers that no port needs, for the
// calling thread alone. If a port is not one of DPDK's virtual devices that weir knows (a NIC
// needs its bus, and shared parts of its vendor), it leaves out none.

// Borrows `dp` until eal_drivers_end. Main lcore, at start.
void eal_drivers_begin(const struct config_dataplane *dp);
void eal_drivers_end(void);

enum { EAL_ARGS_MAX = 64, EAL_ARG_TEXT_MAX = 512, EAL_WHY_MAX = 256 };

struct eal_args {
	int argc;
	char *argv[EAL_ARGS_MAX + 1]; // NULL behind the last
};

// -EINVAL (`why` names the setting) or -ENOMEM; nothing to free then.
ATTR_MUST_CHECK int eal_args_build(struct eal_args *out, const char *program,
	const struct config *config, char why[EAL_WHY_MAX]);
void eal_args_free(struct eal_args *a);

// Whether a PCI device is a reason why EAL did not start: without huge pages DPDK maps its memory
// for devices 4 KiB at a time, which vfio refuses where the kernel's pages are larger. `why` says
// what to do then.
bool eal_pages_too_large(const struct config_dataplane *dp, size_t page, char why[EAL_WHY_MAX]);

// A device string's name as DPDK knows the port: up to the first comma, a PCI address with its
// domain ("03:00.0,x=1" gives "0000:03:00.0"). -EINVAL when empty or too long.
ATTR_MUST_CHECK int eal_device_name(const char *device, char out[EAL_ARG_TEXT_MAX]);
// The name of the TAP behind exception port number `port`.
void eal_exception_name(unsigned port, char out[EAL_ARG_TEXT_MAX]);

// Are there huge pages for DPDK? With too few EAL says `Cannot allocate memory`, without any
// `Permission denied`. Reads sysfs once, at start.

enum { EAL_PAGES_WHY_MAX = 320 };

#define EAL_PAGES_SYSFS "/sys/kernel/mm/hugepages"

// `sysfs`: EAL_PAGES_SYSFS, except in tests. -ENOMEM: less than `memory_mb` MiB are free, and `why`
// says what to do; 0: that many are free, or it is unknown.
ATTR_MUST_CHECK int eal_pages_check(
	const char *sysfs, unsigned memory_mb, char why[EAL_PAGES_WHY_MAX]);
