// SPDX-License-Identifier: BSD-3-Clause

// Lists: however the octets are cut into pieces the names are the same, and each name is one that a
// list may hold.

#include "../../controlplane/list_parse.h"
#include "fuzz.h"

#include <string.h>
#include <weir/rule_image.h>

struct taken {
	uint64_t sum, count;
};

static int take(void *arg, const struct dns_name *name)
{
	struct taken *t = arg;
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name again;
	FUZZ_CHECK(name->labels >= 2 && name->labels <= RULE_LABELS_MAX);
	dns_name_to_text(name, text);
	FUZZ_CHECK(list_parse_name(text, strlen(text), &again) == LIST_REJECT_COUNT);
	FUZZ_CHECK(dns_name_equal(name, &again));
	t->sum = t->sum * 31 + contenthash(name->wire, name->len);
	t->count++;
	return 0;
}

static struct list_counts parse(const uint8_t *data, size_t len, size_t piece, struct taken *t)
{
	static struct list_parser p;
	*t = (struct taken){0};
	list_parse_begin(&p, take, t);
	for (size_t at = 0; at < len; at += piece)
		FUZZ_CHECK(!list_parse_feed(&p, data + at, piece < len - at ? piece : len - at));
	FUZZ_CHECK(!list_parse_end(&p));
	return p.counts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct taken whole, cut;
	struct list_counts a = parse(data, len, len + 1, &whole);
	struct list_counts b = parse(data, len, len ? 1 + data[0] % 7 : 1, &cut);
	FUZZ_CHECK(memcmp(&a, &b, sizeof a) == 0);
	FUZZ_CHECK(whole.sum == cut.sum && whole.count == cut.count && a.names == whole.count);
	FUZZ_CHECK(a.bytes == len && a.lines <= len);
	return 0;
}
