// SPDX-License-Identifier: BSD-3-Clause

#include <stdio.h>
#include <string.h>
#include <weir/attr.h>
#include <weir/known.h>

static const struct known_list lists[] = {
	{"oisd-small", "https://small.oisd.nl/"},
	{"oisd-big", "https://big.oisd.nl/"},
	{"hagezi-normal",
		"https://raw.githubusercontent.com/hagezi/dns-blocklists/main/adblock/multi.txt"},
	{"hagezi-pro",
		"https://raw.githubusercontent.com/hagezi/dns-blocklists/main/adblock/pro.txt"},
	{"stevenblack", "https://raw.githubusercontent.com/StevenBlack/hosts/master/hosts"},
	{"adguard", "https://adguardteam.github.io/HostlistsRegistry/assets/filter_1.txt"},
};

static const struct known_resolver resolvers[] = {
	{"quad9", {"tls://dns.quad9.net@9.9.9.9", "tls://dns.quad9.net@149.112.112.112", NULL},
		{"tls://dns.quad9.net@[2620:fe::fe]", "tls://dns.quad9.net@[2620:fe::9]", NULL}},
	{"cloudflare",
		{"tls://cloudflare-dns.com@1.1.1.1", "tls://cloudflare-dns.com@1.0.0.1", NULL},
		{"tls://cloudflare-dns.com@[2606:4700:4700::1111]",
			"tls://cloudflare-dns.com@[2606:4700:4700::1001]", NULL}},
	{"google", {"tls://dns.google@8.8.8.8", "tls://dns.google@8.8.4.4", NULL},
		{"tls://dns.google@[2001:4860:4860::8888]",
			"tls://dns.google@[2001:4860:4860::8844]", NULL}},
};

const struct known_list *known_list_at(unsigned i)
{
	return i < ARRAY_LEN(lists) ? &lists[i] : NULL;
}

const char *known_list(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		if (strcmp(lists[i].name, name) == 0)
			return lists[i].url;
	return NULL;
}

const struct known_resolver *known_resolver_at(unsigned i)
{
	return i < ARRAY_LEN(resolvers) ? &resolvers[i] : NULL;
}

const char *const *known_resolver(const char *name, bool is_ipv6)
{
	for (unsigned i = 0; i < ARRAY_LEN(resolvers); i++)
		if (strcmp(resolvers[i].name, name) == 0)
			return is_ipv6 ? resolvers[i].ipv6 : resolvers[i].ipv4;
	return NULL;
}

static void name_add(char *out, size_t cap, const char *name)
{
	const size_t n = strlen(out);
	snprintf(out + n, cap - n, "%s%s", n ? ", " : "", name);
}

void known_list_names(char *out, size_t cap)
{
	*out = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		name_add(out, cap, lists[i].name);
}

void known_resolver_names(char *out, size_t cap)
{
	*out = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(resolvers); i++)
		name_add(out, cap, resolvers[i].name);
}
