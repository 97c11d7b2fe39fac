// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// PUT of all items of a kind: the managed part gets those that the body has and no others, in one
// change. The body has the form of GET's reply, so that a GET and a PUT of its reply change
// nothing. Items of files stay: an item of the body that a file has is neither added nor counted as
// one more.
//
// An item is a row of texts, in the form in which GET shows them; "" stands for a key that it
// lacks. Its first texts, the keys, identify it.

#include "base/json.h"
#include "verb.h"

enum { PUT_FIELDS_MAX = 8, PUT_ROOM_MAX = 3 * HTTP_BODY_MAX };

// A flag is "1" or "", and a number its digits.
enum put_form { PUT_TEXT, PUT_FLAG, PUT_NUMBER };

struct put_field {
	const char *name;
	enum put_form form;
	bool is_needed;
	const char *usual; // the text where the body lacks the key; NULL: ""
};

struct put_item {
	bool is_managed;                  // else a file has it
	bool is_wanted;                   // the body has it
	unsigned at;                      // index in the body
	struct put_item *before;          // the item that it replaces, or NULL
	const char *text[PUT_FIELDS_MAX]; // behind the item
};

struct put_items { // all zero: an empty list
	unsigned count, room;
	struct put_item **item;
	bool is_short; // memory was short
};

// Adds a copy, NULL texts as "". NULL: no memory.
struct put_item *put_items_add(
	struct put_items *items, const char *const text[PUT_FIELDS_MAX], bool is_managed);

// An item of the body, and room for texts in another form.
struct put_asked {
	const char *text[PUT_FIELDS_MAX];
	size_t used;
	char room[PUT_ROOM_MAX];
};

// Gives the item another text for a field, as a copy. False: there is no room.
ATTR_MUST_CHECK bool put_asked_set(struct put_asked *asked, unsigned field, const char *text);

struct put_kind {
	const char *name; // the key of the list, in the body and in GET's reply
	unsigned keys;    // how many fields identify an item
	struct put_field field[PUT_FIELDS_MAX + 1];
	// Keys that GET has besides, with blanks between: of an item, and beside the list.
	const char *reported, *beside;
	bool beats_files; // an item may differ from one of a file with the same keys
	// Does an item of the body count as not there? NULL: each counts.
	bool (*skips)(const struct put_asked *asked);
	// Adds the items in force. `copy`: of the managed part, which it may edit.
	void (*in_force)(const struct verb *v, struct config_managed *copy, struct put_items *out);
	// Brings an item that is not in force as it stands there into GET's form. False: `why`,
	// which begins with the field.
	bool (*check)(const struct verb *v, struct put_asked *asked, char why[API_WHY_MAX]);
	// Puts an item into the managed part of the verb. -EEXIST: a file has it otherwise;
	// -EINVAL: `why`. Other errors as of weir/config/managed.h.
	int (*set)(const struct verb *v, const struct put_item *item, char why[CONFIG_WHY_MAX]);
	int (*remove)(struct config_managed *m, const struct put_item *item);
};

extern const struct put_kind put_entries, put_lists, put_local;

// Replies to a PUT of the list `name`, after the change where there is one, and ends the verb.
void put_finish(struct verb *v, const char *name, const struct config_put_counts *n, bool is_check);
