// SPDX-License-Identifier: BSD-3-Clause
#include "symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYMBOLS_MAX = 1 << 20, SEGMENTS_MAX = 64 };

struct symbol {
	uint64_t at, size;
	const char *name; // libelf's memory, while the file is open
};

struct symbol_file {
	char *path;
	int fd;
	Elf *elf; // NULL: it cannot be read as ELF
	unsigned count;
	struct symbol *symbol; // sorted by `at`
};

struct symbols {
	unsigned count;
	struct symbol_file file[SYMBOL_FILES_MAX];
};

struct symbols *symbols_new(void)
{
	return elf_version(EV_CURRENT) == EV_NONE ? NULL : calloc(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
	for (unsigned i = 0; s && i < s->count; i++) {
		struct symbol_file *f = &s->file[i];
		if (f->elf)
			elf_end(f->elf);
		if (f->fd >= 0)
			close(f->fd);
		free(f->symbol);
		free(f->path);
	}
	free(s);
}

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	return (x->at > y->at) - (x->at < y->at);
}

// Finds .symtab (SHT_SYMTAB) or .dynsym (SHT_DYNSYM).
static Elf_Scn *table_find(Elf *elf, uint32_t type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

static void table_read(struct symbol_file *f)
{
	GElf_Shdr header;
	GElf_Sym sym;
	Elf_Scn *section = table_find(f->elf, SHT_SYMTAB, &header);
	if (!section)
		section = table_find(f->elf, SHT_DYNSYM, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	if (!data || !header.sh_entsize)
		return;
	uint64_t count = header.sh_size / header.sh_entsize;
	if (count > SYMBOLS_MAX)
		count = SYMBOLS_MAX;
	f->symbol = calloc(count + 1, sizeof(*f->symbol));
	for (unsigned i = 0; f->symbol && i < count; i++) {
		if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC
			|| !sym.st_value)
			continue;
		const char *name = elf_strptr(f->elf, header.sh_link, sym.st_name);
		if (name && *name)
			f->symbol[f->count++] = (struct symbol){
				.at = sym.st_value, .size = sym.st_size, .name = name};
	}
	if (f->symbol)
		qsort(f->symbol, f->count, sizeof(*f->symbol), symbol_compare);
}

// May libelf read the file? A profile or the process under examination names it, and this program
// may be root. So it must be a plain file of root, of the caller or of the owner of this program.
static bool is_trusted(int fd)
{
	struct stat st, own;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mode & S_IWOTH)
		return false;
	return st.st_uid == 0 || st.st_uid == geteuid()
	       || (stat("/proc/self/exe", &own) == 0 && st.st_uid == own.st_uid);
}

static int file_open(const char *path)
{
	// O_NONBLOCK: the open of a FIFO must not wait for a writer.
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && !is_trusted(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static struct symbol_file *file_get(struct symbols *s, const char *path)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->file[i].path, path) == 0)
			return &s->file[i];
	if (s->count == SYMBOL_FILES_MAX)
		return NULL;
	struct symbol_file *f = &s->file[s->count];
	*f = (struct symbol_file){.path = strdup(path), .fd = -1};
	if (!f->path)
		return NULL;
	s->count++;
	f->fd = file_open(path);
	f->elf = f->fd >= 0 ? elf_begin(f->fd, ELF_C_READ, NULL) : NULL;
	if (f->elf && elf_kind(f->elf) == ELF_K_ELF)
		table_read(f);
	return f;
}

// The address for a byte of the file, as the linker set it; false: no segment has the byte.
static bool address_of(Elf *elf, uint64_t offset, uint64_t *out)
{
	size_t count;
	GElf_Phdr p;
	if (elf_getphdrnum(elf, &count) != 0)
		return false;
	for (size_t i = 0; i < count && i < SEGMENTS_MAX; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || offset < p.p_offset
			|| offset - p.p_offset >= p.p_filesz)
			continue;
		*out = offset - p.p_offset + p.p_vaddr;
		return true;
	}
	return false;
}

static const char *name_at(const struct symbol_file *f, uint64_t address)
{
	unsigned low = 0, high = f->count;
	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		if (f->symbol[middle].at <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	const struct symbol *s = &f->symbol[low - 1];
	return address - s->at < (s->size ? s->size : 1) ? s->name : NULL;
}

void symbols_name(struct symbols *s, const char *path, uint64_t offset, char out[SYMBOL_NAME_MAX])
{
	uint64_t address;
	const struct symbol_file *f = s ? file_get(s, path) : NULL;
	const char *name = NULL, *base = strrchr(path, '/');
	if (f && f->elf && f->count && address_of(f->elf, offset, &address))
		name = name_at(f, address);
	if (name)
		snprintf(out, SYMBOL_NAME_MAX, "%s", name);
	else
		snprintf(out, SYMBOL_NAME_MAX, "%.60s+0x%llx", base ? base + 1 : path,
			(unsigned long long)offset);
}
