// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The checks, by subject. Each reports at least one finding and keeps no state. Only checks of
// servers wait, 10 s at most in all. docs/how-to/doctor.md lists their verdicts.

#include "doctor.h"
#include "nic/cmd_nic.h"

// The machine's memory, the limits of the processes, its cores, its kernel and its clock
// (doctor_machine.c).
void doctor_check_hugepages(struct doctor *d);
void doctor_check_memory(struct doctor *d);
void doctor_check_swap(struct doctor *d);
void doctor_check_limits(struct doctor *d);
void doctor_check_cores(struct doctor *d);
void doctor_check_interrupts(struct doctor *d);
void doctor_check_governor(struct doctor *d);
void doctor_check_clock(struct doctor *d);
void doctor_check_kernel(struct doctor *d);
// Finds the workers' cores: the running data plane's, else the configuration's. Returns their
// number; 0: they are unknown, which is reported.
unsigned doctor_cores_of_workers(struct doctor *d, unsigned out[CONFIG_WORKERS_MAX]);
// The machine's network cards, and interfaces of AF_XDP (doctor_ports.c).
void doctor_check_numa(struct doctor *d);
void doctor_check_iommu(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_xdp(struct doctor *d);
// Copies the text of a device up to its driver's arguments. Returns `out`.
char *doctor_port_name(const char *device, char out[NIC_WORD_MAX]);
// Is it a PCI device that DPDK drives? Then `pci` is its address.
bool doctor_port_is_pci(const struct config_port *p, char pci[PCI_NAME_MAX]);
// Other resolvers of names on the machine (doctor_names.c).
void doctor_check_resolvconf(struct doctor *d);
void doctor_check_port53(struct doctor *d);
// Permissions, ends of certificates, and users who are operators (doctor_files.c).
void doctor_check_files(struct doctor *d);
void doctor_check_certificates(struct doctor *d);
void doctor_check_groups(struct doctor *d);
// Upstream servers, lists, Redis and ClickHouse (doctor_probe.c).
void doctor_check_upstreams(struct doctor *d);
void doctor_check_lists(struct doctor *d);
void doctor_check_redis(struct doctor *d);
void doctor_check_clickhouse(struct doctor *d);
