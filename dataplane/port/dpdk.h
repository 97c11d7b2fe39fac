// SPDX-License-Identifier: BSD-3-Clause
// DPDK's headers, most of what compiling a file of the data plane takes, read once for a library or
// program. Each file still includes what it uses: with -Db_pch=false, as the package is built,
// nothing of this is there.

#include <rte_arp.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>
