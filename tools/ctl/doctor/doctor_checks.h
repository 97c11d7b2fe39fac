// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The checks, by subject. Each reports at least one finding and keeps no state. Only checks of
// servers wait, 10 s at most in all. docs/how-to/doctor.md lists their verdicts.

#include "doctor.h"
#include "nic/cmd_nic.h"

struct doctor_check {
	const char *name; // NULL behind the last one of a table
	void (*run)(struct doctor *d);
};

// The machine's memory, the limits of the processes, its cores, its kernel and its clock.
extern const struct doctor_check doctor_machine_checks[];
// The machine's network cards, and interfaces of AF_XDP.
extern const struct doctor_check doctor_ports_checks[];
// Other resolvers of names on the machine.
extern const struct doctor_check doctor_names_checks[];
// Permissions, ends of certificates, and users who are operators.
extern const struct doctor_check doctor_files_checks[];
// Upstream servers, lists, Redis and ClickHouse.
extern const struct doctor_check doctor_probe_checks[];

// Finds the workers' cores: the running data plane's, else the configuration's. Returns their
// number; 0: they are unknown, which is reported.
unsigned doctor_cores_of_workers(struct doctor *d, unsigned out[CONFIG_WORKERS_MAX]);
// Copies the text of a device up to its driver's arguments. Returns `out`.
char *doctor_port_name(const char *device, char out[NIC_WORD_MAX]);
// Is it a PCI device that DPDK drives? Then `pci` is its address.
bool doctor_port_is_pci(const struct config_port *p, char pci[PCI_NAME_MAX]);
