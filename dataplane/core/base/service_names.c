// SPDX-License-Identifier: BSD-3-Clause

#include <string.h>
#include <weir/config_filter.h>

static const char *const service_words[SERVICE_COUNT] = {
#define X(word, id) [SERVICE_##id] = word,
	SERVICES(X)
#undef X
};

static const char *const engine_words[SAFE_ENGINE_COUNT] = {
#define X(word, id) [SAFE_ENGINE_##id] = #word,
	SAFE_ENGINES(X)
#undef X
};

const char *service_word(unsigned service)
{
	return service_words[service];
}

int service_find(const char *word)
{
	for (unsigned i = 0; i < SERVICE_COUNT; i++)
		if (strcmp(service_words[i], word) == 0)
			return (int)i;
	return -1;
}

const char *safe_engine_word(unsigned engine)
{
	return engine_words[engine];
}

bool config_safe_search_any(const struct config_safe_search *s)
{
	for (unsigned i = 0; i < SAFE_ENGINE_COUNT; i++)
		if (s->level[i] != SAFE_LEVEL_OFF)
			return true;
	return false;
}
