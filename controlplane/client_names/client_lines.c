// SPDX-License-Identifier: BSD-3-Clause
#include "client_lines.h"

#include "lists/list_text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/config.h>

enum { KEA_DEFAULT_STATE = 0 };

struct client_parse {
	struct client_book *book;
	uint32_t pass;
	int64_t now_s;
	struct client_file_counts *counts;
	// Kea: the columns that the head names, from 1; 0: no such column.
	unsigned column_address, column_mac, column_expire, column_name, column_state, column_life;
	// ISC dhcpd: the lease that is open, if its address has a version.
	struct client_entry lease;
	struct list_text lease_name;
	bool is_active;
};

static bool number_parse(struct list_text t, int64_t *out)
{
	int64_t n = 0;
	if (!t.len || t.len > 15)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
		n = n * 10 + (t.at[i] - '0');
	}
	*out = n;
	return true;
}

static bool ip_parse(struct list_text t, struct client_ip *out)
{
	char text[INET6_ADDRSTRLEN];
	if (!t.len || t.len >= sizeof(text))
		return false;
	memcpy(text, t.at, t.len);
	text[t.len] = '\0';
	struct client_ip a = {.version = memchr(text, ':', t.len) ? 6 : 4};
	if (inet_pton(a.version == 6 ? AF_INET6 : AF_INET, text, a.bytes) != 1)
		return false;
	*out = a;
	return true;
}

// Parses "02:00:5e:10:00:01", or "01-02:00:5e:10:00:01" with the type of hardware.
static bool mac_parse(struct list_text t, uint8_t out[6])
{
	char text[CONFIG_MAC_TEXT_MAX];
	struct config_mac mac;
	if (t.len == 20 && t.at[2] == '-')
		t = list_text_skip(t, 3);
	if (t.len != sizeof(text) - 1 || t.at[2] != ':')
		return false;
	memcpy(text, t.at, t.len);
	text[t.len] = '\0';
	if (config_mac_parse(text, &mac) < 0)
		return false;
	memcpy(out, mac.bytes, sizeof(mac.bytes));
	return true;
}

static void parse_put(struct client_parse *p, struct client_entry *e, struct list_text name)
{
	e->pass = p->pass;
	e->is_cut = name.len - (name.len && name.at[name.len - 1] == '.') >= CLIENT_NAME_MAX;
	if ((e->ends_s && e->ends_s <= p->now_s) || !name.len
		|| !client_name_clean(name.at, name.len, e->name)) {
		client_book_drop(p->book, &e->address, p->pass);
		return;
	}
	p->counts->names++;
	client_book_put(p->book, e, p->now_s);
}

static struct list_text column_at(struct list_text line, unsigned column)
{
	struct list_text cell = {0};
	for (unsigned i = 0; i < column; i++)
		cell = list_text_cut(&line, ',');
	return cell;
}

static bool kea_head(struct client_parse *p, struct list_text line)
{
	for (unsigned i = 1; line.len; i++) {
		struct list_text name = list_text_cut(&line, ',');
		if (list_text_is(name, LIST_TEXT("address")))
			p->column_address = i;
		else if (list_text_is(name, LIST_TEXT("hwaddr")))
			p->column_mac = i;
		else if (list_text_is(name, LIST_TEXT("valid_lifetime")))
			p->column_life = i;
		else if (list_text_is(name, LIST_TEXT("expire")))
			p->column_expire = i;
		else if (list_text_is(name, LIST_TEXT("hostname")))
			p->column_name = i;
		else if (list_text_is(name, LIST_TEXT("state")))
			p->column_state = i;
	}
	return p->column_address && p->column_expire && p->column_name;
}

// The columns have the names of the first line. A lifetime of 0 deletes a lease, 4294967295 is one
// without end; a state other than 0 is no lease in use.
static bool kea_line(struct client_parse *p, struct list_text line)
{
	struct client_entry e = {.from = CLIENT_FROM_LEASE};
	int64_t life = 1, state = KEA_DEFAULT_STATE;
	if (!line.len)
		return true;
	if (list_text_starts(line, LIST_TEXT("address,")))
		return kea_head(p, line);
	if (!ip_parse(column_at(line, p->column_address), &e.address)
		|| !number_parse(column_at(line, p->column_expire), &e.ends_s)
		|| (p->column_life && !number_parse(column_at(line, p->column_life), &life))
		|| (p->column_state && !number_parse(column_at(line, p->column_state), &state)))
		return false;
	if (life == UINT32_MAX)
		e.ends_s = 0;
	if (p->column_mac)
		e.has_mac = mac_parse(column_at(line, p->column_mac), e.mac);
	const bool in_use = life > 0 && state == KEA_DEFAULT_STATE;
	parse_put(p, &e, in_use ? column_at(line, p->column_name) : (struct list_text){0});
	return true;
}

