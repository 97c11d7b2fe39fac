// SPDX-License-Identifier: BSD-3-Clause

#include "lib/say.h"
#include "lib/show.h"
#include "lib/table_cell.h"

#include <stdio.h>
#include <string.h>

static const struct cell_counter counts[] = {
	{"accepted", "connections accepted"},
	{"proxied", "of these, of the client that a balancer named (PROXY protocol)"},
	{"refused_full", "refused: tcp.connections are open, none of them idle"},
	{"refused_client", "refused: their client has tcp.per_client, none of them idle"},
	{"refused_denied", "refused: the client is not allowed (access)"},
	{"accept_paused", "pauses: no file descriptor or memory left"},
	{"queries", "queries"},
	{"replies", "replies"},
	{"bytes_in", "bytes received"},
	{"bytes_out", "bytes sent"},
	{"held", "waits of a connection: too many queries in progress"},
};

static const struct cell_counter ends[] = {
	{"client", "by the client"},
	{"error", "reset, or the network failed"},
	{"memory", "no memory left for TLS"},
	{"idle", "idle"},
	{"slow_query", "a query took longer than tcp.query_timeout"},
	{"proxy", "no PROXY header, or a bad one, from a balancer"},
	{"slow_proxy", "the PROXY header took longer than tcp.query_timeout"},
	{"handshake", "the TLS handshake failed"},
	{"slow_handshake", "the TLS handshake took longer than tcp.query_timeout"},
	{"slow_reader", "replies left unread"},
	{"broken", "not DNS"},
	{"queries", "had its tcp.connection_queries"},
	{"http", "not HTTP, or a request refused before its end"},
	{"flood", "more resets or empty frames of HTTP/2 than a client needs"},
	{"age", "open for tcp.connection_age"},
	{"drained", "the box was drained"},
	{"evicted", "longest idle, closed for a new connection"},
	{"evicted_client", "longest idle of its client, closed for a new one"},
	{"evicted_memory", "longest stalled, closed as tcp.buffer_kb was used up"},
	{"evicted_proxy", "too many without their PROXY header, this one for longest"},
	{"evicted_handshake", "too many in their TLS handshake, this one for longest"},
	{"stopped", "TCP was turned off"},
};

static const struct cell_counter tls_counts[] = {
	{"handshakes", "TLS handshakes done"},
	{"resumed", "of these, sessions resumed"},
	{"certified", "of these, clients with a good certificate"},
};

static const struct cell_counter refusals[] = {
	{"ended", "the client ended the connection"},
	{"not_tls", "what the client sent is not TLS"},
	{"version", "no version of TLS in common"},
	{"cipher", "no cipher, group or signature in common"},
	{"protocol", "the client wants another protocol (ALPN)"},
	{"distrust", "the client does not accept the certificate"},
	{"no_certificate", "the client shows no certificate, and must"},
	{"certificate", "the client's certificate is expired, not trusted, or not its own"},
	{"memory", "no memory left for TLS"},
	{"other", "another error"},
	{"late", "not done in tcp.query_timeout"},
	{"evicted", "closed to make room for another connection"},
};

static const struct cell_counter doh_counts[] = {
	{"resets_client", "requests reset by their client (HTTP/2)"},
	{"resets_server", "reset by weir, as they broke the protocol or took too long"},
	{"goaways", "connections ended for too many resets or empty frames"},
	{"unwanted", "answers to requests that were reset"},
};

static const struct cell_counter methods[] = {
	{"get", "GET"},
	{"post", "POST"},
	{"other", "another method"},
};

static const struct cell_counter responses[] = {
	{"200", "200, a DNS message"},
	{"400", "400, no DNS query in the request"},
	{"403", "403, dropped by a rule"},
	{"404", "404, not the path of doh.path"},
	{"405", "405, not GET or POST"},
	{"408", "408, not complete in tcp.query_timeout"},
	{"413", "413, over 65,535 bytes"},
	{"415", "415, not application/dns-message"},
	{"431", "431, too many bytes of header fields"},
	{"503", "503, no answer in time"},
};

