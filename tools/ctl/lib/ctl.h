// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the commands of weirctl share. One thread, one command a run.
//
// Exit status: 0 done, 1 failed (the reason is on stderr, or with --json {"error": ...} on stdout),
// 2 wrong usage. Bytes from outside are escaped before they reach the terminal (term_text.h).

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/shm_region.h>

enum { PIN_LEN = 32, PIN_TEXT_MAX = 56 };

// Writes "sha256//BASE64" for the SHA-256 of a public key: the pin of a certificate for libcurl
// (CURLOPT_PINNEDPUBLICKEY).
void ctl_pin_text(const uint8_t pin[PIN_LEN], char out[PIN_TEXT_MAX]);

// Another box that weirctl calls: --host BOX[:PORT], --token-file, --ca or --pin, and WEIR_HOST and
// WEIR_TOKEN_FILE. The token is only read from a file, so that no list of processes and no shell's
// history has it; only its owner may be able to read that file.
enum { REMOTE_HOST_MAX = 253, REMOTE_TOKEN_MAX = 128, REMOTE_WHY_MAX = 256 };

struct remote {
	char authority[REMOTE_HOST_MAX + 16]; // part of the URL: "box:9953", "[fd53::7]:9953"
	char token[REMOTE_TOKEN_MAX + 1];     // "": no token
	const char *ca_file;                  // NULL: the system's authorities
	char pin[PIN_TEXT_MAX];               // "sha256//BASE64"; "": no pin
};

struct remote_options {
	const char *host, *token_file, *ca, *pin; // NULL: not given
};

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

enum {
	CTL_OPT_INTERVAL = 1ull << 0,
	CTL_OPT_BELOW = 1ull << 1,
	CTL_OPT_FORCE = 1ull << 2,
	CTL_OPT_ALL = 1ull << 3,
	CTL_OPT_GROUP = 1ull << 4,
	CTL_OPT_CLIENT = 1ull << 5,
	CTL_OPT_RATE = 1ull << 6,
	CTL_OPT_MAC = 1ull << 7, // --mac, --vlan
	CTL_OPT_ALLOW = 1ull << 8,
	CTL_OPT_LIMIT = 1ull << 9,
	CTL_OPT_FORMAT = 1ull << 10,
	CTL_OPT_NAME = 1ull << 11, // --name, --verdict
	CTL_OPT_PART = 1ull << 12, // --part, --rcode
	CTL_OPT_WATCH = 1ull << 13,
	CTL_OPT_SECONDS = 1ull << 14,
	CTL_OPT_OUTPUT = 1ull << 15,
	CTL_OPT_LOAD = 1ull << 16,
	CTL_OPT_STRICT = 1ull << 17,
	CTL_OPT_CUMULATIVE = 1ull << 18,
	CTL_OPT_VALIDATION = 1ull << 19,
	CTL_OPT_DRY_RUN = 1ull << 20,
	CTL_OPT_KEEP = 1ull << 21,
	CTL_OPT_ONCE = 1ull << 22,
	CTL_OPT_SINCE = 1ull << 23,
	CTL_OPT_FOLLOW = 1ull << 24,
	CTL_OPT_FOR = 1ull << 25,
	// --interface, --address, --lists, --upstreams, --password-file, --yes, --known
	CTL_OPT_SETUP = 1ull << 26,
	CTL_OPT_WHY = 1ull << 27,
	CTL_OPT_REMOVE = 1ull << 28,
	CTL_OPT_ROLE = 1ull << 29,
	CTL_OPT_EXPIRES = 1ull << 30,
	CTL_OPT_LOCAL = 1ull << 31, // no option: the command works only on its own box
	CTL_OPT_REPORT = 1ull << 32,
	CTL_OPT_TYPE = 1ull << 33,
	CTL_OPT_REPLY = 1ull << 34,
	CTL_OPT_INVERT = 1ull << 35,
	CTL_OPT_UNTIL = 1ull << 36,
	CTL_OPT_SAVE = 1ull << 37,
	CTL_OPT_DRAIN = 1ull << 38, // --grace, --wait
	CTL_OPT_BACK = 1ull << 39,
	CTL_OPT_OWN_FILES = 1ull << 40,
	CTL_OPT_UPGRADE = 1ull << 41, // --plan, --to, --package, --ssh, --ask, --without
};

// Users that the control plane may run as, beside root and the caller.
struct ctl_servers {
	uid_t owner; // owner of the state directory; root: that cannot be seen
	uid_t user;  // weir-cp; root: the machine has no such user
	int err;     // why the state directory cannot be seen; 0: it can
};

struct ctl {
	const char *config_path;
	bool is_path_given; // -c or WEIR_CONFIG gives config_path
	bool json, help, version;
	bool service_reads_file;             // the service reports errors of the file, not ctl_open
	const char *interval, *seconds_text; // --interval, --seconds, or NULL
	double interval_s;
	bool below, all, force, rate, strict, cumulative, dry_run, once, follow, remove, keep,
		watch, yes, allow, report, known, invert, save, wait, back, own_files, plan;
	uint64_t given;              // CTL_OPT_* of the given options
	unsigned seconds;            // --seconds, 0: no number; 3 if not given
	const char *const *operands; // all operands after the words
	unsigned operand_count;
	const char *operand;                     // the first operand: NAME or FILE, or NULL
	const char *type;                        // the second operand, or --type, or NULL
	const char *third;                       // the third operand, or NULL
	const char *group, *client, *mac, *vlan; // --group and so on, or NULL
	const char *role, *expires;              // or NULL
	struct remote_options remote_options;
	const char *name, *part, *rcode, *verdict, *validation, *since, *until, *limit, *format,
		*output, *load, *purpose, *reason, *reply,
		*grace; // options (--for: purpose, --why: reason), or NULL

	const char *interface, *address, *lists, *upstreams, *password_file; // setup's, or NULL
	const char *to, *package, *ssh, *ask, *without; // fleet upgrade's, or NULL

	struct remote remote;   // another box, if remote_options.host is not NULL
	struct config *config;  // set by ctl_open_config, else NULL
	struct shm_paths paths; // set by ctl_open and ctl_open_config
	struct ctl_servers servers;
};

struct ctl_command {
	const char *word, *second; // "cache", "get"; second may be NULL
	unsigned operands_min, operands_max;
	uint64_t options; // CTL_OPT_*
	int (*run)(struct ctl *c);
	const char *usage; // operands and options after the words
	const char *help;
	const char *alias; // one word in place of the words, or NULL
};

// The commands of a file are `CTL_COMMANDS = {{"word", ...}, ...};` at its end; the linker joins
// the rows of all files (main.c). A row without an alias ends with its help.
#define CTL_COMMANDS                                                                           \
	_Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") static const struct \
		ctl_command commands[] __attribute__((                                         \
			used, section("ctl_command_list"), aligned(_Alignof(struct ctl_command))))

extern const struct ctl_command **ctl_commands; // ordered as in the help; main() finds them
extern unsigned ctl_command_count;

// Finds the directories of the appliance; a wrong configuration file is enough, with a warning on
// stderr. CTL_OK, or CTL_FAILED after an error message.
ATTR_MUST_CHECK int ctl_open(struct ctl *c);
// Finds the directories, and loads the configuration, which must be valid.
ATTR_MUST_CHECK int ctl_open_config(struct ctl *c);
void ctl_close(struct ctl *c);
// Finds the users who may listen on the control socket.
void ctl_servers_find(struct ctl_servers *s, const char *state_directory);

// Prints why a command failed, as JSON with --json. Returns CTL_FAILED.
int ctl_fail(const struct ctl *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
