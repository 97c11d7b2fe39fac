// SPDX-License-Identifier: BSD-3-Clause
#include "safe_search.h"

#include <stdio.h>
#include <string.h>

// Behind "google." and "www.google.".
static const char google_domains[] =
	"com ad ae com.af com.ag com.ai al am co.ao com.ar as at com.au az ba com.bd be bf bg "
	"com.bh bi bj com.bn com.bo com.br bs bt co.bw by com.bz ca cat cd cf cg ch ci co.ck cl cm "
	"cn com.co co.cr com.cu cv com.cy cz de dj dk dm com.do dz com.ec ee com.eg es com.et fi "
	"com.fj fm fr ga ge gg com.gh com.gi gl gm gr com.gt gy com.hk hn hr ht hu co.id ie co.il "
	"im co.in iq is it je com.jm jo co.jp co.ke com.kh ki kg co.kr com.kw kz la com.lb li lk "
	"co.ls lt lu lv com.ly co.ma md me mg mk ml com.mm mn com.mt mu mv mw com.mx com.my co.mz "
	"com.na com.ng com.ni ne nl no com.np nr nu co.nz com.om com.pa com.pe com.pg com.ph "
	"com.pk pl pn com.pr ps pt com.py com.qa ro rs ru rw com.sa com.sb sc se com.sg sh si sk "
	"com.sl sm sn so sr st com.sv td tg co.th com.tj tl tm tn to com.tr tt com.tw co.tz com.ua "
	"co.ug co.uk com.uy co.uz com.vc co.ve co.vi com.vn vu ws co.za co.zm co.zw";

static const struct {
	const char *hosts; // NULL: those of Google
	const char *target, *moderate;
} engines[SAFE_ENGINE_COUNT] = {
	[SAFE_ENGINE_GOOGLE] = {NULL, "forcesafesearch.google.com", NULL},
	[SAFE_ENGINE_BING] = {"bing.com www.bing.com", "strict.bing.com", NULL},
	[SAFE_ENGINE_YOUTUBE] = {"www.youtube.com m.youtube.com youtubei.googleapis.com "
				 "youtube.googleapis.com www.youtube-nocookie.com",
		"restrict.youtube.com", "restrictmoderate.youtube.com"},
	[SAFE_ENGINE_DUCKDUCKGO] = {"duckduckgo.com www.duckduckgo.com start.duckduckgo.com",
		"safe.duckduckgo.com", NULL},
	[SAFE_ENGINE_YANDEX] = {"ya.ru yandex.az yandex.by yandex.co.il yandex.com yandex.com.am "
				"yandex.com.ge yandex.com.tr yandex.ee yandex.fr yandex.kz "
				"yandex.lt yandex.lv yandex.md yandex.ru yandex.tj yandex.tm "
				"yandex.ua yandex.uz "
				"www.ya.ru www.yandex.az www.yandex.by www.yandex.co.il "
				"www.yandex.com www.yandex.com.am www.yandex.com.ge "
				"www.yandex.com.tr www.yandex.ee www.yandex.fr www.yandex.kz "
				"www.yandex.lt www.yandex.lv www.yandex.md www.yandex.ru "
				"www.yandex.tj www.yandex.tm www.yandex.ua www.yandex.uz",
		"familysearch.yandex.ru", NULL},
	[SAFE_ENGINE_PIXABAY] = {"pixabay.com www.pixabay.com", "safesearch.pixabay.com", NULL},
	[SAFE_ENGINE_ECOSIA] = {"ecosia.org www.ecosia.org", "strict-safe-search.ecosia.org", NULL},
	[SAFE_ENGINE_BRAVE] = {"search.brave.com", "forcesafe.search.brave.com", NULL},
};

static const struct rule_types types = {
	.count = 3, .type = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_HTTPS}};

bool safe_search_has_type(uint16_t qtype)
{
	for (unsigned i = 0; i < types.count; i++)
		if (types.type[i] == qtype)
			return true;
	return false;
}

// Is the text one of the words, which single spaces separate?
static bool has_word(const char *words, const char *text)
{
	size_t len = strlen(text);
	for (const char *p = words; *p;) {
		size_t word = strcspn(p, " ");
		if (word == len && memcmp(p, text, len) == 0)
			return true;
		p += word + (p[word] == ' ');
	}
	return false;
}

static bool is_google(const char *text)
{
	if (strncmp(text, "www.", 4) == 0)
		text += 4;
	return strncmp(text, "google.", 7) == 0 && has_word(google_domains, text + 7);
}

const char *safe_search_target(
	const struct dns_name *name, const struct config_safe_search *settings)
{
	char text[DNS_NAME_TEXT_MAX];
	dns_name_to_text(name, text);
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++) {
		unsigned level = settings->level[i];
		if (level == SAFE_LEVEL_OFF)
			continue;
		if (!(engines[i].hosts ? has_word(engines[i].hosts, text) : is_google(text)))
			continue;
		return level == SAFE_LEVEL_MODERATE && engines[i].moderate ? engines[i].moderate
									   : engines[i].target;
	}
	return NULL;
}

// One rule for each word, with `before` in front of it.
static int words_rules(const char *before, const char *words, list_rule_take take, void *arg)
{
	int rc = 0;
	for (const char *p = words; rc == 0 && *p;) {
		char text[64];
		struct dns_name name;
		size_t len = strcspn(p, " ");
		int n = snprintf(text, sizeof(text), "%s%.*s", before, (int)len, p);
		rc = dns_name_from_text(text, (size_t)n, &name);
		const struct list_rule rule = {
			.what = LIST_RULE_NAME,
			.kind = {.rule_class = RULE_CLASS_SAFE,
				.covers = RULE_COVERS_SELF,
				.types = types},
			.name = &name,
		};
		if (rc == 0)
			rc = take(arg, &rule);
		p += len + (p[len] == ' ');
	}
	return rc;
}

int safe_search_rules(enum safe_engine engine, list_rule_take take, void *arg)
{
	if (engines[engine].hosts)
		return words_rules("", engines[engine].hosts, take, arg);
	int rc = words_rules("google.", google_domains, take, arg);
	return rc ? rc : words_rules("www.google.", google_domains, take, arg);
}