// "4 2026/11/25 12:00:00" (UTC), "epoch 1700000000", "never".
static bool dhcpd_time(struct list_text t, int64_t *out)
{
	char text[32];
	struct tm tm = {0};
	struct list_text first = list_text_word(&t);
	*out = 0;
	if (list_text_is(first, LIST_TEXT("never")))
		return true;
	if (list_text_is(first, LIST_TEXT("epoch")))
		return number_parse(list_text_trim(t), out);
	t = list_text_trim(t);
	if (!t.len || t.len >= sizeof(text))
		return false;
	memcpy(text, t.at, t.len);
	text[t.len] = '\0';
	if (sscanf(text, "%4d/%2d/%2d %2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		    &tm.tm_hour, &tm.tm_min, &tm.tm_sec)
		!= 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*out = (int64_t)timegm(&tm);
	return *out > 0;
}

static bool dhcpd_open(struct client_parse *p, struct list_text rest)
{
	p->lease = (struct client_entry){.from = CLIENT_FROM_LEASE};
	p->lease_name = (struct list_text){0};
	p->is_active = true; // a lease without a state is active
	return ip_parse(list_text_word(&rest), &p->lease.address);
}

static void dhcpd_close(struct client_parse *p)
{
	if (p->lease.address.version)
		parse_put(p, &p->lease, p->is_active ? p->lease_name : (struct list_text){0});
	p->lease.address.version = 0;
}

// A statement of an open lease; weir passes over those that it does not need.
static bool dhcpd_line(struct client_parse *p, struct list_text line)
{
	struct list_text word;
	if (line.len && line.at[0] == '}') {
		dhcpd_close(p);
		return true;
	}
	if (line.len && line.at[line.len - 1] == ';')
		line.len--;
	word = list_text_word(&line);
	line = list_text_trim(line);
	if (list_text_is(word, LIST_TEXT("lease")))
		return dhcpd_open(p, line);
	if (!p->lease.address.version)
		return true;
	if (list_text_is(word, LIST_TEXT("ends"))) {
		line = list_text_cut(&line, ';'); // a comment may follow
		return dhcpd_time(line, &p->lease.ends_s);
	}
	if (list_text_is(word, LIST_TEXT("binding")))
		p->is_active = list_text_is(line, LIST_TEXT("state active"));
	else if (list_text_is(word, LIST_TEXT("client-hostname")) && line.len > 2)
		p->lease_name = (struct list_text){line.at + 1, line.len - 2}; // drops the quotes
	else if (list_text_is(word, LIST_TEXT("hardware"))) {
		(void)list_text_word(&line);
		p->lease.has_mac = mac_parse(list_text_trim(line), p->lease.mac);
	}
	return true;
}

// Loopback and `any` stand for no client: a blocklist of hosts is full of them.
static bool is_client(const struct client_ip *a)
{
	static const uint8_t zeros[15] = {0};
	if (a->version == 4)
		return a->bytes[0] != 127 && a->bytes[0] != 0 && a->bytes[0] < 224;
	return a->bytes[0] != 0xff
	       && (memcmp(a->bytes, zeros, sizeof(zeros)) != 0 || a->bytes[15] > 1);
}

// 192.0.2.7 laptop.lan laptop # the first name counts
static bool hosts_line(struct client_parse *p, struct list_text line)
{
	struct client_entry e = {.from = CLIENT_FROM_HOSTS};
	line = list_text_cut(&line, '#');
	struct list_text address = list_text_word(&line), name = list_text_word(&line);
	if (!address.len)
		return true;
	if (!name.len || !ip_parse(address, &e.address))
		return false;
	if (is_client(&e.address))
		parse_put(p, &e, name);
	return true;
}

// 1700000000 02:00:5e:10:00:01 192.0.2.7 laptop 01:02:00:5e:10:00:01 (dnsmasq, lease.c); in an IPv6
// lease the second word is an IAID.
static bool dnsmasq_line(struct client_parse *p, struct list_text line)
{
	struct client_entry e = {.from = CLIENT_FROM_LEASE};
	struct list_text ends = list_text_word(&line), mac = list_text_word(&line);
	struct list_text address = list_text_word(&line), name = list_text_word(&line);
	if (!ends.len || list_text_is(ends, LIST_TEXT("duid")))
		return true;
	if (!number_parse(ends, &e.ends_s) || !ip_parse(address, &e.address))
		return false;
	e.has_mac = mac_parse(mac, e.mac);
	parse_put(p, &e, list_text_is(name, LIST_TEXT("*")) ? (struct list_text){0} : name);
	return true;
}

static void lines_parse(struct client_parse *p, struct list_text text,
	bool (*line_take)(struct client_parse *p, struct list_text line))
{
	while (text.len) {
		struct list_text line = list_text_trim(list_text_cut(&text, '\n'));
		if (line.len > CLIENT_LINE_MAX || !line_take(p, line))
			p->counts->bad++;
	}
}

static struct list_text first_line(struct list_text text)
{
	struct list_text line = {0};
	while (text.len) {
		line = list_text_trim(list_text_cut(&text, '\n'));
		if (line.len && line.at[0] != '#')
			break;
	}
	return line;
}

void client_lines_parse(struct client_book *b, enum client_file_kind kind, const char *text,
	size_t len, uint32_t pass, int64_t now_s, struct client_file_counts *out)
{
	struct list_text whole = {text, len};
	struct client_parse p = {.book = b, .pass = pass, .now_s = now_s, .counts = out};
	const struct list_text first = first_line(whole);
	*out = (struct client_file_counts){0};
	if (kind == CLIENT_FILE_HOSTS)
		lines_parse(&p, whole, hosts_line);
	else if (list_text_starts(first, LIST_TEXT("address,")))
		lines_parse(&p, whole, kea_line);
	else if (kind == CLIENT_FILE_KEA)
		return;
	else if (first.len && (first.at[0] >= '0' && first.at[0] <= '9'))
		lines_parse(&p, whole, dnsmasq_line);
	else if (list_text_starts(first, LIST_TEXT("duid ")))
		lines_parse(&p, whole, dnsmasq_line);
	else
		lines_parse(&p, whole, dhcpd_line);
}
