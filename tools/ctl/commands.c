// SPDX-License-Identifier: BSD-3-Clause

// The commands of weirctl, in the order of its help.

#include "lib/ctl.h"

const struct ctl_command ctl_commands[] = {
	{"status", NULL, 0, 0, 0, cmd_status, "",
		"Show the state of both processes. Exit status 1 unless both are up."},
	{"stats", NULL, 0, 0, CTL_OPT_INTERVAL, cmd_stats, "[--interval S]",
		"Show the counters of both processes, with rates over S seconds: 1 if not given, 0 "
		"for totals only."},
	{"ready", NULL, 0, 0, CTL_OPT_STRICT | CTL_OPT_FOR, cmd_ready,
		"[--strict] [--for balancer|anycast|human]",
		"Check that this box answers clients. Exit status 1 and the reasons if not; "
		"--strict: also if anything is degraded; --for anycast: with a hold-down; --for "
		"human: with since when, and what to do."},
	{"wait", NULL, 1, 4, CTL_OPT_FOR | CTL_OPT_SINCE, cmd_wait,
		"generations|ready|drained|lists|list NAME|upstream SERVER up|down|drained|event "
		"KIND|counter PATH OP VALUE [--for T] [--since N]",
		"Wait until that is so, for at most T (60s; 500ms, 5m, 1h). Exit status 1 and what "
		"was seen last if it is not. OP: >= > == <= < !=; PATH: a command and keys of its "
		"--json, as in stats.dataplane.counters.rx_frames; N: the number of an event to "
		"begin behind."},
	{"drain", NULL, 0, 0, 0, cmd_drain, "",
		"Make /ready say 503, so that balancers send queries elsewhere; weir goes on "
		"answering. A restart of the control plane ends it."},
	{"undrain", NULL, 0, 0, 0, cmd_undrain, "", "End weirctl drain."},
	{"errors", NULL, 0, 0, 0, cmd_errors, "",
		"List errors and warnings of both processes by kind, newest first, with their "
		"ids."},
	{"events", NULL, 0, 0, CTL_OPT_SINCE | CTL_OPT_FOLLOW, cmd_events,
		"[--since N|T] [--follow]",
		"Show what happened since the event of number N or the time T (90s, 15m, 2h, 7d "
		"ago), oldest first; --follow: and what happens, until interrupted."},
	{"trace", NULL, 0, 0, CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_SECONDS | CTL_OPT_LIMIT,
		cmd_trace, "[--name N] [--client C] [--verdict V] [--seconds S] [--limit N]",
		"Trace queries through the workers for S seconds (3), with the time of each "
		"stage."},
	{"capture", NULL, 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_SECONDS | CTL_OPT_LIMIT | CTL_OPT_OUTPUT,
		cmd_capture,
		"-o FILE [--verdict V] [--name N] [--client C] [--seconds S] [--limit N]",
		"Write the frames of queries and replies to a pcap file. V: a verdict, malformed "
		"or dropped."},
	{"metrics", NULL, 0, 0, 0, cmd_metrics, "",
		"Print all metrics in the Prometheus text format."},
	{"ports", NULL, 0, 0, CTL_OPT_LOCAL, cmd_ports, "",
		"Show each port: link, addresses, queues, offloads."},
	{"drops", "list", 0, 0, 0, cmd_drops_list, "",
		"List the drop rules, and how many of them a port has in force."},
	{"drops", "add", 2, 2, 0, cmd_drops_add, "SOURCE MINUTES",
		"Drop all frames from SOURCE (IP or prefix) at the ports that can, for up to 1440 "
		"minutes. An operator over the network may drop /16 at most, /32 of IPv6, for up "
		"to 60 minutes, and no place of an admin."},
	{"drops", "remove", 1, 1, 0, cmd_drops_remove, "SOURCE", "Remove a drop rule."},
	{"why", NULL, 1, 1, CTL_OPT_CLIENT | CTL_OPT_MAC | CTL_OPT_GROUP, cmd_why,
		"NAME [--client C] [--mac MAC] [--vlan N] [--group G] [--type T]",
		"Explain what the client gets for NAME: its group, the rules with their lines, the "
		"reply."},
	{"cache", "get", 1, 2, 0, cmd_cache_get, "NAME [TYPE]",
		"Show the cached records of NAME in both tiers. Exit status 1 if there are none."},
	{"cache", "flush", 0, 1, CTL_OPT_BELOW | CTL_OPT_ALL, cmd_cache_flush,
		"NAME|--below NAME|--all",
		"Remove NAME, a name with all below it, or everything, also from Redis and other "
		"boxes."},
	{"cache", "stats", 0, 0, 0, cmd_cache_stats, "",
		"Show size, hits and counters of both cache tiers."},
	{"refresh", "stats", 0, 0, 0, cmd_refresh_stats, "",
		"Show refresh-ahead: its state, and the last 24 h by the minute."},
	{"blocklist", "status", 0, 0, 0, cmd_blocklist_status, "",
		"Show the lists: names, last update and failure of each; image, pause, rollback."},
	{"blocklist", "reload", 0, 0, CTL_OPT_FORCE, cmd_blocklist_reload, "[--force]",
		"Read the lists again. Build the rule image if a list changed; --force: in any "
		"case."},
	{"blocklist", "rollback", 0, 0, 0, cmd_blocklist_rollback, "",
		"Activate the previous rule image; it stays until the next blocklist reload."},
	{"blocklist", "pause", 1, 1, CTL_OPT_GROUP | CTL_OPT_ALL, cmd_blocklist_pause,
		"MINUTES [--group G|--all]",
		"Pause blocking for 1 to 1440 minutes: for all clients, or for group G; --all: "
		"block_all of schedules too."},
	{"blocklist", "resume", 0, 0, CTL_OPT_GROUP, cmd_blocklist_resume, "[--group G]",
		"End the pause of blocking."},
	{"allow", NULL, 1, 1, CTL_OPT_GROUP | CTL_OPT_FOR | CTL_OPT_WHY | CTL_OPT_REMOVE, cmd_allow,
		"NAME|/PATTERN/ [--group G] [--for T] [--why TEXT] | --remove NAME [--group G]",
		"Allow NAME and all names below it, for all clients or for group G, for T (90s, "
		"15m, 2h, 7d); --remove: end that."},
	{"deny", NULL, 1, 1, CTL_OPT_GROUP | CTL_OPT_FOR | CTL_OPT_WHY | CTL_OPT_REMOVE, cmd_deny,
		"NAME|/PATTERN/ [--group G] [--for T] [--why TEXT] | --remove NAME [--group G]",
		"Block NAME and all names below it, in the same way."},
	{"entries", NULL, 0, 0, 0, cmd_entries, "",
		"List the entries of allow and deny: end, reason; also `entries` in the files."},
	{"list", "show", 0, 0, 0, cmd_list_show, "",
		"List the block and allow lists: in use or disabled, and where they come from."},
	{"list", "add", 2, 2, CTL_OPT_ALLOW | CTL_OPT_FORMAT | CTL_OPT_WHY, cmd_list_add,
		"NAME URL|PATH [--allow] [--format F] [--why TEXT]",
		"Add a block list; --allow: an allow list."},
	{"list", "remove", 1, 1, CTL_OPT_WHY, cmd_list_remove, "NAME [--why TEXT]",
		"Remove a list that list add made."},
	{"list", "disable", 1, 1, CTL_OPT_WHY, cmd_list_disable, "NAME [--why TEXT]",
		"Take a list out of use; it stays defined."},
	{"list", "enable", 1, 1, CTL_OPT_WHY, cmd_list_enable, "NAME [--why TEXT]",
		"Use a disabled list again."},
	{"local", "add", 3, 3, CTL_OPT_WHY, cmd_local_add, "NAME TYPE DATA [--why TEXT]",
		"Add a local record."},
	{"local", "remove", 1, 3, CTL_OPT_WHY, cmd_local_remove, "NAME [TYPE [DATA]] [--why TEXT]",
		"Remove the local records of NAME that local add made: all, those of TYPE, or the "
		"one with DATA."},
	{"group", "add", 2, 2, CTL_OPT_WHY, cmd_group_add, "CLIENT GROUP [--why TEXT]",
		"Add a client (address, prefix, MAC, name) to a group."},
	{"group", "remove", 1, 2, CTL_OPT_WHY, cmd_group_remove, "CLIENT [GROUP] [--why TEXT]",
		"Take a client out of a group: the one that group add put it into."},
	{"group", "move", 2, 2, CTL_OPT_WHY, cmd_group_move, "CLIENT GROUP [--why TEXT]",
		"Put a client into another group."},
	{"groups", NULL, 0, 0, 0, cmd_groups, "",
		"List the groups of clients: their lists and services, and the schedules in "
		"force."},
	{"services", NULL, 0, 0, 0, cmd_services, "",
		"List the services that can be blocked by name."},
	{"log", "search", 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_PART | CTL_OPT_GROUP | CTL_OPT_VALIDATION
			| CTL_OPT_SINCE | CTL_OPT_LIMIT,
		cmd_log_search,
		"[--name N] [--part TEXT] [--client C] [--group G] [--verdict V] [--rcode R] "
		"[--validation W] [--since T] [--until T] [--limit N]",
		"Search the stored queries, newest first. TEXT: a part of a name. R: NXDOMAIN or "
		"a number. T: 90s, 15m, 2h, 7d ago, or 2026-11-20T10:00. W: none, secure, "
		"insecure or bogus."},
	{"log", "export", 0, 0,
		CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_PART | CTL_OPT_GROUP | CTL_OPT_VALIDATION
			| CTL_OPT_SINCE | CTL_OPT_FORMAT,
		cmd_log_export,
		"[--format csv|jsonl] [--name N] [--part TEXT] [--client C] [--group G] "
		"[--verdict V] [--rcode R] [--validation W] [--since T] [--until T]",
		"Export all stored queries that match, oldest first."},
	{"selftest", NULL, 0, 0, CTL_OPT_RATE | CTL_OPT_SECONDS | CTL_OPT_FORCE | CTL_OPT_LOCAL,
		cmd_selftest, "--rate [--seconds S] [--force]",
		"Measure this machine: start a second weir, and send it queries for 4 S seconds."},
	{"mem", "tables", 0, 0, 0, cmd_mem_tables, "",
		"List every table, queue, pool and buffer: use, highest use, refusals."},
	{"mem", "alarms", 0, 0, 0, cmd_mem_alarms, "",
		"List what grows without an explanation: in both processes, and in which code."},
	{"mem", "accounts", 0, 0, 0, cmd_mem_accounts, "",
		"Show memory by subsystem: compared with the allocator and the kernel; the "
		"unaccounted rest."},
	{"mem", "files", 0, 0, 0, cmd_mem_files, "", "Show memory by source file."},
	{"mem", "sites", 0, 0, 0, cmd_mem_sites, "",
		"Show memory by allocation site: function (file:line), most bytes first."},
	{"mem", "regions", 0, 0, 0, cmd_mem_regions, "",
		"List shared memory and huge pages by name: as each process maps them."},
	{"mem", "kinds", 0, 0, 0, cmd_mem_kinds, "",
		"Count mappings and descriptors of each process by kind; deleted regions that are "
		"still mapped, too."},
	{"mem", "snapshot", 1, 1, CTL_OPT_LOCAL, cmd_mem_snapshot, "NAME",
		"Save a snapshot of all memory accounts as NAME."},
	{"mem", "plan", 0, 1, CTL_OPT_LOCAL, cmd_mem_plan, "[FILE]",
		"Compute the most memory that a configuration needs: FILE, or the one in use. Exit "
		"status 1: it does not fit."},
	{"mem", "diff", 1, 2, CTL_OPT_LOCAL, cmd_mem_diff, "A [B]",
		"Show the growth between two snapshots, or since A, largest first."},
	{"pending", NULL, 0, 0, CTL_OPT_LIMIT, cmd_pending, "[--limit N]",
		"List questions in flight, jobs and requests, and what each waits for; the oldest "
		"first."},
	{"upstreams", NULL, 0, 0, 0, cmd_upstreams, "",
		"List the upstream servers of every set: state, share of the queries, round trips, "
		"errors."},
	{"upstream", "add", 1, 1, CTL_OPT_WHY, cmd_upstream_add, "SERVER [--why TEXT]",
		"Ask an upstream server too: 9.9.9.9, tls://NAME@ADDRESS, "
		"https://NAME@ADDRESS/PATH."},
	{"upstream", "remove", 1, 1, CTL_OPT_WHY, cmd_upstream_remove, "SERVER [--why TEXT]",
		"Stop the use of a server that upstream add added."},
	{"upstream", "test", 1, 1, 0, cmd_upstream_test, "NAME|ADDRESS",
		"Send an upstream server a query by UDP and one over TCP. Exit status 1: it does "
		"not answer."},
	{"upstream", "drain", 1, 1, 0, cmd_upstream_drain, "NAME|ADDRESS",
		"Send an upstream server no more questions, until undrain or a restart."},
	{"upstream", "undrain", 1, 1, 0, cmd_upstream_undrain, "NAME|ADDRESS",
		"Send an upstream server questions again."},
	{"tcp", NULL, 0, 0, 0, cmd_tcp, "",
		"Show DNS over TCP: listeners, connections, refusals, reasons for closing."},
	{"token", "create", 1, 1, CTL_OPT_ROLE | CTL_OPT_EXPIRES, cmd_token_create,
		"NAME --role read|operate|admin [--expires T]",
		"Make a token for the control API over the network, and print it once. T: 12h, "
		"30d, or 2027-01-31; else it never expires."},
	{"token", "list", 0, 0, 0, cmd_token_list, "",
		"List the tokens: role, state, expiry, last use."},
	{"token", "revoke", 1, 1, 0, cmd_token_revoke, "NAME", "Revoke a token."},
	{"password", "set", 1, 1, CTL_OPT_ROLE, cmd_password_set, "USER --role read|operate|admin",
		"Give a local user of the control API a password, read from the terminal or "
		"stdin."},
	{"password", "list", 0, 0, 0, cmd_password_list, "",
		"List the local users with a password, and count the sessions."},
	{"password", "remove", 1, 1, 0, cmd_password_remove, "USER",
		"Remove a local user, and end its sessions."},
	{"audit", NULL, 0, 0, CTL_OPT_LIMIT, cmd_audit, "[--limit N]",
		"Show the last N (50) entries of the audit log: changes, and refused requests."},
	{"log", "tail", 0, 0, CTL_OPT_CLIENT | CTL_OPT_NAME | CTL_OPT_VALIDATION | CTL_OPT_GROUP,
		cmd_log_tail, "[--name N] [--client C] [--verdict V] [--validation W] [--group G]",
		"Print queries as they arrive, until interrupted; --json: one line each."},
	{"log", "status", 0, 0, 0, cmd_log_status, "",
		"Show the query log: its rows, the queries they represent, and the counts of each "
		"sink."},
	{"top", NULL, 0, 0,
		CTL_OPT_LIMIT | CTL_OPT_SINCE | CTL_OPT_CLIENT | CTL_OPT_WATCH | CTL_OPT_INTERVAL,
		cmd_top, "[--since T] [--client C] [--limit N] [--watch [--interval S]]",
		"List the most queried, blocked, missing and slow names, the busiest clients, and "
		"the rules that blocked most: of the last 30 minutes, or since T (24h, 30d) or of "
		"client C from the query store. --watch: on the whole screen, with rates, until q; "
		"asked again each S seconds: 2, or 10 with --since or --client."},
	{"clients", "names", 0, 0, 0, cmd_client_names, "",
		"Show where names of clients come from: files of hosts and leases, and PTR."},
	{"clients", NULL, 0, 1, CTL_OPT_LIMIT | CTL_OPT_SINCE, cmd_clients,
		"[CLIENT] [--since T] [--limit N]",
		"List the clients since T (24h): name, address, MAC, queries, blocked, first and "
		"last seen; of one CLIENT (address or name) its names, too."},
	{"toggles", NULL, 0, 0, 0, cmd_toggles, "",
		"List the runtime toggles of the control plane, with their values."},
	{"set", NULL, 2, 2, 0, cmd_set, "TOGGLE on|off|N|default",
		"Set a runtime toggle until the control plane ends."},
	{"bisect", NULL, 0, 1, CTL_OPT_SECONDS | CTL_OPT_LOAD, cmd_bisect,
		"[TOGGLE,...] [--seconds S] [--load COMMAND]",
		"Find the part that grows: change one toggle at a time for S seconds (60) while "
		"COMMAND runs."},
	{"heap", "status", 0, 0, 0, cmd_heap_status, "",
		"Show the control plane's heap: its allocations per second, and whether it is "
		"profiled."},
	{"heap", "on", 0, 1, 0, cmd_heap_on, "[BYTES|default]",
		"Profile the heap: one sample per BYTES, a power of two (65536); default: 524288, "
		"as from the start."},
	{"heap", "off", 0, 0, 0, cmd_heap_off, "", "Stop profiling the heap."},
	{"heap", "dump", 1, 1, 0, cmd_heap_dump, "FILE",
		"Write the heap profile to the new FILE: for heap diff, jeprof or pprof."},
	{"heap", "diff", 1, 2, CTL_OPT_CUMULATIVE, cmd_heap_diff,
		"[--cumulative] FILE|auto-N [FILE]",
		"Show the growth from the first profile to the second, or to now, by call stack; "
		"--cumulative: by function, with all that it calls."},
	{"profile", NULL, 1, 1, CTL_OPT_SECONDS | CTL_OPT_OUTPUT, cmd_profile,
		"cpu|alloc|threads [--seconds S] [-o FILE]",
		"Profile the control plane: CPU time of S seconds (30), allocations since its "
		"start, what each thread does; -o: as a file for pprof, in its own format if FILE "
		"ends in .pb."},
	{"threads", NULL, 0, 0, 0, cmd_threads, "", "List the threads of the control plane."},
	{"connections", NULL, 0, 0, 0, cmd_connections, "",
		"List the sockets of the control plane."},
	{"mem", "slope", 0, 0, CTL_OPT_SECONDS, cmd_mem_slope, "[--seconds S]",
		"Show memory growth, in total and by subsystem, over the last S seconds (3600)."},
	{"mem", "history", 0, 1, 0, cmd_mem_history, "[MEMORY]",
		"List the runs of the control plane: why each ended, and its memory (RSS) by the "
		"hour."},
	{"xdp", "status", 0, 0, CTL_OPT_LOCAL, cmd_xdp_status, "",
		"Show the XDP programs on AF_XDP interfaces, and their counters."},
	{"xdp", "detach", 0, 1, CTL_OPT_FORCE | CTL_OPT_LOCAL, cmd_xdp_detach, "[IFACE] [--force]",
		"Detach the XDP program that a killed data plane left; --force: also that of a "
		"running one."},
	{"doctor", NULL, 0, 1, CTL_OPT_REPORT | CTL_OPT_LOCAL, cmd_doctor, "[CHECK|--report]",
		"Check the machine for weir, and print the command that mends each finding; needs "
		"no running weir. Exit status 1: something is wrong. --report: say for a public "
		"bug report which machine it is, without names, addresses and paths."},
	{"setup", NULL, 0, 0, CTL_OPT_SETUP | CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_LOCAL,
		cmd_setup,
		"[--interface IF] [--address A,...] [--lists L,...] [--upstreams U,...] "
		"[--password-file FILE|none] [--yes] [--force] [--dry-run] [--known]",
		"Make weir serve a network: ask five questions, check the machine, write the "
		"configuration, restart both processes; --yes: ask nothing; --known: only list the "
		"interface, its addresses, and names of lists and servers."},
	{"nic", "status", 0, 0, CTL_OPT_LOCAL, cmd_nic_status, "",
		"List the network devices: driver, interface, NUMA node, IOMMU group, and what "
		"stands in the way of a bind."},
	{"nic", "bind", 1, 2, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_ONCE | CTL_OPT_LOCAL,
		cmd_nic_bind, "[--once] [--force] [--dry-run] DEVICE [DRIVER]",
		"Take a device (PCI address or interface) from the kernel, and bind it to vfio-pci "
		"or DRIVER, at each boot too; --once: until the next boot; --force: also one in "
		"use; --dry-run: only say what would change."},
	{"nic", "unbind", 1, 2, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_ONCE | CTL_OPT_LOCAL,
		cmd_nic_unbind, "[--once] [--force] [--dry-run] DEVICE [DRIVER]",
		"Give a device back to the kernel: to DRIVER, or to the driver that knows it; "
		"--once: until the next boot."},
	{"nic", "remember", 1, 1, CTL_OPT_LOCAL, cmd_nic_remember, "DEVICE",
		"Bind a device to vfio-pci at each boot (weir-nic@DEVICE.service)."},
	{"nic", "forget", 1, 1, CTL_OPT_LOCAL, cmd_nic_forget, "DEVICE",
		"Stop binding a device at boot."},
	{"import", NULL, 2, 60, CTL_OPT_OUTPUT | CTL_OPT_ALL | CTL_OPT_FORCE | CTL_OPT_LOCAL,
		cmd_import,
		"pihole|adguardhome|unbound|dnsmasq|blocky|technitium|beyond-ads-dns FILE... [-o "
		"FILE] [--force] [--all]",
		"Turn the configuration of another resolver into one of weir, on stdout or in a "
		"new FILE; name what is lost on stderr. --force: replace FILE; --all: name the "
		"verdict on every key."},
	{"backup", NULL, 1, 1, CTL_OPT_ALL | CTL_OPT_FORCE | CTL_OPT_LOCAL, cmd_backup,
		"[--all] [--force] FILE",
		"Write the configuration with its included files and its history to the new FILE, "
		"a tar archive; --all: all of the state directory, too."},
	{"restore", NULL, 1, 1, CTL_OPT_FORCE | CTL_OPT_DRY_RUN | CTL_OPT_LOCAL, cmd_restore,
		"[--dry-run] [--force] FILE",
		"Put the configuration of a backup back, unless config check refuses it; --force: "
		"replace files, and keep them as NAME.before."},
	{"config", "check", 0, 1, CTL_OPT_LOCAL, cmd_config_check, "[FILE]",
		"Check FILE (or the configuration in use); needs no running weir."},
	{"config", "reload", 0, 0, CTL_OPT_KEEP, cmd_config_reload, "[--keep]",
		"Activate the changed configuration; name the keys that need a restart."},
	{"config", "apply", 0, 0, CTL_OPT_DRY_RUN | CTL_OPT_KEEP | CTL_OPT_WHY, cmd_config_apply,
		"[--dry-run] [--keep] [--why TEXT]",
		"Activate the files on disk as a new version, watch the health, go back if it "
		"falls; --keep: never go back."},
	{"config", "diff", 0, 2, 0, cmd_config_diff, "[FROM [TO]]",
		"Compare versions; FROM: the one in force, TO: the files on disk."},
	{"config", "history", 0, 0, 0, cmd_config_history, "",
		"List the versions of the configuration: who, when, what, and the result."},
	{"config", "show", 0, 1, 0, cmd_config_show, "[VERSION]",
		"Print the texts of a version, without secrets."},
	{"config", "rollback", 1, 1, CTL_OPT_KEEP | CTL_OPT_WHY, cmd_config_rollback,
		"[--keep] [--why TEXT] VERSION",
		"Activate the texts of an earlier version, as a new one."},
};
const unsigned ctl_command_count = ARRAY_LEN(ctl_commands);

const struct ctl_topic ctl_topics[] = {
	{"state", "See how the box is",
		"status stats ready wait drain undrain errors events metrics pending tcp"},
	{"queries", "Follow queries, and explain an answer", "why top log clients trace capture"},
	{"blocking", "Block and allow names, for all or for a group",
		"blocklist allow deny entries list group groups services"},
	{"resolve", "Cache, local records, upstream servers",
		"cache refresh local upstreams upstream"},
	{"config", "Change the configuration, back it up, put it back",
		"setup config backup restore import"},
	{"access", "Tokens, passwords and the audit log", "token password audit"},
	{"machine", "Prepare, check and measure the machine",
		"doctor nic ports drops xdp selftest"},
	{"memory", "See what uses memory, and what grows", "mem heap"},
	{"debug", "Look into a running control plane",
		"threads connections profile toggles set bisect"},
};
const unsigned ctl_topic_count = ARRAY_LEN(ctl_topics);
