// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_public.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weir/attr.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

static bool is_of_versions(const char *word, size_t len)
{
	static const char *const known[] = {"aarch", "alpha", "amd", "arm", "armhf", "aws", "azure",
		"beta", "bookworm", "bpo", "build", "cloud", "deb", "debian", "dfsg", "dirty", "ds",
		"edge", "el", "fc", "gcp", "generic", "git", "hwe", "kvm", "lowlatency", "lts",
		"microsoft", "nmu", "pve", "raspi", "raspbian", "rc", "really", "repack", "rpi",
		"rpt", "rt", "stable", "standard", "trixie", "ubuntu", "virtual", "WSL"};
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i]) == len && strncmp(known[i], word, len) == 0)
			return true;
	return len == 1;
}

char *public_version(const char *text, char out[PUBLIC_MAX])
{
	size_t len = 0;
	while (*text) {
		const size_t letters = strspn(text, LETTERS), size = letters ? letters : 1;
		const bool is_said = letters ? is_of_versions(text, letters)
					     : strchr(DIGITS ".:-+~_", *text) != NULL;
		const size_t shown = is_said ? size : 1;
		if (len + shown >= PUBLIC_MAX)
			break;
		memcpy(out + len, is_said ? text : "?", shown);
		len += shown;
		text += size;
	}
	out[len] = '\0';
	return out;
}

char *public_word(const char *text, char out[PUBLIC_MAX])
{
	const size_t len = strspn(text, LETTERS DIGITS "_-.:+~");
	snprintf(out, PUBLIC_MAX, "%s", text[len] || len >= PUBLIC_MAX ? "?" : text);
	return out;
}

char *public_model(const char *text, char out[PUBLIC_MAX])
{
	size_t len = 0;
	for (; *text && len < PUBLIC_MAX - 1; text++)
		out[len++] =
			*text < ' ' || *text > '~' || *text == '/' || *text == '\\' ? '?' : *text;
	out[len] = '\0';
	return out;
}
