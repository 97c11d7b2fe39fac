// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The checks, by subject. Each reports at least one finding, keeps no state, and waits for nothing
// but those of servers (10 s in all at most). docs/how-to/doctor.md lists their verdicts.

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
// The workers' cores: of the running data plane, else of the configuration. 0: reported, as nobody
// knows them. Else their number.
unsigned doctor_cores_of_workers(struct doctor *d, unsigned out[CONFIG_WORKERS_MAX]);
// Its network cards, and interfaces of AF_XDP (doctor_ports.c).
void doctor_check_numa(struct doctor *d);
void doctor_check_iommu(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_xdp(struct doctor *d);
// The text of a device up to its driver's arguments. Returns `out`.
char *doctor_port_name(const char *device, char out[NIC_WORD_MAX]);
// Is it a PCI device that DPDK drives? Then `pci` is its address.
bool doctor_port_is_pci(const struct config_port *p, char pci[PCI_NAME_MAX]);
// Who else resolves names on it (doctor_names.c).
void doctor_check_resolvconf(struct doctor *d);
void doctor_check_port53(struct doctor *d);
// Permissions, ends of certificates, and who is an operator (doctor_files.c).
void doctor_check_files(struct doctor *d);
void doctor_check_certificates(struct doctor *d);
void doctor_check_groups(struct doctor *d);
// The two processes.
void doctor_check_upstreams(struct doctor *d);
void doctor_check_lists(struct doctor *d);
void doctor_check_redis(struct doctor *d);
void doctor_check_clickhouse(struct doctor *d);
