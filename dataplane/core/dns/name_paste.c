// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <weir/dns_name.h>

struct part { // a part of the text
	const char *text;
	size_t len;
};

static bool ends_with(struct part p, const char *end)
{
	size_t n = strlen(end);
	return p.len >= n && strncasecmp(p.text + p.len - n, end, n) == 0;
}

static void blanks_cut(struct part *p)
{
	while (p->len && strchr(" \t\r\n", p->text[0]))
		p->text++, p->len--;
	while (p->len && strchr(" \t\r\n,;", p->text[p->len - 1]))
		p->len--;
}

// Up to the first of these characters.
static void part_cut(struct part *p, const char *ends)
{
	for (size_t i = 0; i < p->len; i++)
		if (strchr(ends, p->text[i]))
			p->len = i;
}

static void port_cut(struct part *p)
{
	size_t n = p->len;
	while (n && p->text[n - 1] >= '0' && p->text[n - 1] <= '9')
		n--;
	if (n > 1 && n < p->len && p->text[n - 1] == ':')
		p->len = n - 1;
}

// Is this a path behind a host, with or without a scheme? "a/b.example" may be a name.
static bool has_path(struct part p, bool has_scheme)
{
	struct part host = p;
	part_cut(&host, "/?#");
	// Zones of less than a byte have slashes in their names (RFC 2317).
	return has_scheme
	       || (memchr(host.text, '.', host.len)
		       && !(ends_with(p, ".arpa") || ends_with(p, ".arpa.")));
}

static void url_cut(struct part *p)
{
	const char *scheme = memmem(p->text, p->len, "://", 3);
	if (scheme) {
		p->len -= (size_t)(scheme + 3 - p->text);
		p->text = scheme + 3;
	}
	if (has_path(*p, scheme))
		part_cut(p, "/?#");
	const char *user = scheme ? memrchr(p->text, '@', p->len) : NULL;
	if (user) {
		p->len -= (size_t)(user + 1 - p->text);
		p->text = user + 1;
	}
	port_cut(p);
}

// What makes the text no name, or NULL.
static const char *odd_find(struct part p)
{
	for (size_t i = 0; i < p.len; i++) {
		unsigned char c = (unsigned char)p.text[i];
		if (c == '\\') {
			i++;
			continue;
		}
		if (c >= 0x80)
			return dns_name_text_why(-EILSEQ);
		if (strchr(" \t,;", c))
			return "is more than one name";
		if (c < 0x20 || c == 0x7f || strchr("@:\"'<>()[]{}", c))
			return "is not a domain name";
	}
	return NULL;
}

int name_paste(const char *text, struct dns_name *out, const char **why)
{
	struct part p = {text, strlen(text)};
	blanks_cut(&p);
	url_cut(&p);
	*why = odd_find(p);
	if (*why)
		return -EINVAL;
	int err = dns_name_from_text(p.text, p.len, out);
	if (err < 0) {
		*why = dns_name_text_why(err);
		return -EINVAL;
	}
	return p.len < strlen(text);
}