static const struct cell_counter errors[] = {
	{"lost", "closed or unreachable before accept"},
	{"files", "no file descriptor left"},
	{"memory", "the kernel had no memory"},
	{"other", "another error of accept"},
};

static void listeners_print(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "listeners");
	if (!json_flag(root, "enabled"))
		printf("off (tcp.enabled)\n");
	for (size_t i = 0; i < json_length(list); i++)
		if (!say_if(json_at(list, i), "error",
			    "does not listen on {address}: {error}; trying again\n"))
			say(json_at(list, i), "listens on {address} ({kind})\n");
}

static void gauges_print(const struct json_node *root)
{
	say(root, "connections   {open:n} of {open_cap:n}, most {open_max:n}\n"
		  "clients       {clients:n}");
	say_if(root, "busiest", ", busiest {busiest} with {busiest_open:n} of {per_client_cap:n}");
	say(root, "\nresolving     {pending:n} questions of {pending_cap:n}, most {pending_max:n}\n"
		  "buffers       {buffered:b} of {buffered_cap:b}\n"
		  "idle time     {idle_ms:t}\n\n");
}

// Leaves out reasons with a count of 0.
static void reasons_print(const struct json_node *counts_of, const char *head,
	const struct cell_counter *reason, size_t count)
{
	const char *const heads[] = {head, "why", NULL};
	struct table *t = table_new(heads);
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		uint64_t n = json_count(counts_of, reason[i].key);
		if (!n)
			continue;
		any = true;
		table_cell_count(t, n);
		table_cell(t, "%s", reason[i].text);
		table_row_end(t);
	}
	if (!any) {
		table_cell_count(t, 0);
		table_cell(t, "%s", "");
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void tls_print(const struct json_node *tls)
{
	const struct json_node *list = json_get(tls, "certificates");

	say_if(tls, "error", "\ncertificates NOT replaced: {error}\n");
	if (json_length(list) == 0)
		return;
	say(tls, "\nTLS           {open:n} connections, {shaking:n} of them in their handshake\n");
	for (size_t i = 0; i < json_length(list); i++)
		if (!say_if(json_at(list, i), "left_s",
			    "certificate   {names}, valid for {left_s:s}\n"))
			say(json_at(list, i), "certificate   {names}, EXPIRED\n");
	cell_counters_print(tls, tls_counts, ARRAY_LEN(tls_counts));
	reasons_print(json_get(tls, "failed"), ">no TLS", refusals, ARRAY_LEN(refusals));
}

static void doh_print(const struct json_node *doh)
{
	const struct json_node *requests = json_get(doh, "requests");

	say(doh, "\nHTTPS         {connections:n} connections, {bytes:b}\n");
	reasons_print(json_get(requests, "http2"), ">HTTP/2", methods, ARRAY_LEN(methods));
	reasons_print(json_get(requests, "http1"), ">HTTP/1.1", methods, ARRAY_LEN(methods));
	reasons_print(json_get(doh, "responses"), ">responses", responses, ARRAY_LEN(responses));
	printf("\n");
	cell_counters_print(doh, doh_counts, ARRAY_LEN(doh_counts));
}

// Whether a listener serves DNS over HTTPS.
static bool doh_listens(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "listeners");
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_text(json_at(list, i), "kind"), "doh") == 0)
			return true;
	return false;
}

static void tcp_print(const struct json_node *root)
{
	listeners_print(root);
	gauges_print(root);
	cell_counters_print(root, counts, ARRAY_LEN(counts));
	reasons_print(json_get(root, "accept_errors"), ">not taken", errors, ARRAY_LEN(errors));
	reasons_print(json_get(root, "ended"), ">closed", ends, ARRAY_LEN(ends));
	tls_print(json_get(root, "tls"));
	if (doh_listens(root))
		doh_print(json_get(root, "doh"));
}

static int cmd_tcp(struct ctl *c)
{
	return show_call(c, false, "/tcp", NULL, HTTP_SHORT_MS, tcp_print);
}

CTL_COMMANDS = {
	{"tcp", NULL, 0, 0, 0, cmd_tcp, "",
		"Show DNS over TCP: listeners, connections, refusals, reasons for closing."},
};
