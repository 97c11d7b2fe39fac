// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of the control plane's threads, of the control API, of the update notice and of the
// primary's configuration, in the form that config_keys.h explains.

#define CONFIG_KEYS_CONTROLPLANE(X)                                                             \
	X(controlplane, resolvers, resolvers, CHOICE, threads, "1", 0, 0, RESTART,              \
		"Resolver threads. Each resolves its part of all names. `auto`: one for each "  \
		"two CPUs that the control plane may use besides `dataplane.worker_lcores`, "   \
		"and within the CPU quota of its cgroup and of those above it (`cpu.max`, "     \
		"`cpu.cfs_quota_us`), 8 at most.")                                              \
	X(controlplane, frontends, frontends, CHOICE, threads, "1", 0, 0, RESTART,              \
		"Frontend threads. Each serves its part of the clients over TCP, and over UDP " \
		"while no data plane runs. `auto`: one for each four of these CPUs, 8 at most.")

#define CONFIG_KEYS_CONTROL(X)                                                                   \
	X(control, client_ca, client_ca, TEXT, none, "", 0, 200, LIVE,                           \
		"Absolute path of a PEM file with 1 to 32 authorities of clients' "              \
		"certificates. A client with such a certificate needs no token if "              \
		"`control.clients` has its name. Lists of revoked certificates (CRL) may "       \
		"stand in the file. Empty: only tokens.")                                        \
	X(control, page, page, BOOL, none, "false", 0, 0, LIVE,                                  \
		"Whether weir hands out its page for browsers at `/` of each address of "        \
		"`control.listen`. Users log in by a name and a password (`weirctl password`).") \
	X(control, connections, connections, NUMBER, none, "64", 4, 768, RESTART,                \
		"Connections that may be open at a time on each address of `control.listen`.")   \
	X(control, source_connections, source_connections, NUMBER, none, "16", 1, 768, RESTART,  \
		"The same for each client address.")

#define CONFIG_KEYS_UPDATES(X)                                                                    \
	X(updates, check, check, BOOL, none, "false", 0, 0, LIVE,                                 \
		"Whether weir fetches the file at `url` and says when it names a newer version. " \
		"weir installs nothing.")                                                         \
	X(updates, url, url, TEXT, none, "", 0, 500, LIVE,                                        \
		"URL of the file, http or https, without a user. It has 1 KiB at most.")          \
	X(updates, key, key, TEXT, none, "", 0, 60, LIVE,                                         \
		"Ed25519 public key that the file must be signed with: the line of base64 that "  \
		"`openssl pkey -pubout` prints, 60 characters.")                                  \
	X(updates, interval, interval_s, NUMBER, none, "86400", 3600, 2592000, LIVE,              \
		"Seconds between two fetches.")                                                   \
	X(updates, jitter, jitter_s, NUMBER, none, "3600", 0, 86400, LIVE,                        \
		"Seconds of a random delay before each fetch, the first one after a start too.")

#define CONFIG_KEYS_SYNC(X)                                                                       \
	X(sync, primary, primary, TEXT, none, "", 0, 300, LIVE,                                   \
		"URL of the control API of the box that this box takes its shared sections "      \
		"from, with https and without a path. Empty: this box is no secondary.")          \
	X(sync, token_file, token_file, FILE, none, "", 0, 200, LIVE,                             \
		"Absolute path of a file whose first line is a token of the primary; or "         \
		"[credential:NAME or env:NAME](config-files.md#secrets). weir reads it with "     \
		"the configuration. `primary` needs it.")                                         \
	X(sync, ca_file, ca_file, TEXT, none, "", 0, 200, LIVE,                                   \
		"Absolute path of a PEM file with the authorities of the primary's certificate. " \
		"Empty: those of the system.")                                                    \
	X(sync, name, name, TEXT, none, "", 0, 63, LIVE,                                          \
		"How this box names itself to the primary: letters, digits, `-`, `_` and `.`, "   \
		"and not `-` first. Empty: the host name.")                                       \
	X(sync, sign_key_file, sign_key_file, FILE, none, "", 0, 200, LIVE,                       \
		"Absolute path of a PEM file with the Ed25519 private key that this box, as a "   \
		"primary, signs versions with (`openssl genpkey -algorithm ed25519`); or "        \
		"[credential:NAME or env:NAME](config-files.md#secrets). weir reads it with "     \
		"the configuration. Empty: versions are not signed.")

#define CONFIG_CHOICES_CONTROLPLANE(X) \
	X(threads, "1", 1)             \
	X(threads, "2", 2)             \
	X(threads, "3", 3)             \
	X(threads, "4", 4)             \
	X(threads, "5", 5)             \
	X(threads, "6", 6)             \
	X(threads, "7", 7)             \
	X(threads, "8", 8)             \
	X(threads, "auto", CONFIG_THREADS_AUTO)
