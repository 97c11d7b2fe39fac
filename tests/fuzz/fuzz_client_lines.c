// SPDX-License-Identifier: BSD-3-Clause

// Parses hosts files and DHCP leases. The first byte of the input selects the kind. The parser must
// stay within the text and give the same result for the same text. Each name it stores must be
// printable and not expired. A sweep must remove all entries.

#include "controlplane/client_names/client_lines.h"
#include "fuzz.h"

#include <arpa/inet.h>

static const int64_t now_s = 1700000000;
static struct client_book *book;
static uint32_t pass;

FUZZ_BEGIN
{
	FUZZ_CHECK(client_book_open(&book) == 0);
	return 0;
}

static void entry_check(const struct client_entry *e)
{
	FUZZ_CHECK(memchr(e->name, 0, sizeof(e->name)) && e->name[0]);
	for (const char *c = e->name; *c; c++)
		FUZZ_CHECK(*c > ' ' && *c <= '~');
	FUZZ_CHECK(e->from == CLIENT_FROM_HOSTS || e->from == CLIENT_FROM_LEASE);
	FUZZ_CHECK(e->pass == pass && (e->ends_s == 0 || e->ends_s > now_s));
}

// The addresses that a text names, and how many of them have a name.
static unsigned addresses_check(const char *text, size_t len)
{
	unsigned found = 0;
	for (size_t at = 0, n; at < len; at += n + 1) {
		char word[INET6_ADDRSTRLEN];
		for (n = 0; at + n < len && text[at + n] && !strchr(" \t\r\n,{", text[at + n]);)
			n++;
		if (n >= sizeof(word))
			continue;
		memcpy(word, text + at, n);
		word[n] = '\0';
		uint8_t bytes[16] = {0};
		struct client_entry e;
		const unsigned version = inet_pton(AF_INET, word, bytes) == 1    ? 4
					 : inet_pton(AF_INET6, word, bytes) == 1 ? 6
										 : 0;
		if (version && client_book_find(book, version, bytes, now_s, &e)) {
			entry_check(&e);
			found++;
		}
	}
	return found;
}

static struct client_file_counts parse(const uint8_t *data, size_t len, unsigned *found)
{
	struct client_file_counts counts = {0};
	struct client_book_status s;
	char *text = malloc(len); // of that size, so that a byte too many is seen
	FUZZ_CHECK(text);
	memcpy(text, data + 1, len - 1);
	client_lines_parse(
		book, (enum client_file_kind)(data[0] % 3), text, len - 1, ++pass, now_s, &counts);
	*found = addresses_check(text, len - 1);
	free(text);
	client_book_status(book, &s);
	FUZZ_CHECK(s.entries <= counts.names && s.entries <= CLIENT_BOOK_MAX);
	FUZZ_CHECK(s.used[CLIENT_FROM_HOSTS] + s.used[CLIENT_FROM_LEASE] <= s.entries);
	FUZZ_CHECK(counts.names <= len && counts.bad <= len);
	client_book_sweep(book, pass + 1);
	client_book_status(book, &s);
	FUZZ_CHECK(s.entries == 0);
	return counts;
}

FUZZ_BODY(data, len)
{
	unsigned found, again;
	if (len == 0)
		return 0;
	const struct client_file_counts first = parse(data, len, &found);
	const struct client_file_counts second = parse(data, len, &again);
	FUZZ_CHECK(first.names == second.names && first.bad == second.bad && found == again);
	return 0;
}
