// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of the control plane's threads, in the form that config_keys.h explains.

#define CONFIG_KEYS_CONTROLPLANE(X)                                                            \
	X(controlplane, resolvers, resolvers, CHOICE, resolvers, "1", 0, 0, RESTART,           \
		"Resolver threads. Each resolves its part of all names. `auto`: one for each " \
		"two CPUs that the control plane may use besides `dataplane.worker_lcores`, "  \
		"and within the CPU quota of its cgroup and of those above it (`cpu.max`, "    \
		"`cpu.cfs_quota_us`), 8 at most.")

#define CONFIG_CHOICES_CONTROLPLANE(X) \
	X(resolvers, "1", 1)           \
	X(resolvers, "2", 2)           \
	X(resolvers, "3", 3)           \
	X(resolvers, "4", 4)           \
	X(resolvers, "5", 5)           \
	X(resolvers, "6", 6)           \
	X(resolvers, "7", 7)           \
	X(resolvers, "8", 8)           \
	X(resolvers, "auto", CONFIG_RESOLVERS_AUTO)
