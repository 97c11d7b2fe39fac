// SPDX-License-Identifier: BSD-3-Clause

#include "rulec.h"

#include "controlplane/base/rdata_text.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"compile", rulec_compile},
	{"inspect", rulec_inspect},
	{"query", rulec_query},
	{"why", rulec_why},
};

int rulec_usage(void)
{
	fputs("usage: rulec compile -o FILE [OPTION]... LIST [[OPTION]... LIST]...\n"
	      "       rulec inspect FILE\n"
	      "       rulec query [--type T] [--lists A,B] FILE NAME...\n"
	      "       rulec query [--type T] [--lists A,B] FILE -\n"
	      "       rulec why [--type T] [OPTION]... -l LIST [[OPTION]... -l LIST]... NAME\n"
	      "\n"
	      "compile  makes a rule image of block lists and allow lists\n"
	      "inspect  checks an image and prints its numbers and lists\n"
	      "query    prints for each name what the rules say, the rule that decides and its\n"
	      "         lists; with --lists only those (titles or numbers) apply\n"
	      "         (-: of each line of the standard input)\n"
	      "why      explains what these lists say of a name, with their lines\n"
	      "\n"
	      "OPTION, for the list that follows:\n"
	      "  -a        its plain names are allowed\n"
	      "  -f FORMAT auto (each line by itself), hosts, domains, adblock, rpz, dnsmasq,\n"
	      "            addresses\n"
	      "  -F        single labels and public suffixes are taken as well\n"
	      "  -t TITLE  what it is called; else its path\n",
		stderr);
	return RULEC_USAGE;
}

int rulec_failed(const char *why)
{
	fprintf(stderr, "rulec: %s\n", why);
	return RULEC_FAILED;
}

int rulec_load(const char *path, struct rule_arena *image, struct rule_reader *reader)
{
	char why[RULE_STORE_WHY_MAX];
	if (rule_store_read(path, NULL, NULL, image, reader, why))
		return rulec_failed(why);
	return RULEC_OK;
}

int rulec_name(const char *text, struct dns_name *out)
{
	if (dns_name_from_text(text, strlen(text), out))
		return rulec_failed("not a domain name");
	return RULEC_OK;
}

int rulec_type(const char *text, uint16_t *out)
{
	if (!dns_type_from_text(text, out))
		return rulec_failed("not a record type");
	return RULEC_OK;
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc >= 2 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].word) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return rulec_usage();
}
