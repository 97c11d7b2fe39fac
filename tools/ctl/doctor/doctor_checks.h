// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The checks, by subject. Each reports at least one finding, keeps no state, and waits for nothing
// but those of servers (10 s in all at most). docs/how-to/doctor.md lists their verdicts.

#include "doctor.h"

// The machine's memory (doctor_memory.c).
void doctor_check_hugepages(struct doctor *d);
void doctor_check_memory(struct doctor *d);
void doctor_check_swap(struct doctor *d);
// The limits of the processes (doctor_limits.c).
void doctor_check_limits(struct doctor *d);
// Its cores (doctor_cores.c).
void doctor_check_cores(struct doctor *d);
void doctor_check_interrupts(struct doctor *d);
void doctor_check_governor(struct doctor *d);
void doctor_check_numa(struct doctor *d);
// Its network cards (doctor_ports.c).
void doctor_check_iommu(struct doctor *d);
void doctor_check_ports(struct doctor *d);
// Interfaces of AF_XDP (doctor_xdp.c).
void doctor_check_xdp(struct doctor *d);
// Its kernel and clock (doctor_kernel.c).
void doctor_check_clock(struct doctor *d);
void doctor_check_kernel(struct doctor *d);
// Who else resolves names on it (doctor_names.c).
void doctor_check_resolvconf(struct doctor *d);
void doctor_check_port53(struct doctor *d);
// Permissions (doctor_files.c), and of a file of the configuration what the data plane's user reads
// there (doctor_secrets.c).
void doctor_check_files(struct doctor *d);
void doctor_secrets_check(struct doctor *d, const char *path);
// Ends of certificates (doctor_certificates.c).
void doctor_check_certificates(struct doctor *d);
// Who is an operator (doctor_groups.c).
void doctor_check_groups(struct doctor *d);
// The two processes (doctor_services.c).
void doctor_check_processes(struct doctor *d);
void doctor_check_units(struct doctor *d);
void doctor_check_versions(struct doctor *d);
// What they need on the network (doctor_reach.c, doctor_needs.c).
void doctor_check_upstreams(struct doctor *d);
void doctor_check_lists(struct doctor *d);
void doctor_check_redis(struct doctor *d);
void doctor_check_clickhouse(struct doctor *d);
